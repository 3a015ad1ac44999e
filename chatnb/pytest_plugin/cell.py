"""A code cell of a notebook under test: it is run, and its outputs are compared."""

# pyright: standard
# nbval has no types.

from __future__ import annotations

import copy
import textwrap
from typing import Any, Protocol

import pytest
from nbval.plugin import IPyNbCell, NbCellError

from chatnb.errors import error_line
from chatnb.pytest_plugin.cell_tags import (
    SKIP_REPLAY,
    BadTagError,
    check_tags,
    is_exact,
    required_similarity,
    timeout_hint,
    timeout_seconds,
)
from chatnb.pytest_plugin.failures import Failure, difference_summary, error_lines
from chatnb.pytest_plugin.kernel import KernelDiedError
from chatnb.pytest_plugin.kernel_variables import Mode
from chatnb.pytest_plugin.masks.cell_masks import CellMask, NotebookMasks
from chatnb.pytest_plugin.outputs import (
    Comparison,
    OutputFolder,
    difference,
    images,
    readable,
    structure,
)

_DIFFERS = "Cell outputs differ"


class Notebook(Protocol):
    """The notebook of a cell: how it is run, and what has happened so far."""

    mode: Mode
    shown_path: str
    accept: str
    masks: NotebookMasks
    folder: OutputFolder
    sanitize_patterns: Any
    running: Any
    last_cell: Any
    ran: dict[int, Any]
    died_in: int | None
    has_failed: bool
    timed_out: bool
    is_compared: bool

    def run_cells_before(self, cell: Any) -> None:
        """Run the cells that a selected one needs."""
        ...

    def take_miss(self) -> str:
        """Return the error of a request since the last time that has no reply; "" for none."""
        ...

    def note_requests(self, cell: Any) -> None:
        """Note how many requests there have been, where that is needed."""
        ...

    def offer_for_review(self, cell: Any, outputs: Any) -> None:
        """Let a person decide about new outputs, where that is wanted."""
        ...

    def check_compared(self, cell: Any) -> None:
        """Raise NothingComparedError after the last cell if nothing was compared."""
        ...


class NamedItem(pytest.Item):
    """A test whose name ends with a label in brackets, by which `--lf` finds it again."""

    def __init__(self, name: str, parent: Any, **others: Any) -> None:
        # pytest takes the brackets for those of parameters only in an id that it is given.
        super().__init__(name, parent, nodeid=f"{parent.nodeid}::{name}", **others)


class NotebookCell(IPyNbCell, NamedItem):
    """A code cell of a notebook under test."""

    parent: Notebook  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.saved_outputs = list(self.cell.outputs)
        self.test_outputs: list | None = None
        self.final_outputs: list = []
        tags = self.cell.metadata.get("tags", [])
        self.tags = tags if isinstance(tags, list) else []
        self._timed_out_here = False
        self.is_compared = bool(self.options["check"])
        self.is_left_out_of_replays = SKIP_REPLAY in self.tags or bool(self.options["skip"])
        self.is_exact = is_exact(self.tags)
        self.required_similarity: float | None = None

    @property
    def mask(self) -> CellMask:
        """The parts of the outputs that vary, as they were learned in the last recording."""
        return self.parent.masks.get(self.cell_num, self.saved_id)

    @property
    def saved_id(self) -> str | None:
        """The id of the cell in its file; notebooks that are texts have none that stays."""
        return self.cell.get("id") if self.path.suffix == ".ipynb" else None

    @property
    def rules(self) -> Comparison:
        """The rules by which the outputs are compared."""
        return Comparison(self.mask, self.is_exact, self.required_similarity)

    @property
    def timeout(self) -> float:
        """The seconds that the cell may take."""
        return timeout_seconds(self.tags, self.config.option.chatnb_timeout)

    def runtest(self) -> None:
        """Run the cell, and compare its outputs with the saved ones."""
        file = self.parent
        file.last_cell = self
        check_tags(self.tags)
        if file.mode == "replay" and SKIP_REPLAY in self.tags:
            file.check_compared(self)
            pytest.skip(f"tagged {SKIP_REPLAY}")
        if file.died_in is not None:
            pytest.skip(f"the kernel died in cell {file.died_in}")
        self.required_similarity = required_similarity(self.tags)
        file.run_cells_before(self)
        self.config.option.nbval_cell_timeout = self.timeout
        if file.mode in ("record", "refresh"):
            self._drop_saved()
        file.folder.begin_cell()
        file.running = self
        was_late = file.timed_out
        try:
            super().runtest()
        except KernelDiedError:
            file.died_in, file.has_failed = self.cell_num, True
            self.raise_cell_error("The kernel died while this cell ran.")
        except pytest.skip.Exception:
            if file.mode in ("record", "refresh"):  # What it has is saved again.
                self.test_outputs = self.saved_outputs
            file.ran[self.cell_num] = self
            raise
        except Exception as error:
            file.has_failed = True
            if (miss := file.take_miss()) and str(error) == _DIFFERS:
                raise CaughtMissError(miss) from error
            raise
        finally:
            file.running = None
            # Later cells may update displays.
            self.final_outputs = copy.deepcopy(self.test_outputs or [])
            self._timed_out_here = file.timed_out and not was_late
            self._add_to_report()
        if miss := file.take_miss():
            file.has_failed = True
            raise CaughtMissError(miss)
        file.ran[self.cell_num] = self
        file.note_requests(self)
        file.check_compared(self)

    def compare_outputs(self, test, ref, skip_compare=None) -> bool:
        """Return True for equal outputs; with live models only their types are compared."""
        self.parent.is_compared = True
        if self.parent.mode == "live":
            text = _type_difference(ref, test)
        else:
            pair = self._sanitized(ref), self._sanitized(test)
            text = difference(*pair, self.rules)
        self.comparison_traceback = [text]
        if text and self.parent.mode == "replay":
            self.parent.offer_for_review(self, test)
        return not text

    def repr_failure(self, excinfo, style=None) -> Any:
        """Return what pytest prints: the cell, the problem, and what to do."""
        return self.failure(excinfo.value).pytest_repr(self.path)

    def failure(self, error: BaseException) -> Failure:
        """Return the failure of the cell by an error."""
        where = f"{self.parent.shown_path}, code cell {self.cell_num}"
        source = textwrap.indent(self.cell.source, "  | ", lambda _: True)
        if isinstance(error, BadTagError | NothingComparedError):
            return Failure(str(error), f"{where}: {error}")
        if isinstance(error, EarlierCellError):
            text = f"{where} was not run, as it comes after a cell that failed.\n{error}"
            return Failure(f"not run: {error}", text)
        if isinstance(error, CaughtMissError):
            summary, *others = str(error).splitlines()
            lines = [summary, *others, "The code of the cell has caught this error."]
            return Failure(summary, "\n".join([f"{where}:", source, "", *lines]))
        is_of_cell = isinstance(error, NbCellError)
        problem = self._problem(error) if is_of_cell else Failure(*[error_line(error)] * 2)
        is_recording = self.parent.mode in ("record", "refresh")
        end = "\n\nThe notebook was left as it is." if is_recording else ""
        return Failure(problem.summary, f"{where}:\n{source}\n\n{problem.text}{end}")

    def reportinfo(self):  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the location of the cell for pytest."""
        return self.path, None, f"{self.parent.shown_path}: {self.name}"

    def _drop_saved(self) -> None:
        """Drop saved outputs that will be replaced: they are not compared."""
        self.options["check"] = False
        self.cell.outputs = []

    def _sanitized(self, outputs) -> list:
        """Apply the patterns of --nbval-sanitize-with."""
        return self.sanitize_outputs(outputs) if self.parent.sanitize_patterns else outputs

    def _problem(self, error: NbCellError) -> Failure:
        mode, accept = self.parent.mode, self.parent.accept
        if self._timed_out_here:
            head = f"The cell took longer than {self.timeout:g} s and was interrupted."
            return Failure(head, f"{head}\n{timeout_hint(self.tags, self.timeout)}")
        if str(error) == _DIFFERS:
            text = str(error.inner_traceback)
            last = f"\nTo accept: {accept}" if mode == "replay" else ""
            return Failure(difference_summary(text), text + last)
        errors = [o for o in self.test_outputs or [] if o["output_type"] == "error"]
        if not errors or not error.inner_traceback:
            return Failure(*[str(error)] * 2)
        head, summary, *lines = error_lines(errors[-1])
        return Failure(summary, "\n".join([head, summary, *lines]))

    def _add_to_report(self) -> None:
        """Attach the cell to the test report, which reaches the process that writes the page."""
        if self.config.getoption("chatnb_html") and not self.options["skip"]:
            data = {
                "notebook": self.parent.shown_path,
                "cell": self.cell_num,
                "source": self.cell.source,
                "old": readable(self.saved_outputs, self.mask),
                "new": readable(self.test_outputs or [], self.mask),
                "old_images": images(self.saved_outputs),
                "new_images": images(self.test_outputs or []),
                "compared": bool(self.options["check"]) or self.parent.mode != "replay",
            }
            self.user_properties.append(("chatnb", data))


class CaughtMissError(Exception):
    """A request has no reply in the cassette, and the code of the cell has caught the error."""


class EarlierCellError(Exception):
    """A cell failed that a selected one comes after."""


class NothingComparedError(Exception):
    """A notebook was run without any comparison."""


def _type_difference(old, new) -> str:
    was, now = set(structure(old)), set(structure(new))
    if was == now:
        return ""
    lines = [
        *(f"- {type}" for type in sorted(was - now)),
        *(f"+ {type}" for type in sorted(now - was)),
    ]
    return "\n".join(["The types of output differ (- in the notebook, + live):", *lines])
