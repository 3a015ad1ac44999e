"""Notes about notebooks and their recorded calls, printed after the run of all processes."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from chatnb.terminal import SafeText

if TYPE_CHECKING:
    import pytest

NOTE = "chatnb-note: "
VARYING = "cells that do not repeat"
UNREQUESTED = "replies that nothing requests"
REPEATED = "requests that are made more often than recorded"
_MAX_SHOWN = 5
_MAX_LENGTH = 90


def take_properties(report: Any, names: Collection[str]) -> list[tuple[str, Any]]:
    """Return what cells have attached to a report, and drop it: a report of JUnit has all else."""
    taken = [(name, value) for name, value in report.user_properties if name in names]
    report.user_properties = [each for each in report.user_properties if each[0] not in names]
    return taken


class Notes:
    """A pytest plugin that prints the notes in the reports of cells, below their headings."""

    def __init__(self) -> None:
        self._notes = defaultdict[str, list[str]](list)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Collect the notes of a cell, from any worker process."""
        if report.when == "teardown":
            for name, text in report.user_properties:
                if name.startswith(NOTE):
                    self._notes[name.removeprefix(NOTE)].append(text)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print them."""
        for heading, notes in self._notes.items():
            terminalreporter.section(heading)
            for note in notes:
                terminalreporter.write_line(f"{SafeText(note)}\n")


def unrequested_note(cassette: str, messages: Sequence[str], *, dropped: bool) -> str:
    """Return the note, with what the replies were to.

    Args:
        cassette: The path of the cassette.
        messages: The last messages of the requests.
        dropped: True if they are no longer in the cassette.

    Example:
        >>> print(unrequested_note("calls.yaml", ["Hi"], dropped=True))
        Dropped from calls.yaml, as nothing requests it: 1 reply
          Hi
    """
    count = len(messages)
    replies, them = ("1 reply", "it") if count == 1 else (f"{count} replies", "them")
    lines = _shown(messages)
    if dropped:
        return "\n".join(
            [f"Dropped from {cassette}, as nothing requests {them}: {replies}", *lines]
        )
    command = f"python -m chatnb cassette prune {shlex.quote(cassette)}"
    head = f"{cassette} has {replies} that nothing requests:"
    return "\n".join([head, *lines, f"To drop {them}: {command}"])


def repeated_note(cassette: str, messages: Sequence[str], record: str) -> str:
    """Return the note about requests that got their last recorded reply again.

    Args:
        cassette: The path of the cassette.
        messages: The last messages of the requests.
        record: The command that records them.

    Example:
        >>> print(repeated_note("calls.yaml", ["Hi"], "pytest --chatnb --chatnb-record hi.ipynb"))
        calls.yaml has answered 1 request with a reply that was already used:
          Hi
        To record it: pytest --chatnb --chatnb-record hi.ipynb
    """
    count = len(messages)
    requests, them = ("1 request", "it") if count == 1 else (f"{count} requests", "them")
    head = f"{cassette} has answered {requests} with a reply that was already used:"
    return "\n".join([head, *_shown(messages), f"To record {them}: {record}"])


def _shown(messages: Sequence[str]) -> list[str]:
    lines = [f"  {' '.join(text.split()):.{_MAX_LENGTH}}" for text in messages[:_MAX_SHOWN]]
    more = len(messages) - _MAX_SHOWN
    return [*lines, f"  and {more} more"] if more > 0 else lines
