"""Notes about notebooks, gathered from all processes and printed after the run."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from chatnb.terminal import SafeText

if TYPE_CHECKING:
    import pytest

NOTE = "chatnb-note: "
VARYING = "cells that do not repeat"
UNREQUESTED = "replies that nothing requests"
REPEATED = "requests that are made more often than recorded"


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
