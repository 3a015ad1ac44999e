"""A notebook under test: its cassette, its kernel, its cells and their new outputs."""

# pyright: standard
# nbval has no types.

from __future__ import annotations

import json
import shlex
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from queue import Empty
from typing import Any

import nbformat
import pytest
from nbval.cover import setup_coverage, teardown_coverage
from nbval.kernel import CURRENT_ENV_KERNEL_NAME
from nbval.plugin import IPyNbFile, find_comment_markers, find_metadata_tags

from chatnb.cassettes.entries import CassetteEntries
from chatnb.cassettes.recorded_clock import recorded_moment
from chatnb.errors import CassetteError
from chatnb.pytest_plugin.cell import EarlierCellError, NotebookCell, NothingComparedError
from chatnb.pytest_plugin.kernel import KernelCodeError, NotebookKernel, installed_kernels
from chatnb.pytest_plugin.kernel_coverage import coverage_config
from chatnb.pytest_plugin.kernel_variables import Mode, kernel_variables
from chatnb.pytest_plugin.masks.cell_masks import NotebookMasks
from chatnb.pytest_plugin.masks.learning import ReplyTexts
from chatnb.pytest_plugin.masks.other_conditions import other_environment, other_moment
from chatnb.pytest_plugin.masks.reply_texts import reply_texts
from chatnb.pytest_plugin.notebook_files.cell_names import cell_name, notebook_name
from chatnb.pytest_plugin.notebook_files.kept_outputs import (
    is_stripped,
    read_outputs,
    write_outputs,
)
from chatnb.pytest_plugin.notebook_files.parameters import TAG as PARAMETERS
from chatnb.pytest_plugin.notebook_files.parameters import (
    BadParameterError,
    cassette_suffix,
    with_parameters,
)
from chatnb.pytest_plugin.notebook_files.reading import (
    BrokenNotebookError,
    kernel_name,
    read_notebook,
)
from chatnb.pytest_plugin.notebook_files.text_notebooks import SUFFIXES
from chatnb.pytest_plugin.notebook_writer import rewrite, write_executed
from chatnb.pytest_plugin.one_test import NotebookTest
from chatnb.pytest_plugin.outputs import OutputFolder, difference, images, readable
from chatnb.pytest_plugin.reports.notes import (
    NOTE,
    REPEATED,
    UNREQUESTED,
    VARYING,
    repeated_note,
    unrequested_note,
)
from chatnb.pytest_plugin.reports.rejected_replies import (
    RECORDED,
    Recorded,
    calling_cells,
    read_text_before,
)
from chatnb.pytest_plugin.reports.review import CHANGE, Change
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
        self.last_cell: pytest.Item | None = None
        self.died_in: int | None = None
        self.has_failed = False
        self.cells: list[NotebookCell] = []
        self.next_cell = 0
        self.is_compared = False
        self._cassette_before: str | None = None
        self._requests_made = dict[int, int]()
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
        suffix = cassette_suffix(self.config.option.chatnb_parameters)
        return self.path.parent / "cassettes" / f"{self.path.stem}{suffix}.yaml"

    @cached_property
    def masks(self) -> NotebookMasks:
        """The parts of outputs that vary, as the cassette has them."""
        with suppress(CassetteError):  # The first call says what is the matter with the file.
            return NotebookMasks(self._entries().varies)
        return NotebookMasks()

    def _entries(self) -> CassetteEntries:
        entries = CassetteEntries(self.cassette)
        entries.load()
        return entries

    @property
    def allowed_hosts(self) -> list[str]:
        """The hosts of --chatnb-allow-hosts and of pyproject.toml."""
        options = self.config.option
        given = ",".join([*options.chatnb_allow_hosts, *options.chatnb_settings.allow_hosts])
        return [host.strip() for host in given.split(",") if host.strip()]

    @property
    def accept(self) -> str:
        """The command that accepts the new outputs."""
        given = self.config.option.chatnb_parameter
        parameters = [word for text in given for word in ("--chatnb-parameter", text)]
        return shlex.join(["pytest", "--chatnb", "--chatnb-record", *parameters, self.shown_path])

    @property
    def shown_path(self) -> str:
        """The path of the notebook, relative to the working directory."""
        return self._shown(self.path)

    def _shown(self, path: Path) -> str:
        folder = self.config.invocation_params.dir
        return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)

    def collect(self) -> Iterator[pytest.Item]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Yield the code cells with the options of their tags; or one test of them all."""
        self.nb = read_notebook(self.path, self.shown_path)
        code = [cell for cell in self.nb.cells if cell.cell_type == "code"]
        self._set_parameters(code)
        self._take_kept_outputs(code)
        self.cells = [self._cell(number, cell) for number, cell in enumerate(code)]
        if not self.config.option.chatnb_one_test:
            yield from self.cells
        elif self.cells:
            markdown = (cell.source for cell in self.nb.cells if cell.cell_type == "markdown")
            yield NotebookTest.from_parent(self, name=notebook_name(markdown))

    def _cell(self, number: int, cell: Any) -> NotebookCell:
        options = defaultdict(bool, find_metadata_tags(cell.metadata))
        options.update(find_comment_markers(cell.source))
        options.setdefault("check", True)
        name = cell_name(number, cell.source, cell.metadata)
        return NotebookCell.from_parent(
            self, name=name, cell_num=number, cell=cell, options=options
        )

    def _set_parameters(self, code: Sequence[Any]) -> None:
        """Set the parameters of --chatnb-parameter."""
        if not (parameters := self.config.option.chatnb_parameters):
            return
        tagged = [cell for cell in code if PARAMETERS in (cell.metadata.get("tags") or [])]
        if not tagged:
            raise BadParameterError(f"no cell is tagged {PARAMETERS!r}, so that it takes none.")
        tagged[0].source = with_parameters(tagged[0].source, parameters)

    def _take_kept_outputs(self, code: Sequence[Any]) -> None:
        """Take the outputs of the cassette for those of a notebook that is saved without."""
        if not self.keeps_outputs or (kept := read_outputs(self.cassette)) is None:
            return
        for number, cell in enumerate(code):
            # nbval compares only cells that have run.
            cell.execution_count = number + 1
            cell.outputs = nbformat.from_dict(kept.get(number, []))

    @cached_property
    def keeps_outputs(self) -> bool:
        """True if the outputs are in the cassette, and not in the notebook."""
        options = self.config.option
        if self.path.suffix in SUFFIXES or options.chatnb_parameters:
            return True
        setting = options.chatnb_settings.outputs
        return setting == "cassette" or (not setting and is_stripped(self.path))

    def repr_failure(self, excinfo):  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the text for a file that cannot be collected."""
        if isinstance(excinfo.value, BrokenNotebookError):
            return str(SafeText(str(excinfo.value)))
        if isinstance(excinfo.value, BadParameterError):
            return str(SafeText(f"{self.shown_path}: {excinfo.value}"))
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
            if text := failure_text(earlier.options, outputs) or self.take_miss():
                raise EarlierCellError(f"Code cell {earlier.cell_num}: {text}")
        self.next_cell = cell.cell_num + 1

    def check_compared(self, cell: NotebookCell) -> None:
        """Raise NothingComparedError after the last cell of a notebook without outputs."""
        if self.mode != "replay" or self.is_compared:
            return
        chosen = [item for item in self.session.items if item.parent is self]
        last = self.cells[-1] if self.config.option.chatnb_one_test else chosen[-1]
        is_last = last is cell
        if is_last and all(each.cell.execution_count is None for each in self.cells):
            raise NothingComparedError(
                f"Nothing was compared, as {self.shown_path} has no outputs. "
                f"To save them: {self.accept}"
            )

    def setup(self) -> None:
        """Start the kernel with the cassette."""
        if self._is_recording_reviewed:
            self._cassette_before = read_text_before(self.cassette)
        self.kernel = self._started_kernel(self.mode)
        self.setup_sanitize_files()
        if covered := coverage_config(self.config):
            setup_coverage(covered, self.kernel, self.path)

    @property
    def _has_recorded_clock(self) -> bool:
        return self.config.option.chatnb_clock == "recorded" and self.mode != "live"

    def _moment(self, mode: Mode) -> datetime | None:
        """Return the moment at which the clock begins in a mode; None for that of now."""
        if not self._has_recorded_clock:
            return None
        recorded = None if mode == "refresh" else recorded_moment(self.cassette)
        is_new = recorded is None and mode != "replay"
        return datetime.now(UTC).replace(microsecond=0) if is_new else recorded

    def _started_kernel(
        self, mode: Mode, elsewhere: Mapping[str, str] | None = None, days_later: int = 0
    ) -> NotebookKernel:
        """Start a kernel whose models are answered in a mode, as if elsewhere or later."""
        options = self.config.option
        clock, moment = self._has_recorded_clock, self._moment(mode)
        if elsewhere is not None:
            moment = other_moment(moment or datetime.now(UTC))
        if moment is not None:
            moment += timedelta(days=days_later)
        environment = kernel_variables(
            mode, self.cassette, self.accept, options.chatnb_settings.ignore, recorded_clock=clock
        )
        environment |= elsewhere or {}
        name = self._kernel_name()
        seconds = options.nbval_kernel_startup_timeout
        kernel = NotebookKernel(name, environment, str(self.path.parent), seconds)
        if mode != "live":
            given = (
                f"{mode!r}, allowed={self.allowed_hosts!r}, "
                f"moment={moment and moment.isoformat()!r}, elsewhere={elsewhere is not None}"
            )
            self._start_in_kernel(kernel, name, given)
        return kernel

    def _start_in_kernel(self, kernel: NotebookKernel, name: str, given: str) -> None:
        try:
            kernel.run_quietly(_IN_KERNEL.format(call=f"start({given})"))
        except KernelCodeError as error:
            kernel.stop()
            if name == CURRENT_ENV_KERNEL_NAME or "ModuleNotFoundError" not in str(error):
                raise
            raise KernelCodeError(
                f"The kernel {name!r} of {self.shown_path} cannot record ({error}). Install "
                '"chatnb[testing]" in its environment, or use this one with --nbval-current-env.'
            ) from None

    def _kernel_name(self) -> str:
        """Return the kernel of the notebook where it is installed, or that of this environment."""
        options = self.config.option
        if options.nbval_kernel_name:
            return options.nbval_kernel_name
        own = kernel_name(self.nb.metadata)
        if options.nbval_current_env or own in ("", "python3", "python"):
            return CURRENT_ENV_KERNEL_NAME
        return own if own in installed_kernels() else CURRENT_ENV_KERNEL_NAME

    def get_kernel_message(self, timeout=None, stream="iopub"):
        """Return the next message that nbval handles."""
        while True:
            message = super().get_kernel_message(timeout=timeout, stream=stream)
            cell = self.running
            outputs = cell.test_outputs if cell is not None else None
            if outputs is None or self.folder.apply(message, outputs):
                return message

    def teardown(self) -> None:
        """Stop the kernel, whatever happens; in a recording, save the recordings and outputs."""
        if self.kernel is None:
            return
        try:
            if folder := self.config.option.chatnb_executed:
                self._write_executed(Path(folder))
            if self.kernel.is_alive():
                self._finish()
        finally:
            if self.kernel.is_alive():
                self.kernel.stop()

    def _finish(self) -> None:
        """Save what was recorded, or look at what was not requested."""
        if self.mode in ("record", "refresh"):
            self._save_recorded()
        elif self.mode == "replay":
            self._check_calls()
        if coverage_config(self.config):
            teardown_coverage(self.config, self.kernel)

    def _save_recorded(self) -> None:
        """Save all outputs, or none: half of them belong to no run."""
        if self.kernel is None or len(self.ran) < len(self.cells):
            return
        self.kernel.run_quietly(_IN_KERNEL.format(call="finish(prune=True)"))
        ran: list[Any] = [self.ran[index] for index in range(len(self.cells))]
        replies = reply_texts(self.cassette) if self.cassette.exists() else ""
        with other_environment(self.path.parent) as variables:

            def start(*, elsewhere: bool = False, days_later: int = 0) -> NotebookKernel:
                return self._started_kernel("replay", variables if elsewhere else None, days_later)

            verified = verify(ran, start, ReplyTexts(replies), self.path.parent)
        if verified.masks or self.cassette.exists():
            self._entries().note_varying(verified.masks)
        if self.config.option.chatnb_review:
            self._offer_changes(verified)
        elif self.keeps_outputs:
            write_outputs(self.cassette, verified.outputs, verified.rules)
        else:
            rewrite(self.path, verified.outputs, verified.rules)
        for index, text in verified.notes.items():
            self._note(VARYING, f"{self.shown_path}, code cell {index} {text}")

    @property
    def _is_recording_reviewed(self) -> bool:
        """True if a person decides about what is recorded."""
        return self.mode in ("record", "refresh") and bool(self.config.option.chatnb_review)

    def take_miss(self) -> str:
        """Return the error of a request since the last time that has no reply; "" for none."""
        if self.mode != "replay" or self.kernel is None or self.timed_out:
            return ""
        return self.kernel.call("cassettes.misses", "take_miss")

    def note_requests(self, cell: NotebookCell) -> None:
        """Note how many requests there have been, so that the calls of a cell can be rejected."""
        if self.kernel is not None and self._is_recording_reviewed:
            numbers: list[int] = self.kernel.call("pytest_plugin.in_kernel", "request_numbers")
            self._requests_made[cell.cell_num] = max(numbers, default=0)

    def _offer_changes(self, verified: Verified) -> None:
        """Let a person decide about the cells whose outputs have changed by a recording."""
        assert self.last_cell is not None
        assert self.kernel is not None
        numbers: list[int] = self.kernel.call("pytest_plugin.in_kernel", "request_numbers")
        cells = calling_cells(numbers, self._requests_made)
        recorded = Recorded(self.shown_path, str(self.cassette), self._cassette_before, cells)
        self.last_cell.user_properties.append((RECORDED, list(recorded)))
        for cell, new in zip(self.cells, verified.outputs, strict=True):
            if difference(cell.saved_outputs, new, verified.rules[cell.cell_num]):
                change = self._change(cell, new)
                self.last_cell.user_properties.append((CHANGE, change))

    def offer_for_review(self, cell: NotebookCell, outputs: Sequence[Any]) -> None:
        """Let a person decide about new outputs, where that is wanted."""
        if self.config.option.chatnb_review:
            cell.user_properties.append((CHANGE, self._change(cell, outputs)))

    def _change(self, cell: NotebookCell, outputs: Sequence[Any]) -> Any:
        change = Change(
            file=str(self.cassette if self.keeps_outputs else self.path),
            is_cassette=self.keeps_outputs,
            notebook=self.shown_path,
            cell=cell.cell_num,
            name=cell.name,
            source=cell.cell.source,
            old=readable(cell.saved_outputs, cell.mask),
            new=readable(outputs, cell.mask),
            old_images=images(cell.saved_outputs),
            new_images=images(outputs),
            outputs=json.loads(json.dumps(outputs)),
        )
        return list(change)  # xdist sends plain data only.

    def _check_calls(self) -> None:
        """Say what a whole replay has requested more often than recorded, or not at all."""
        assert self.kernel is not None
        is_whole = len(self.ran) == len(self.cells) and not self.has_failed
        if not is_whole or any(cell.is_left_out_of_replays for cell in self.cells):
            return
        unrequested, repeated = self.kernel.call("pytest_plugin.in_kernel", "calls_unlike_recorded")
        cassette = self._shown(self.cassette)
        if repeated:
            self._note(REPEATED, repeated_note(cassette, repeated, self.accept))
        if not unrequested:
            return
        dropped = self.config.option.chatnb_prune
        if dropped:
            self.kernel.run_quietly(_IN_KERNEL.format(call="finish(prune=True)"))
        self._note(UNREQUESTED, unrequested_note(cassette, unrequested, dropped=dropped))

    def _write_executed(self, folder: Path) -> None:
        inside = self.path.is_relative_to(self.config.rootpath)
        name = self.path.relative_to(self.config.rootpath) if inside else Path(self.path.name)
        suffix = cassette_suffix(self.config.option.chatnb_parameters)
        ran = (cell for cell in self.cells if cell.test_outputs is not None)
        outputs: dict[int, list[Any]] = {cell.cell_num: cell.final_outputs for cell in ran}
        write_executed(folder / name.with_name(f"{name.stem}{suffix}.ipynb"), self.nb, outputs)

    def _note(self, heading: str, text: str) -> None:
        """Attach what is to be said after the run to the report of the last cell."""
        assert self.last_cell is not None
        self.last_cell.user_properties.append((f"{NOTE}{heading}", str(SafeText(text))))
