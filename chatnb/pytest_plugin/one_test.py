"""One test for a whole notebook, with `--chatnb-one-test`."""

# pyright: standard
# nbval has no types.

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import pytest

from chatnb.pytest_plugin.cell import NamedItem, NotebookCell
from chatnb.pytest_plugin.failures import Failure
from chatnb.pytest_plugin.reports.review import PROBLEMS


class CellsFailedError(Exception):
    """Cells of a notebook failed."""

    def __init__(self, failures: Mapping[int, Failure]) -> None:
        super().__init__()
        number, first = next(iter(failures.items()))
        count = f"{len(failures)} cells failed, the first is " if len(failures) > 1 else ""
        text = "\n\n".join(failure.text for failure in failures.values())
        self.failure = Failure(f"{count}cell {number}: {first.summary}", text)


class Notebook(Protocol):
    """A notebook whose cells are one test."""

    cells: list[NotebookCell]
    shown_path: str
    last_cell: Any
    died_in: int | None
    timed_out: bool


class NotebookTest(NamedItem):
    """All cells of a notebook, which pass or fail together."""

    parent: Notebook  # pyright: ignore[reportIncompatibleVariableOverride]

    def runtest(self) -> None:
        """Run the cells in order, those after a failed one as well."""
        failures = dict[int, Failure]()
        for number, cell in enumerate(self.parent.cells):
            if failure := self._run(cell):
                failures[number] = failure
        self.parent.last_cell = self
        self.user_properties.append((PROBLEMS, len(failures)))
        if failures:
            raise CellsFailedError(failures)

    def _run(self, cell: NotebookCell) -> Failure | None:
        """Run a cell, and return its failure, or None if it has none."""
        failure, outcome = None, "passed"
        if self.parent.timed_out:  # The kernel is still busy, or what follows has no ground.
            return None
        try:
            cell.runtest()
        except pytest.skip.Exception:
            outcome = "skipped"
        except Exception as error:
            outcome = "failed"
            failure = cell.failure(error)
        for name, value in cell.user_properties:
            shown: Any = value
            if name == "chatnb":
                shown = {**shown, "outcome": outcome, "problem": failure.text if failure else ""}
            self.user_properties.append((name, shown))
        return failure

    def repr_failure(self, excinfo, style=None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return what pytest prints: the cells that failed, and why."""
        if isinstance(excinfo.value, CellsFailedError):
            return excinfo.value.failure.pytest_repr(self.path)
        return super().repr_failure(excinfo, style)

    def reportinfo(self):
        """Return the location of the notebook for pytest."""
        return self.path, None, f"{self.parent.shown_path}: {self.name}"
