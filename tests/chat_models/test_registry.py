from __future__ import annotations

import doctest
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatnb.chat_models import init_chat_model
from chatnb.errors import BadRequestError, UnknownModelError
from chatnb.schema import AIMessage

GUIDE = Path(__file__).parents[2] / "docs" / "providers.md"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The guide's module and entry point, installed the way a package is."""
    code, toml = (
        re.search(rf"```{kind}\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
        for kind in ("ipython\n%%writefile shouting.py", "toml")
    )
    assert code
    assert toml
    (tmp_path / "shouting.py").write_text(code[1], encoding="utf-8")
    metadata = tmp_path / "shouting-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: shouting\nVersion: 1.0\n")
    entry_points = toml[1].replace("project.entry-points.", "").replace('"', "")
    (metadata / "entry_points.txt").write_text(entry_points)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("shouting", None)


def test_the_guide_s_provider_is_forty_lines() -> None:
    """A provider takes no more than the guide promises."""
    code = re.search(
        r"```ipython\n%%writefile shouting.py\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL
    )
    assert code
    assert len(code[1].splitlines()) <= 40


@pytest.mark.usefixtures("installed")
def test_the_guide_s_examples_print_what_they_show() -> None:
    """The very text of the guide runs."""
    failed, tried = doctest.testfile(str(GUIDE), module_relative=False)
    assert (failed, tried) == (0, 3)


@pytest.mark.usefixtures("installed")
def test_another_package_adds_a_provider_by_an_entry_point() -> None:
    """`init_chat_model` finds it by name, hands it the model and the parameters, and lists it."""
    chat = init_chat_model("shout:very-loud", mark="?")
    assert chat.invoke("hi") == AIMessage(
        "HI?",
        usage_metadata={"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
        response_metadata={"finish_reason": "stop", "model_name": "very-loud"},
    )
    with pytest.raises(BadRequestError, match="nothing to shout"):
        chat.invoke(" ")
    with pytest.raises(UnknownModelError, match="Did you mean shout:"):
        init_chat_model("shot:loud")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("nowhere:Chat", "cannot be loaded from nowhere:Chat"),
        ("builtins:str", "made no chat model"),
    ],
)
def test_a_broken_provider_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    """A package whose entry point leads nowhere, or to something else, is named."""
    metadata = tmp_path / "broken-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[chatnb.chat_models]\nbroken = {value}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UnknownModelError, match=said):
        init_chat_model("broken:x")


def test_a_name_must_be_text() -> None:
    """None, from an unset variable, is told apart from an unknown name."""
    with pytest.raises(TypeError, match="takes a name such as"):
        init_chat_model(None)  # type: ignore[arg-type]
