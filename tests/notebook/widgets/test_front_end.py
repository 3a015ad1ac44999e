"""The views and forms that front ends get, by what they say of themselves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from chatnb.errors import ConfigurationError
from chatnb.notebook.widgets import front_end


class Kernel:
    """A kernel of a cell, as a front end of some kind starts it."""

    def __init__(self, id: object = None, *, takes_input: bool = True, awaits: bool = True) -> None:
        self._allow_stdin = takes_input
        self.shell = SimpleNamespace(autoawait=awaits)
        self._parent = {} if id is None else {"metadata": {"cellId": id}}

    def get_parent(self, channel: str) -> dict[str, Any]:
        assert channel == "shell"
        return self._parent


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An environment that tells nothing of a front end."""
    for name in ("CHATNB_VIEW", "JPY_SESSION_NAME", "SERVER_SOFTWARE", "VSCODE_PID"):
        monkeypatch.delenv(name, raising=False)
    for name in ("google.colab", "marimo"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield
    front_end.choose_view(None)
    front_end.set_page_answers(True)


def run_in(monkeypatch: pytest.MonkeyPatch, kernel: Kernel | None) -> None:
    monkeypatch.setattr(front_end, "current_kernel", lambda: kernel)


def run_in_marimo(monkeypatch: pytest.MonkeyPatch, *, runs: bool) -> None:
    marimo: Any = ModuleType("marimo")
    marimo.running_in_notebook = lambda: runs
    monkeypatch.setitem(sys.modules, "marimo", marimo)


def views() -> tuple[str, str, str]:
    """Return the views of widgets and of a running cell, and the form of widgets."""
    return front_end.current_view(), front_end.cell_view(), front_end.widget_form()


PROGRAM = Kernel(takes_input=False)
# The kernel, what is chosen, and the views and the form that follow.
CASES: list[tuple[Kernel | None, str | None, tuple[str, str, str]]] = [
    (None, None, ("text", "text", "static")),
    (None, "static", ("static", "static", "static")),
    (None, "live", ("text", "live", "static")),
    (None, "text", ("text", "text", "static")),
    (Kernel(), None, ("live", "live", "mounted")),
    (Kernel(), "static", ("static", "static", "static")),
    (Kernel(), "text", ("text", "text", "text")),
    (PROGRAM, None, ("static", "static", "static")),
    (PROGRAM, "live", ("live", "live", "mounted")),
    (PROGRAM, "text", ("text", "text", "text")),
]


@pytest.mark.parametrize(("kernel", "chosen", "expected"), CASES)
@pytest.mark.parametrize("by", ["command", "environment"])
def test_views_follow_the_kernel_and_the_choice(
    monkeypatch: pytest.MonkeyPatch,
    kernel: Kernel | None,
    chosen: str | None,
    expected: tuple[str, str, str],
    by: str,
) -> None:
    """A choice counts the same by command and by environment; a terminal has no widgets."""
    run_in(monkeypatch, kernel)
    if chosen and by == "environment":
        monkeypatch.setenv("CHATNB_VIEW", chosen)
    elif chosen:
        front_end.choose_view(front_end.view_named(chosen))
    assert views() == expected
    assert front_end.in_interactive_notebook() is (expected[1] == "live")


def test_a_command_holds_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """And an unknown name in the environment is an error, with the names there are."""
    monkeypatch.setenv("CHATNB_VIEW", "html")
    told = r"^CHATNB_VIEW takes live, static, text, not 'html'\.$"
    with pytest.raises(ConfigurationError, match=told):
        front_end.chosen_view()
    front_end.choose_view("text")
    assert front_end.chosen_view() == "text"
    front_end.choose_view(None)
    monkeypatch.setenv("CHATNB_VIEW", "")
    assert front_end.chosen_view() is None
    with pytest.raises(ValueError, match="not in tuple"):
        front_end.view_named("html")


def test_a_page_that_does_not_answer_gets_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """As jupyter console, whose kernel is as any other."""
    run_in(monkeypatch, Kernel())
    front_end.set_page_answers(False)
    assert views() == ("text", "text", "text")


def test_voila_shows_widgets_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells are run by a program, whose replies are whole."""
    run_in(monkeypatch, PROGRAM)
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5.8")
    assert views() == ("live", "static", "widget")
    monkeypatch.setenv("SERVER_SOFTWARE", "jupyter/1")
    assert views() == ("static", "static", "static")


def test_marimo_shows_widgets_without_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it is only imported."""
    run_in(monkeypatch, None)
    run_in_marimo(monkeypatch, runs=True)
    assert views() == ("live", "live", "widget")
    run_in_marimo(monkeypatch, runs=False)
    assert views() == ("text", "text", "static")


@pytest.mark.parametrize(
    ("id", "environment", "form", "in_lab"),
    [
        ("1b2c", {}, "mounted", True),
        ("1b2c", {"VSCODE_PID": "1"}, "mounted", True),
        ("vscode-notebook-cell:/a.ipynb#W0", {}, "widget", False),
        (None, {"VSCODE_PID": "1"}, "widget", False),
        (None, {}, "mounted", False),
        (7, {}, "mounted", False),
    ],
)
def test_the_id_of_a_cell_tells_its_front_end(
    monkeypatch: pytest.MonkeyPatch,
    id: object,
    environment: dict[str, str],
    form: str,
    in_lab: bool,
) -> None:
    """VS Code's is an address; only without an id does the environment count."""
    run_in(monkeypatch, Kernel(id, awaits=False))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert front_end.widget_form() == form
    assert front_end.in_lab_page() is in_lab
    assert front_end.cell_id() == (id if isinstance(id, str) else "")
    assert front_end.is_page_known() is isinstance(id, str)
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    assert front_end.widget_form() == "widget"
    assert not front_end.in_lab_page()
    assert front_end.is_page_known()


def test_a_terminal_has_no_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor a page."""
    run_in(monkeypatch, None)
    assert front_end.cell_id() == ""
    assert not front_end.in_lab_page()
    assert not front_end.receives_while_awaiting(None)
    assert not front_end.awaits_cells(None)


@pytest.mark.parametrize(
    ("number", "receives"),
    [("6.30.1", False), ("7.3.9", False), ("7.4.0", True), ("7.10.0", True), ("8.0.0a1", True)],
)
def test_kernels_receive_messages_while_a_cell_awaits_from_7_4_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str, receives: bool
) -> None:
    """If the user has not switched awaiting off."""
    info = tmp_path / f"ipykernel-{number}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: ipykernel\nVersion: {number}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert version("ipykernel") == number
    assert front_end.receives_while_awaiting(Kernel()) is receives
    assert front_end.awaits_cells(Kernel()) is receives
    assert not front_end.receives_while_awaiting(Kernel(awaits=False))


def test_what_stops_a_reply() -> None:
    """A message reaches a cell that awaits, and an interrupt every other one."""
    assert front_end.stops_with(awaited=True) == "message"
    assert front_end.stops_with(awaited=False) == "interrupt"
