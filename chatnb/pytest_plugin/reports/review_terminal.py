"""The review of changed outputs in a terminal."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from chatnb.pytest_plugin.reports.review import Change
from chatnb.pytest_plugin.reports.side_by_side import side_by_side_lines
from chatnb.terminal import SafeText, print_line

if TYPE_CHECKING:
    import pytest

# The letters of `git add -p`: in another order of theirs, "no" would accept a notebook.
_QUESTION = "Accept it? [y]es, [n]o, [a]ll of this notebook, [q]uit: "
_ANSWERS = {word: word[0] for word in ("yes", "no", "all", "quit", "y", "n", "a", "q")}


def review_in_terminal(
    changes: Sequence[Change], reporter: pytest.TerminalReporter
) -> Mapping[int, bool]:
    """Show each change and ask about it; an interrupt accepts nothing."""
    capture: Any = reporter.config.pluginmanager.getplugin("capturemanager")
    with _released(capture):
        try:
            return _decisions(changes)
        except KeyboardInterrupt:
            print_line()
            return {}


def _decisions(changes: Sequence[Change]) -> dict[int, bool]:
    """Return the answers; what is not answered stays undecided."""
    decisions = dict[int, bool]()
    whole = set[str]()
    for index, change in enumerate(changes):
        if change.notebook not in whole:
            answer = _ask(change, f"{index + 1} of {len(changes)}")
            if answer == "q":
                break
            if answer == "a":
                whole.add(change.notebook)
            decisions[index] = answer != "n"
        else:
            decisions[index] = True
    return decisions


def _ask(change: Change, position: str) -> str:
    """Return the letter of the answer; q at the end of the input."""
    width = shutil.get_terminal_size((100, 24)).columns
    print_line()
    print_line(f"{change.notebook}: {change.name} ({position})")
    for line in change.source.splitlines():
        print_line(f"  | {line}")
    print_line()
    for line in side_by_side_lines(SafeText(change.old), SafeText(change.new), width):
        print_line(line)
    while True:
        try:
            answer = input(_QUESTION).strip().lower()
        except EOFError:
            print_line()
            return "q"
        if answer in _ANSWERS:
            return _ANSWERS[answer]


@contextmanager
def _released(capture: Any) -> Generator[None]:
    """Give the terminal's input and output back while a person answers."""
    if capture is None:
        yield
        return
    capture.suspend_global_capture(in_=True)
    try:
        yield
    finally:
        capture.resume_global_capture()
