"""The review of changed outputs: they are accepted or rejected, cell by cell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from chatnb.pytest_plugin.notebook_files.kept_outputs import accept_kept_outputs
from chatnb.pytest_plugin.notebook_writer import accept_outputs

if TYPE_CHECKING:
    import pytest

CHANGE = "chatnb-change"


class Change(NamedTuple):
    """A cell whose new outputs wait for a decision.

    Args:
        file: The notebook; where its outputs are kept in the cassette, that.
        is_cassette: True for a cassette.
        notebook: The path of the notebook, for people.
        cell: The number of the cell.
        name: The name of its test.
        source: Its source.
        old: The saved outputs as text.
        new: The new outputs as text.
        outputs: The new outputs.
    """

    file: str
    is_cassette: bool
    notebook: str
    cell: int
    name: str
    source: str
    old: str
    new: str
    outputs: list[dict[str, Any]]


Reviewer: TypeAlias = Callable[[Sequence[Change], "pytest.TerminalReporter"], Mapping[int, bool]]
"""Returns True for the indexes of accepted changes, and False for those of rejected ones."""


class Review:
    """A pytest plugin that collects changes, and at the end lets a person decide about them."""

    def __init__(self, reviewer: Reviewer) -> None:
        self._reviewer = reviewer
        self._changes: list[Change] = []

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Collect the changes of a cell or a notebook, from any worker process."""
        if report.when == "teardown":
            found = (value for name, value in report.user_properties if name == CHANGE)
            self._changes += [Change(*value) for value in found]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Ask about the changes, and save the accepted ones."""
        terminalreporter.section("review")
        if not self._changes:
            terminalreporter.write_line("No output has changed.")
            return
        changes = sorted(self._changes, key=lambda change: (change.notebook, change.cell))
        decisions = self._reviewer(changes, terminalreporter)
        accepted = {index for index, accept in decisions.items() if accept}
        save_accepted(changes, accepted)
        terminalreporter.write_line(summary(len(accepted), len(changes)))


def summary(accepted: int, changes: int) -> str:
    """Return the sentence about the decisions."""
    left = changes - accepted
    kept = f"; {left} stayed as {'it was' if left == 1 else 'they were'}" if left else ""
    return f"{accepted} of {changes} changes accepted{kept}."


def save_accepted(changes: Sequence[Change], accepted: Collection[int]) -> None:
    """Write the outputs of the accepted cells, and no others."""
    files = defaultdict[tuple[str, bool], dict[int, list[dict[str, Any]]]](dict)
    for index in accepted:
        change = changes[index]
        files[change.file, change.is_cassette][change.cell] = change.outputs
    for (file, is_cassette), outputs in files.items():
        accept = accept_kept_outputs if is_cassette else accept_outputs
        accept(Path(file), outputs)
