from __future__ import annotations

import importlib

import pytest

import chatnb

MODULES = [
    "chatnb",
    "chatnb.chat_models",
    "chatnb.conversations",
    "chatnb.evaluation",
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


@pytest.mark.parametrize("module_name", MODULES)
def test_every_name_that_is_announced_is_there(module_name: str) -> None:
    """All names of `__all__` can be had, and are those that `dir` shows."""
    module = importlib.import_module(module_name)
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert name in dir(module) or module_name == "chatnb"


def test_a_name_that_is_not_there_says_so() -> None:
    """A misspelt name is an AttributeError, as of any module."""
    with pytest.raises(AttributeError, match="ChatOpenAl"):
        chatnb.ChatOpenAl  # noqa: B018
