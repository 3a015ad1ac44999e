"""Lines and cells as they are rewritten before they run."""

from __future__ import annotations

import pytest

from chatnb.notebook.magics import await_chat, keep_question_marks


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("%chat search who?\n", "get_ipython().run_line_magic('chat', 'search who?')\n"),
        ("  %chat use?\n", "  get_ipython().run_line_magic('chat', 'use?')\n"),
        ("%chat?\n", "get_ipython().run_line_magic('chat', 'help')\n"),
        ("%chat??\n", "get_ipython().run_line_magic('chat', 'help')\n"),
        ("?%chat\n", "get_ipython().run_line_magic('chat', 'help')\n"),
        ("?%chat use\n", "get_ipython().run_line_magic('chat', 'use?')\n"),
        ("%chatter?\n", "%chatter?\n"),
        ("%chat use x\n", "%chat use x\n"),
        ("print?\n", "print?\n"),
        ("?print\n", "?print\n"),
    ],
)
def test_a_question_mark_of_a_command_is_its_own(line: str, written: str) -> None:
    """IPython would show the help of something else; other lines stay, and so do cells."""
    assert keep_question_marks([line]) == [written]
    assert keep_question_marks(["x = 1\n", line]) == ["x = 1\n", written]
    assert keep_question_marks(["%%chat\n", line]) == ["%%chat\n", line]
    assert keep_question_marks([]) == []


def test_only_chat_cells_are_awaited() -> None:
    """By their first line; what follows it stays."""
    call = "get_ipython().run_cell_magic('chat', '', 'x')\n"
    registry = "get_ipython().magics_manager.registry['ChatMagics']"
    awaited = f"await {registry}.chat_awaited('', 'x')\n"
    assert await_chat([call]) == [awaited]
    assert await_chat([call, "a\n", "b\n"]) == [awaited, "a\n", "b\n"]
    for lines in ([], ["x = 1\n", call], ["get_ipython().run_cell_magic('bash', '', 'x')\n"]):
        assert await_chat(lines) == lines
