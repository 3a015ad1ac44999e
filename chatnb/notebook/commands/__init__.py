"""The `%chat WORD ...` commands: a function each, in the files of this folder.

A command takes the session and the words that follow it as arguments. The files are imported when
the first `%chat` line is run.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple, TypeVar

from IPython.core.error import UsageError

from chatnb.errors import ChatnbError
from chatnb.notebook.jupyter_ai import command_hint
from chatnb.notebook.options import split_words
from chatnb.notebook.session import Session, without_traceback

F = TypeVar("F", bound=Callable[..., None])

SECTIONS = {
    "conversations": "Conversations",
    "models": "Models",
    "views": "Views",
    "explain": "Errors and changes of cells",
    "cassette": "Recorded replies",
    "help": "Help",
}
"""The files of the commands, with their titles on the help page."""
_HELP = ("-h", "--help", "?", "help?")


class Command(NamedTuple):
    """A line command."""

    name: str
    takes: str
    summary: str
    run: Callable[..., None]
    section: str

    @property
    def usage(self) -> str:
        """The command as it is typed."""
        return f"%chat {self.name} {self.takes}".rstrip()


_commands = dict[str, Command]()


def command(name: str, takes: str, summary: str, section: str = "cell") -> Callable[[F], F]:
    """Register a function as a line command, with the section of the documentation about it."""

    def register(run: F) -> F:
        _commands[name] = Command(name, takes, summary, run, section)
        return run

    return register


def all_commands() -> dict[str, Command]:
    """Return every line command by its name, in the order of the usage text."""
    for file in SECTIONS:
        import_module(f"{__name__}.{file}")
    return _commands


def run_command(session: Session, line: str) -> None:
    """Run what follows `%chat`."""
    commands, words = all_commands(), _split(line)
    if words in ([], *([word] for word in _HELP)):
        words = ["help"]
    elif len(words) == 1 and words[0].rstrip("?") in commands and words[0].endswith("?"):
        words = ["help", *words]
    found = commands.get(words[0])
    if found is None:
        raise UsageError(_unknown(words[0]))
    try:
        inspect.signature(found.run).bind(session, *words[1:])
    except TypeError:
        raise UsageError(f"Usage: {found.usage}") from None
    try:
        found.run(session, *words[1:])
    except ChatnbError as error:
        raise without_traceback(error) from None


def _split(line: str) -> list[str]:
    try:
        return split_words(line)
    except ValueError:
        return line.split()


def _unknown(word: str) -> str:
    close = difflib.get_close_matches(word, all_commands(), n=1)
    meant = command_hint(word) or (f" Did you mean %chat {close[0]}?" if close else "")
    return (
        f"There is no command %chat {word}.{meant} %chat lists all of them. "
        "To ask, write %%chat on a cell's first line and the prompt below it."
    )
