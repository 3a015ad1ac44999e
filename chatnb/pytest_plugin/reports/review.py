"""The review of changed outputs: they are accepted or rejected, cell by cell."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import pytest

from chatnb.errors import CassetteError
from chatnb.pytest_plugin.notebook_files.kept_outputs import accept_kept_outputs
from chatnb.pytest_plugin.notebook_writer import accept_outputs
from chatnb.pytest_plugin.reports.notes import take_properties
from chatnb.pytest_plugin.reports.rejected_replies import RECORDED, Recorded, restore_rejected
from chatnb.pytest_plugin.reports.side_by_side import Image
from chatnb.terminal import SafeText

CHANGE = "chatnb-change"
PROBLEMS = "chatnb-problems"
"""The number of a test's problems, where it is not 1: a change is one of them."""

_RESTORED = "Cassettes have the earlier replies of rejected cells again."
_UNANSWERED = (
    "The new replies of cells without an answer are recorded nevertheless, so that replays differ "
    "there. Review them again with --chatnb-review alone."
)


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
        old_images: The saved images, as types and data in base64.
        new_images: The new images.
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
    old_images: list[Image]
    new_images: list[Image]
    outputs: list[dict[str, Any]]


Reviewer: TypeAlias = Callable[[Sequence[Change], "pytest.TerminalReporter"], Mapping[int, bool]]
"""Returns True for the indexes of accepted changes, and False for those of rejected ones."""


class Review:
    """A pytest plugin that collects changes, and at the end lets a person decide about them."""

    def __init__(self, reviewer: Reviewer) -> None:
        self._reviewer = reviewer
        self._changes: list[tuple[str, Change]] = []
        self._recorded = list[Recorded]()
        self._problems = dict[str, int]()
        self._session: pytest.Session | None = None

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Keep the session, whose exit code the decisions change."""
        self._session = session

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Collect the changes of a cell or a notebook, from any worker process."""
        for name, value in take_properties(report, {CHANGE, RECORDED, PROBLEMS}):
            if report.when != "teardown":
                continue
            if name == CHANGE:
                self._changes.append((report.nodeid, Change(*value)))
            elif name == RECORDED:
                self._recorded.append(Recorded(*value))
            else:
                self._problems[report.nodeid] = value

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, exitstatus: int
    ) -> None:
        """Ask about the changes, save the accepted ones, and count their tests as accepted."""
        terminalreporter.section("review")
        if not self._changes:
            terminalreporter.write_line("No output has changed.")
            return
        if exitstatus == pytest.ExitCode.INTERRUPTED:
            terminalreporter.write_line("Nothing is reviewed, as the run was interrupted.")
            return
        found = sorted(self._changes, key=lambda each: (each[1].notebook, each[1].cell))
        changes = [change for _, change in found]
        decisions = self._reviewer(changes, terminalreporter)
        accepted = {index for index, accept in decisions.items() if accept}
        unsaved = save_accepted(changes, accepted)
        for problem in dict.fromkeys(unsaved.values()):
            terminalreporter.write_line(SafeText(problem))
        accepted -= unsaved.keys()
        for line in decision_lines(changes, decisions, accepted):
            terminalreporter.write_line(SafeText(line))
        for line in restored_lines(self._recorded, changes, decisions):
            terminalreporter.write_line(SafeText(line))
        left = Counter({nodeid: self._problems.get(nodeid, 1) for nodeid, _ in found})
        left.subtract(found[index][0] for index in accepted)
        self._count_as_accepted(
            {test for test, count in left.items() if not count}, terminalreporter
        )

    def _count_as_accepted(self, tests: Collection[str], reporter: pytest.TerminalReporter) -> None:
        """Take tests out of those that failed; the run passes if no other is left."""
        failed = reporter.stats.pop("failed", [])
        others = [report for report in failed if report.nodeid not in tests]
        if accepted := [report for report in failed if report.nodeid in tests]:
            reporter.stats["accepted"] = accepted
        if others:
            reporter.stats["failed"] = others
        session = self._session
        assert session is not None
        is_whole = not (session.shouldfail or session.shouldstop)
        if accepted and not others and is_whole and not reporter.stats.get("error"):
            session.exitstatus = 0


def summary(accepted: int, changes: int) -> str:
    """Return the sentence about the decisions."""
    left = changes - accepted
    kept = f"; {left} stayed as {'it was' if left == 1 else 'they were'}" if left else ""
    return f"{accepted} of {changes} changes accepted{kept}."


def decision_lines(
    changes: Sequence[Change], decisions: Mapping[int, bool], accepted: Collection[int]
) -> Iterator[str]:
    """Yield the sentence about the decisions, then the cells that stay as they were."""
    yield summary(len(accepted), len(changes))
    for index, change in enumerate(changes):
        if index not in accepted:
            words = {True: "Not saved", False: "Rejected", None: "Not answered"}
            yield f"{words[decisions.get(index)]}: {change.notebook}::{change.name}"


def restored_lines(
    recorded: Sequence[Recorded], changes: Sequence[Change], decisions: Mapping[int, bool]
) -> Iterator[str]:
    """Restore the earlier replies of rejected cells, and yield what is to be said about it."""
    by_notebook = defaultdict[str, dict[int, bool | None]](dict)
    for index, change in enumerate(changes):
        by_notebook[change.notebook][change.cell] = decisions.get(index)
    is_restored = is_left = False
    for each in recorded:
        answers = by_notebook[each.notebook]
        is_left |= None in answers.values()
        try:
            is_restored |= restore_rejected(each, answers)
        except (OSError, CassetteError) as error:
            yield f"{each.cassette} cannot be restored: {error}"
    yield from [_RESTORED] * is_restored
    yield from [_UNANSWERED] * is_left


def save_accepted(changes: Sequence[Change], accepted: Collection[int]) -> dict[int, str]:
    """Write the outputs of the accepted cells, and no others.

    Returns:
        The indexes of changes that could not be written, each with the reason.
    """
    files = defaultdict[tuple[str, bool], dict[int, int]](dict)
    for index in sorted(accepted):
        change = changes[index]
        files[change.file, change.is_cassette][change.cell] = index
    unsaved = dict[int, str]()
    for (file, is_cassette), cells in files.items():
        accept = accept_kept_outputs if is_cassette else accept_outputs
        try:
            accept(Path(file), {cell: changes[index].outputs for cell, index in cells.items()})
        except (OSError, CassetteError) as error:
            unsaved |= dict.fromkeys(cells.values(), f"{file} cannot be written: {error}")
    return unsaved
