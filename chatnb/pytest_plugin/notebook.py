"""A notebook under test: its cassette, its kernel, its cells and their new outputs."""

# pyright: standard
# nbval has no types.

from __future__ import annotations

import shlex
from collections import OrderedDict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from queue import Empty
from typing import Any

from nbval.cover import setup_coverage, teardown_coverage
from nbval.kernel import CURRENT_ENV_KERNEL_NAME
from nbval.plugin import IPyNbFile

from chatnb.pytest_plugin.cell import EarlierCellError, NotebookCell, NothingComparedError
from chatnb.pytest_plugin.files import BrokenNotebookError, check_notebook
from chatnb.pytest_plugin.kernel import NotebookKernel
from chatnb.pytest_plugin.kernel_variables import Mode, kernel_variables
from chatnb.pytest_plugin.notebook_writer import rewrite
from chatnb.pytest_plugin.notes import NOTE
from chatnb.pytest_plugin.outputs import (
    OutputFolder,
    facts_in,
)
from chatnb.pytest_plugin.verification import Verified, failure_text, verify
from chatnb.terminal import SafeText

_IN_KERNEL = "import chatnb.pytest_plugin.in_kernel as _chatnb; _chatnb.{call}; del _chatnb"


class NotebookFile(IPyNbFile):
    """A notebook under test: it collects the code cells, which run in one kernel."""

    kernel: NotebookKernel | None

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.folder = OutputFolder()
        self.running: NotebookCell | None = None
        self.ran: dict[int, NotebookCell] = {}
        self.last_cell: NotebookCell | None = None
        self.died_in: int | None = None
        self.cells: list[NotebookCell] = []
        self.next_cell = 0
        self.is_compared = False
        self.sanitize_patterns = OrderedDict()

    @property
    def mode(self) -> Mode:
        """The mode of the cassette."""
        options = self.config.option
        if options.chatnb_live:
            return "live"
        if options.chatnb_refresh:
            return "refresh"
        return "record" if options.chatnb_record else "replay"

    @property
    def cassette(self) -> Path:
        """The cassette beside the notebook."""
        return self.path.parent / "cassettes" / f"{self.path.stem}.yaml"

    @cached_property
    def facts(self) -> frozenset[str]:
        """Texts of the recorded replies that look as if they varied."""
        try:
            return facts_in(self.cassette.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            return frozenset()

    @property
    def allowed_hosts(self) -> list[str]:
        """The hosts of --chatnb-allow-hosts and of pyproject.toml."""
        options = self.config.option
        given = ",".join([*options.chatnb_allow_hosts, *options.chatnb_settings.allow_hosts])
        return [host.strip() for host in given.split(",") if host.strip()]

    @property
    def accept(self) -> str:
        """The command that accepts the new outputs."""
        return f"pytest --chatnb --chatnb-record {shlex.quote(self.shown_path)}"

    @property
    def shown_path(self) -> str:
        """The path of the notebook, relative to the working directory."""
        folder = self.config.invocation_params.dir
        return (
            str(self.path.relative_to(folder))
            if self.path.is_relative_to(folder)
            else str(self.path)
        )

    def collect(self) -> Iterator[NotebookCell]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Yield the code cells with the options of their tags."""
        check_notebook(self.path, self.shown_path)
        self.cells = [
            NotebookCell.from_parent(
                self,
                name=cell.name,
                cell_num=cell.cell_num,
                cell=cell.cell,
                options=cell.options,
            )
            for cell in super().collect()
        ]
        yield from self.cells

    def repr_failure(self, excinfo):  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the text for a file that cannot be collected."""
        if isinstance(excinfo.value, BrokenNotebookError):
            return str(SafeText(str(excinfo.value)))
        return super().repr_failure(excinfo)

    def run_cells_before(self, cell: NotebookCell) -> None:
        """Run the cells before a selected one, which needs them, unless they have run."""
        assert self.kernel is not None
        for earlier in self.cells[self.next_cell : cell.cell_num]:
            if earlier.options["skip"] or (
                self.mode == "replay" and earlier.is_left_out_of_replays
            ):
                continue
            try:
                outputs = self.kernel.run_cell(earlier.cell.source, self.folder, earlier.timeout)
            except Empty:
                raise EarlierCellError(f"Code cell {earlier.cell_num} takes too long.") from None
            if text := failure_text(earlier.options, outputs):
                raise EarlierCellError(f"Code cell {earlier.cell_num}: {text}")
        self.next_cell = cell.cell_num + 1

    def check_compared(self, cell: NotebookCell) -> None:
        """Raise NothingComparedError after the last cell of a notebook without outputs."""
        if self.mode != "replay" or self.is_compared:
            return
        is_last = [item for item in self.session.items if item.parent is self][-1:] == [cell]
        if is_last and all(each.cell.execution_count is None for each in self.cells):
            raise NothingComparedError(
                f"Nothing was compared, as {self.shown_path} has no outputs. "
                f"To save them: {self.accept}"
            )

    def setup(self) -> None:
        """Start the kernel with the cassette."""
        self.kernel = self._started_kernel(self.mode)
        self.setup_sanitize_files()
        if getattr(self.config.option, "cov_source", None):
            setup_coverage(self.config, self.kernel, self.path)

    def _started_kernel(self, mode: Mode) -> NotebookKernel:
        """Start a kernel whose models are answered in a mode."""
        options = self.config.option
        clock = options.chatnb_clock == "recorded" and mode != "live"
        environment = kernel_variables(
            mode, self.cassette, self.accept, options.chatnb_settings.ignore, recorded_clock=clock
        )
        name = options.nbval_kernel_name or CURRENT_ENV_KERNEL_NAME
        seconds = options.nbval_kernel_startup_timeout
        kernel = NotebookKernel(name, environment, str(self.path.parent), seconds)
        if mode != "live":
            given = f"{mode!r}, allowed={self.allowed_hosts!r}, recorded_clock={clock}"
            kernel.run_quietly(_IN_KERNEL.format(call=f"start({given})"))
        return kernel

    def get_kernel_message(self, timeout=None, stream="iopub"):
        """Return the next message that nbval handles."""
        while True:
            message = super().get_kernel_message(timeout=timeout, stream=stream)
            cell = self.running
            outputs = cell.test_outputs if cell is not None else None
            if outputs is None or self.folder.apply(message, outputs):
                return message

    def teardown(self) -> None:
        """Stop the kernel; in a recording, save the recordings and outputs."""
        if self.kernel is None:
            return
        if self.kernel.is_alive():
            if self.mode in ("record", "refresh"):
                self._save_recorded()
            if getattr(self.config.option, "cov_source", None):
                teardown_coverage(self.config, self.kernel)
            self.kernel.stop()

    def _save_recorded(self) -> None:
        """Save all outputs, or none: half of them belong to no run."""
        cells = [cell for cell in self.nb.cells if cell.cell_type == "code"]
        if self.kernel is None or len(self.ran) < len(cells):
            return
        self.kernel.run_quietly(_IN_KERNEL.format(call="finish(prune=True)"))
        ran: list[Any] = [self.ran[index] for index in range(len(cells))]
        verified = verify(ran, lambda: self._started_kernel("replay"), self.facts)
        rewrite(self.path, verified.outputs, self.facts)
        self._note(verified)

    def _note(self, verified: Verified) -> None:
        """Attach what is to be said after the run to the report of the last cell."""
        assert self.last_cell is not None
        for index, text in verified.notes.items():
            note = f"{self.shown_path}, code cell {index} {text}"
            self.last_cell.user_properties.append((NOTE, str(SafeText(note))))
