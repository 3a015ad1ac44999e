"""What `%chat WORD ...` does: one line command a word, each with its line of usage.

A command is a function of the magics and the words that follow, in a file of this folder, made
known by `@command`. Files are loaded when the first `%chat` line is run.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from IPython.core.error import UsageError

if TYPE_CHECKING:
    from chatnb.notebook.magics import ChatMagics

Runs: TypeAlias = "Callable[[ChatMagics, list[str]], None]"

_FILES = ("conversations", "models", "panel", "explaining", "usage", "cassette")
_TO_ASK = (
    "To ask something, write %%chat on a cell's first line and the prompt below it; "
    "%%chat? lists the options."
)


class Command(NamedTuple):
    """A line command.

    Args:
        name: The word after `%chat`.
        takes: What follows it, as usage lines have it, such as `[NAME]`.
        does: What it does, in a few words.
        run: The function.
    """

    name: str
    takes: str
    does: str
    run: Runs

    @property
    def form(self) -> str:
        """How it is typed.

        Example:
            >>> Command("new", "[NAME]", "start again", lambda magics, words: None).form
            '%chat new [NAME]'
        """
        return f"%chat {self.name} {self.takes}".rstrip()


_commands = dict[str, Command]()


def command(name: str, takes: str, does: str) -> Callable[[Runs], Runs]:
    """Make a function known as a line command.

    Args:
        name: The word after `%chat`.
        takes: What follows it, as usage lines have it.
        does: What it does, in a few words.
    """

    def known(run: Runs) -> Runs:
        _commands[name] = Command(name, takes, does, run)
        return run

    return known


def all_commands() -> dict[str, Command]:
    """Every line command by its name, in the order in which usage lists them."""
    for file in _FILES:
        import_module(f"{__name__}.{file}")
    return _commands


def run_command(magics: ChatMagics, line: str) -> None:
    """Do what a `%chat` line says.

    Args:
        magics: What the notebook's magics remember.
        line: What follows `%chat`.

    Raises:
        UsageError: If it is no command, or one that does not take these words.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"%chat: {error}. Quotes come in pairs.") from None
    commands = all_commands()
    found = commands.get(words[0]) if words else None
    if found is None:
        raise UsageError(_usage(words))
    found.run(magics, words[1:])


def wrong_words(name: str) -> UsageError:
    """The error for a command that does not take the words it was given."""
    return UsageError(f"It is: {_commands[name].form}")


def _usage(words: list[str]) -> str:
    commands = all_commands()
    close = difflib.get_close_matches(words[0], commands, n=1) if words else []
    meant = [f"did you mean %chat {close[0]}?" if close else "%chat takes one of these:"]
    width = max(len(each.form) for each in commands.values())
    lines = [f"{each.form:{width}}   {each.does}" for each in commands.values()]
    return "\n".join([*meant, *lines, _TO_ASK])
