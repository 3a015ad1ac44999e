"""`%chat config`, setting by setting, and the views that commands open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from chatnb.notebook.session import SessionDefaults
from chatnb.notebook.widgets import front_end
from chatnb.schema import HumanMessage, SystemMessage
from tests.support.live_cells import Page

OWN = "the model's own"
AUTOMATIC = "OpenAI if OPENAI_API_KEY is set, else the embedded model"


@pytest.fixture
def page(bare_shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    yield Page(bare_shell, monkeypatch)
    front_end.choose_view(None)


def printed(page: Page, capsys: pytest.CaptureFixture[str], line: str) -> str:
    capsys.readouterr()
    page.run(line)
    out, err = capsys.readouterr()
    return out + err


def rows(**changed: object) -> str:
    """Return what `%chat config` prints, with some settings changed."""
    shown = {
        "model": AUTOMATIC,
        "system": "none",
        "temperature": OWN,
        "max_tokens": OWN,
        "context": "none",
        **changed,
    }
    return "".join(f"{name:14}  {value}\n" for name, value in shown.items())


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("", {}),
        ("temperature=0", {"temperature": "0.0"}),
        ("temperature=2", {"temperature": "2.0"}),
        ("max_tokens=1", {"max_tokens": 1}),
        ("context=cells,3", {"context": "cells,3"}),
        ("context_tokens=500", {"context_tokens": 500}),
        ("system='Be brief.'", {"system": "'Be brief.'"}),
        (f"system={'a' * 70}", {"system": f"'{'a' * 59}"}),
        ("view=static", {"view": "static"}),
        ("model=scripted:Hi max_tokens=5", {"model": "scripted:Hi", "max_tokens": 5}),
    ],
)
def test_settings_are_shown_as_they_are_from_now_on(
    page: Page, capsys: pytest.CaptureFixture[str], line: str, changed: dict[str, Any]
) -> None:
    """Until none, or nothing, takes one back, or reset all of them."""
    assert printed(page, capsys, f"%chat config {line}") == rows(**changed)
    assert printed(page, capsys, "%chat config") == rows(**changed)
    words = " ".join(f"{name}=none" for name in changed)
    assert printed(page, capsys, f"%chat config {words}") == rows()
    page.run(f"%chat config {line}")
    assert printed(page, capsys, "%chat config reset") == rows()
    assert page.session.defaults == SessionDefaults()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("temperature=2.01", "temperature= takes a number from 0 to 2, not '2.01'."),
        ("temperature=-1", "temperature= takes a number from 0 to 2, not '-1'."),
        ("max_tokens=0", "max_tokens= takes a whole number above 0, not '0'."),
        ("context_tokens=x", "context_tokens= takes a whole number above 0, not 'x'."),
        ("view=html", "view= takes one of live, static, text, not 'html'."),
        (
            "context=cells,0",
            "context= takes cells, a number of cells, vars, error, several of them with commas, "
            "or none, not 'cells,0'.",
        ),
        (
            "colour=red",
            "takes NAME=VALUE with one of model, system, temperature, max_tokens, context, "
            "context_tokens, view.",
        ),
        (
            "system",
            "takes NAME=VALUE with one of model, system, temperature, max_tokens, context, "
            "context_tokens, view.",
        ),
    ],
)
def test_a_setting_that_cannot_be_changes_nothing(
    page: Page, capsys: pytest.CaptureFixture[str], line: str, told: str
) -> None:
    """Nor do others on its line."""
    out = printed(page, capsys, f"%chat config max_tokens=7 {line}")
    assert out == f"UsageError: %chat config {told}\n"
    assert page.session.defaults == SessionDefaults()


def test_a_model_that_cannot_be_changes_no_other_setting(
    page: Page, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is refused before them."""
    out = printed(page, capsys, "%chat config max_tokens=7 model=nobody:x view=text")
    assert "nobody" in out
    assert page.session.defaults == SessionDefaults()
    assert front_end.chosen_view() is None


def test_a_system_prompt_of_the_conversation_holds() -> None:
    """The default one is for those without."""
    defaults = SessionDefaults(system="Brief.")
    own = [SystemMessage("Long."), HumanMessage("Hi")]
    assert defaults.with_system(own) == own
    assert defaults.with_system(own[1:]) == [SystemMessage("Brief."), HumanMessage("Hi")]
    assert defaults.with_system([]) == [SystemMessage("Brief.")]
    assert SessionDefaults().with_system(own[1:]) == own[1:]


def test_a_panel_opens_on_the_conversation_of_cells(
    page: Page, capsys: pytest.CaptureFixture[str]
) -> None:
    """Or on another one, with the model of cells."""
    page.run("%chat use scripted:Hello.")
    page.run("%%chat -c ideas\nHi")
    page.run("%chat panel ideas")
    (shown,) = page.outputs
    assert "data-chatnb-mount" in shown.data["text/html"]
    assert "Hello." in shown.data["text/plain"]
    page.run("%chat panel")
    assert "Hello." not in page.outputs[0].data["text/plain"]


def test_a_context_is_shown_before_it_is_sent(
    page: Page, capsys: pytest.CaptureFixture[str]
) -> None:
    """A word that is none is refused with those there are."""
    page.run("%chat context")
    assert page.outputs[0].data["text/plain"]
    page.run("x = 1")
    page.run("%chat context cells", "c2")
    assert "x = 1" in page.outputs[0].data["text/plain"]
    out = printed(page, capsys, "%chat context nothing")
    assert out == (
        "UsageError: %chat context: a context is cells, a number of cells, vars, error, several "
        "of them with commas, or none, not 'nothing'.\n"
    )
