"""A cell of a notebook under test: run by nbval, compared by what it shows."""

# pyright: standard
# nbval has no types.

from __future__ import annotations

import copy
import textwrap
from typing import TYPE_CHECKING

import pytest
from nbval.plugin import IPyNbCell, NbCellError

from chatnb.testing.normalising import normalised
from chatnb.testing.notebook_kernel import KernelDiedError
from chatnb.testing.outputs import difference, readable, structure

if TYPE_CHECKING:
    from chatnb.testing.notebook_file import NotebookFile

_APPROX = "chatnb-approx"
_SKIP_REPLAY = "chatnb-skip-replay"
_USUAL_LIKENESS = 0.8
_LONGEST_TRACEBACK = 30


class NotebookCell(IPyNbCell):
    """One code cell."""

    parent: NotebookFile

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.saved_outputs = list(self.cell.outputs)
        self.test_outputs: list | None = None
        self.shown: list = []
        tags = self.cell.metadata.get("tags", [])
        self.tags = tags if isinstance(tags, list) else []
        self._timed_out_here = False

    def runtest(self) -> None:
        """Run the cell, and compare what it shows with what is saved."""
        file = self.parent
        if file.mode == "replay" and _SKIP_REPLAY in self.tags:
            pytest.skip(f"tagged {_SKIP_REPLAY}")
        if file.died_in is not None:
            pytest.skip(f"the kernel died in cell {file.died_in}")
        self._approx = _likeness_asked(self.tags)
        self.config.option.nbval_cell_timeout = self.config.option.chatnb_timeout
        if file.mode in ("record", "refresh"):
            self._forget_saved()
        file.folding.begin()
        file.running = self
        was_late = file.timed_out
        try:
            super().runtest()
        except KernelDiedError:
            file.died_in = self.cell_num
            self.raise_cell_error("The kernel died while this cell ran.")
        finally:
            file.running = None
            self._timed_out_here = file.timed_out and not was_late
            self._tell_report()
        self.shown = copy.deepcopy(self.test_outputs or [])  # Later cells may update displays.
        file.ran[self.cell_num] = self

    def compare_outputs(self, test, ref, skip_compare=None) -> bool:
        """Compare outputs as nbval asks to, with streams joined; live, by their kinds alone."""
        if self.parent.mode == "live":
            said = _structural(ref, test)
        else:
            said = difference(self._sanitized(ref), self._sanitized(test), self._approx)
        self.comparison_traceback = [said]
        return not said

    def repr_failure(self, excinfo) -> str:
        """What pytest prints: the cell, what is the matter, and what to do."""
        error = excinfo.value
        where = f"{self.parent.shown_path}, code cell {self.cell_num}"
        source = textwrap.indent(self.cell.source, "  | ", lambda _: True)
        if isinstance(error, _BadTagError):
            return f"{where}: {error}"
        if not isinstance(error, NbCellError):
            return f"{where}:\n{source}\n\n{type(error).__name__}: {error}"
        return "\n".join([f"{where}:", source, "", *self._said(error)])

    def reportinfo(self):  # pyright: ignore[reportIncompatibleMethodOverride]
        """Where the cell is, for pytest's own lines."""
        return self.path, None, f"{self.parent.shown_path}::Cell {self.cell_num}"

    def _forget_saved(self) -> None:
        """What is to be replaced is not compared, nor refused for never having been run."""
        self.options["check"] = False
        self.cell.outputs = []

    def _sanitized(self, outputs) -> list:
        """With the patterns of --nbval-sanitize-with applied, which nbval keeps for texts."""
        return self.sanitize_outputs(outputs) if self.parent.sanitize_patterns else outputs

    def _said(self, error: NbCellError) -> list[str]:
        mode, accept = self.parent.mode, self.parent.accept
        if self._timed_out_here:
            limit = self.config.option.chatnb_timeout
            said = f"The cell took longer than {limit:g} s and was interrupted."
            return [said, "Give it more time with --chatnb-timeout=SECONDS."]
        if str(error) == "Cell outputs differ":
            last = {"replay": [f"To accept: {accept}"]}.get(mode, [])
            return [str(error.inner_traceback), *last]
        if not error.inner_traceback:
            return [str(error)]
        lines = normalised(error.inner_traceback).strip("\n").splitlines()
        shown = lines if len(lines) <= _LONGEST_TRACEBACK else ["...", *lines[-_LONGEST_TRACEBACK:]]
        kept = [] if mode in ("replay", "live") else ["The notebook was left as it is."]
        return ["The cell failed:", *shown, *kept]

    def _tell_report(self) -> None:
        """What the report shows of this cell; it travels with the test's outcome, so that it
        reaches the process that writes the report."""
        if self.config.getoption("chatnb_html"):
            told = {
                "notebook": self.parent.shown_path,
                "cell": self.cell_num,
                "source": self.cell.source,
                "old": readable(self.saved_outputs),
                "new": readable(self.test_outputs or []),
                "compared": bool(self.options["check"]) or self.parent.mode != "replay",
            }
            self.user_properties.append(("chatnb", told))


class _BadTagError(Exception):
    """A tag says something that cannot be done."""


def _likeness_asked(tags: list[str]) -> float | None:
    for tag in tags:
        name, _, bound = str(tag).partition("=")
        if name != _APPROX:
            continue
        try:
            likeness = float(bound) if bound else _USUAL_LIKENESS
        except ValueError:
            likeness = -1.0
        if not 0 <= likeness <= 1:
            raise _BadTagError(f"the tag {tag!r} takes a number from 0 to 1, as in {_APPROX}=0.8")
        return likeness
    return None


def _structural(old, new) -> str:
    was, now = set(structure(old)), set(structure(new))
    if was == now:
        return ""
    lines = [f"- {kind}" for kind in sorted(was - now)] + [
        f"+ {kind}" for kind in sorted(now - was)
    ]
    return "\n".join(["The cell shows other kinds of output (- in the notebook, + live):", *lines])
