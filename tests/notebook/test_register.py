"""Loading of the extension: the quiet lines of the first time and of the first error."""

from __future__ import annotations

from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from chatnb.notebook import register


@pytest.mark.parametrize(
    ("store", "interactive", "says"),
    [
        ("new.db", True, True),
        ("old.db", True, False),
        (":memory:", True, False),
        ("new.db", False, False),
    ],
)
def test_the_first_time_says_how_to_begin(
    bare_shell: InteractiveShell,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    store: str,
    interactive: bool,
    says: bool,
) -> None:
    """A person who has no conversations yet gets one line; a program, and everybody later, none."""
    (tmp_path / "old.db").touch()
    monkeypatch.setenv("CHATNB_STORE", store if store == ":memory:" else str(tmp_path / store))
    monkeypatch.setattr("chatnb.notebook.in_interactive_notebook", lambda: interactive)
    monkeypatch.setattr("chatnb.notebook.start_warm_up", lambda _: None)
    register(bare_shell)
    assert ("Begin a cell with %%chat" in capsys.readouterr().out) is says
    register(bare_shell)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("interactive", [True, False])
def test_the_first_error_says_what_explains_it(
    bare_shell: InteractiveShell,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    interactive: bool,
) -> None:
    """One quiet line under the first cell of the user's own that fails; a command that is refused
    or a model that fails says itself what to do, and a program reads none of it."""
    monkeypatch.setattr("chatnb.notebook.in_interactive_notebook", lambda: interactive)
    monkeypatch.setattr("chatnb.notebook.start_warm_up", lambda _: None)
    register(bare_shell)
    failing = ["%chat lsit", "%%chat -m nobody:x\nHi", "1 / 0", "2 / 0", "x ="]
    told = []
    for cell in failing:
        bare_shell.run_cell(cell)
        told.append("%chat explain says what went wrong" in capsys.readouterr().out)
    assert told == [False, False, interactive, False, False]
