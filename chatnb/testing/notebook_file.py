"""A notebook under test: its cassette, its kernel, and its new outputs."""

# pyright: standard
# nbval has no types.

from __future__ import annotations

import shlex
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from nbval.cover import setup_coverage, teardown_coverage
from nbval.kernel import CURRENT_ENV_KERNEL_NAME
from nbval.plugin import IPyNbFile

from chatnb.testing.active import FILE_VARIABLE
from chatnb.testing.cassettes import MODE_VARIABLE
from chatnb.testing.folding import Folding
from chatnb.testing.misses import COMMAND_VARIABLE
from chatnb.testing.notebook_cell import NotebookCell
from chatnb.testing.notebook_kernel import NotebookKernel
from chatnb.testing.rewriting import rewrite

_STORE_VARIABLE = "CHATNB_STORE"
"""A test neither goes on with the conversations of this machine nor leaves its own there."""

_FINISH = """\
import sys
if "chatnb.testing.active" in sys.modules:
    sys.modules["chatnb.testing.active"].close_cassettes(prune={prune})
"""


class NotebookFile(IPyNbFile):
    """Collects the code cells of a notebook, which run in one kernel."""

    kernel: NotebookKernel | None

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.folding = Folding()
        self.running: NotebookCell | None = None
        self.ran: dict[int, NotebookCell] = {}
        self.died_in: int | None = None
        self.sanitize_patterns = OrderedDict()

    @property
    def mode(self) -> Literal["replay", "record", "refresh", "live"]:
        """What is done with the cassette."""
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

    @property
    def accept(self) -> str:
        """What to type to take the new outputs over."""
        return f"pytest --chatnb --chatnb-record {shlex.quote(self.shown_path)}"

    @property
    def shown_path(self) -> str:
        """The notebook's path as people type it."""
        folder = self.config.invocation_params.dir
        return (
            str(self.path.relative_to(folder))
            if self.path.is_relative_to(folder)
            else str(self.path)
        )

    def collect(self) -> Iterator[NotebookCell]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The code cells, with what their tags ask for."""
        for cell in super().collect():
            yield NotebookCell.from_parent(
                self,
                name=cell.name,
                cell_num=cell.cell_num,
                cell=cell.cell,
                options=cell.options,
            )

    def setup(self) -> None:
        """Start the kernel, and hand it the cassette."""
        options = self.config.option
        name = options.nbval_kernel_name or CURRENT_ENV_KERNEL_NAME
        environment = {
            FILE_VARIABLE: str(self.cassette),
            MODE_VARIABLE: "off" if self.mode == "live" else self.mode,
            COMMAND_VARIABLE: self.accept,
            _STORE_VARIABLE: ":memory:",
        }
        seconds = options.nbval_kernel_startup_timeout
        self.kernel = NotebookKernel(name, environment, str(self.path.parent), seconds)
        self.setup_sanitize_files()
        if getattr(options, "cov_source", None):
            setup_coverage(self.config, self.kernel, self.path)

    def get_kernel_message(self, timeout=None, stream="iopub"):
        """The next message that nbval is to see; it does not know the others."""
        while True:
            message = super().get_kernel_message(timeout=timeout, stream=stream)
            cell = self.running
            outputs = cell.test_outputs if cell is not None else None
            if outputs is None or self.folding.take(message, outputs):
                return message

    def teardown(self) -> None:
        """End the kernel; in a recording, keep what it has recorded and shown."""
        if self.kernel is None:
            return
        if self.kernel.is_alive():
            if self.mode in ("record", "refresh"):
                self._keep_recorded()
            if getattr(self.config.option, "cov_source", None):
                teardown_coverage(self.config, self.kernel)
            self.kernel.stop()

    def _keep_recorded(self) -> None:
        """All or nothing: half a notebook's outputs belong to no run."""
        cells = [cell for cell in self.nb.cells if cell.cell_type == "code"]
        if self.kernel is None or len(self.ran) < len(cells):
            return
        self.kernel.run_quietly(_FINISH.format(prune=True))
        rewrite(self.path, [self.ran[place].shown for place in range(len(cells))])
