"""Notes about cells, gathered from all processes and printed after the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

NOTE = "chatnb-note"


class Notes:
    """A pytest plugin that prints the notes in the reports of cells."""

    def __init__(self) -> None:
        self._notes: list[str] = []

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Collect the notes of a cell, from any worker process."""
        if report.when == "teardown":
            self._notes += [text for name, text in report.user_properties if name == NOTE]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print them."""
        if self._notes:
            terminalreporter.section("cells that do not repeat")
        for note in self._notes:
            terminalreporter.write_line(f"{note}\n")
