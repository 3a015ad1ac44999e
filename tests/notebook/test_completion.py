"""Tab on %%chat and %chat lines, in a terminal's shell."""

from __future__ import annotations

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from chatnb.chat_models import ScriptedChatModel
from chatnb.notebook import register
from chatnb.notebook.commands import all_commands
from chatnb.notebook.magics import OPTIONS


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> InteractiveShell:
    register(bare_shell)
    bare_shell.push({"some_model": ScriptedChatModel(["Hi."])})
    bare_shell.run_cell("%%chat -m some_model -c ideas\nHi")
    return bare_shell


def completed(shell: InteractiveShell, line: str) -> list[str]:
    """Return the line with each of its completions."""
    with provisionalcompleter():
        found = list(shell.Completer.completions(line, len(line)))
    return [line[: each.start] + each.text for each in found]


def test_every_option_and_every_command_is_offered(shell: InteractiveShell) -> None:
    """Tab offers all that the parser and the commands declare; there is no second list."""
    assert completed(shell, "%%chat ") == [f"%%chat {flag}" for flag in sorted(OPTIONS.long)]
    assert completed(shell, "%chat ") == [f"%chat {name}" for name in sorted(all_commands())]


def test_an_option_is_offered_once(shell: InteractiveShell) -> None:
    """Tab does not offer an option that the line has."""
    assert "%%chat --log --log" not in completed(shell, "%%chat --log --")


@pytest.mark.parametrize(
    ("line", "whole"),
    [
        ("%%chat -m some", "%%chat -m some_model"),
        ("%%chat --compare some_model,scr", "%%chat --compare some_model,scripted:"),
        ("%%chat -t 0 -c id", "%%chat -t 0 -c ideas"),
        ("%chat use local:", "%chat use local:smollm2"),
        ("  %chat use some", "  %chat use some_model"),
    ],
)
def test_the_line_becomes_what_was_meant(shell: InteractiveShell, line: str, whole: str) -> None:
    """A completion replaces just what was typed of it, colons and commas included."""
    assert completed(shell, line) == [whole]


@pytest.mark.parametrize("line", ["%%chat -t ", "%%chat -o ", "%chat nothing x"])
def test_where_anything_can_stand_nothing_of_ours_is_offered(
    shell: InteractiveShell, line: str
) -> None:
    """Numbers and new names are the user's."""
    assert not [each for each in completed(shell, line) if "--" in each or "some_model" in each]


@pytest.mark.parametrize(
    ("prompt", "whole"),
    [
        ("Say pri", ["Say pri"]),
        ("import o", ["import o"]),
        ("some_mo", ["some_mo"]),
        ("Explain {some", ["Explain {some_model"]),
        ("{{some", ["{{some"]),
        ("%chat u", ["%chat u"]),
        ("Hi ", ["Hi "]),
    ],
)
def test_prompts_are_prose(shell: InteractiveShell, prompt: str, whole: list[str]) -> None:
    """Below %%chat no name of Python is offered, but a variable within a brace is."""
    cell = f"%%chat -m some_model\nFirst line.\n{prompt}"
    assert completed(shell, cell) == [cell.removesuffix(prompt) + text for text in whole]
