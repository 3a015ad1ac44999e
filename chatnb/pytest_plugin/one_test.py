"""One test for a whole notebook, with `--chatnb-one-test`."""

# pyright: standard
# nbval has no types.

from __future__ import annotations

from typing import Any, Protocol

import pytest

from chatnb.pytest_plugin.cell import NamedItem, NotebookCell


class CellsFailedError(Exception):
    """Cells of a notebook failed; the message says which, and why."""


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
        problems = [problem for cell in self.parent.cells if (problem := self._run(cell))]
        self.parent.last_cell = self
        if problems:
            raise CellsFailedError("\n\n".join(problems))

    def _run(self, cell: NotebookCell) -> str:
        """Run a cell, and return the text of its failure, or "" if it has none."""
        problem, outcome = "", "passed"
        if self.parent.timed_out:  # The kernel is still busy, or what follows has no ground.
            return ""
        try:
            cell.runtest()
        except pytest.skip.Exception:
            outcome = "skipped"
        except Exception as error:
            outcome = "failed"
            problem = cell.repr_failure(pytest.ExceptionInfo.from_exception(error))
        for name, value in cell.user_properties:
            shown: Any = value
            if name == "chatnb":
                shown = {**shown, "outcome": outcome, "problem": problem}
            self.user_properties.append((name, shown))
        return problem

    def repr_failure(self, excinfo, style=None) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the texts of the cells that failed."""
        return str(excinfo.value)

    def reportinfo(self):
        """Return the location of the notebook for pytest."""
        return self.path, None, f"{self.parent.shown_path}: {self.name}"
