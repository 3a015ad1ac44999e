from __future__ import annotations

import importlib

import pytest

import chatnb

ROOMS = [
    "chatnb",
    "chatnb.chat_models",
    "chatnb.conversations",
    "chatnb.langchain",
    "chatnb.output_parsers",
    "chatnb.prompts",
    "chatnb.runnables",
    "chatnb.schema",
    "chatnb.store",
    "chatnb.structured_output",
    "chatnb.testing",
    "chatnb.tools",
    "chatnb.tracing",
]


@pytest.mark.parametrize("room", ROOMS)
def test_every_name_that_is_announced_is_there(room: str) -> None:
    """What `__all__` names can be had, and is what `dir` shows."""
    module = importlib.import_module(room)
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert name in dir(module) or room == "chatnb"


def test_a_name_that_is_not_there_says_so() -> None:
    """A misspelt name is an AttributeError, as of any module."""
    with pytest.raises(AttributeError, match="ChatOpenAl"):
        chatnb.ChatOpenAl  # noqa: B018
