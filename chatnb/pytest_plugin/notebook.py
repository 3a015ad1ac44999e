"""A notebook under test: its cassette, its kernel, its cells and their new outputs."""

# pyright: standard
# nbval has no types.

from __future__ import annotations

import copy
import os
import shlex
import textwrap
from collections import OrderedDict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from queue import Empty
from typing import Any, Literal, TypeAlias

import pytest
from nbval.cover import setup_coverage, teardown_coverage
from nbval.kernel import CURRENT_ENV_KERNEL_NAME
from nbval.plugin import IPyNbCell, IPyNbFile, NbCellError

from chatnb.cassettes.active import FILE_VARIABLE
from chatnb.cassettes.cassette import IGNORE_VARIABLE, MODE_VARIABLE
from chatnb.cassettes.requests import COMMAND_VARIABLE
from chatnb.chat_models.registry import key_variables
from chatnb.errors import error_line
from chatnb.pytest_plugin.cell_tags import (
    SKIP_REPLAY,
    BadTagError,
    is_exact,
    required_similarity,
    timeout_seconds,
)
from chatnb.pytest_plugin.failures import error_lines
from chatnb.pytest_plugin.files import BrokenNotebookError, check_notebook
from chatnb.pytest_plugin.kernel import KernelDiedError, NotebookKernel
from chatnb.pytest_plugin.notebook_writer import rewrite
from chatnb.pytest_plugin.notes import NOTE
from chatnb.pytest_plugin.outputs import (
    EXACT,
    OutputFolder,
    difference,
    facts_in,
    readable,
    structure,
)
from chatnb.pytest_plugin.verification import Verified, failure_text, verify
from chatnb.redaction import PLACEHOLDER_KEY
from chatnb.terminal import SafeText


class NotebookCell(IPyNbCell):
    """A code cell of a notebook under test."""

    parent: NotebookFile

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
    def timeout(self) -> float:
        """The seconds that the cell may take."""
        return timeout_seconds(self.tags, self.config.option.chatnb_timeout)

    def runtest(self) -> None:
        """Run the cell, and compare its outputs with the saved ones."""
        file = self.parent
        file.last_cell = self
        if file.mode == "replay" and SKIP_REPLAY in self.tags:
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
            file.died_in = self.cell_num
            self.raise_cell_error("The kernel died while this cell ran.")
        finally:
            file.running = None
            self._timed_out_here = file.timed_out and not was_late
            self._add_to_report()
        self.final_outputs = copy.deepcopy(
            self.test_outputs or []
        )  # Later cells may update displays.
        file.ran[self.cell_num] = self
        file.check_compared(self)

    def compare_outputs(self, test, ref, skip_compare=None) -> bool:
        """Return True for equal outputs; with live models only their types are compared."""
        self.parent.is_compared = True
        if self.parent.mode == "live":
            text = _type_difference(ref, test)
        else:
            pair = self._sanitized(ref), self._sanitized(test)
            facts = EXACT if self.is_exact else self.parent.facts
            text = difference(*pair, self.required_similarity, facts)
        self.comparison_traceback = [text]
        return not text

    def repr_failure(self, excinfo) -> str:
        """Return the text that pytest prints: the cell, the problem, and what to do."""
        # A plain str, since pytest-xdist sends no other.
        return str(SafeText(self._failure_text(excinfo.value)))

    def _failure_text(self, error: BaseException) -> str:
        where = f"{self.parent.shown_path}, code cell {self.cell_num}"
        source = textwrap.indent(self.cell.source, "  | ", lambda _: True)
        if isinstance(error, BadTagError | NothingComparedError):
            return f"{where}: {error}"
        if isinstance(error, EarlierCellError):
            return f"{where} was not run, as it comes after a cell that failed.\n{error}"
        if not isinstance(error, NbCellError):
            return f"{where}:\n{source}\n\n{error_line(error)}"
        return "\n".join([f"{where}:", source, "", *self._problem_lines(error)])

    def reportinfo(self):  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the location of the cell for pytest."""
        return self.path, None, f"{self.parent.shown_path}::Cell {self.cell_num}"

    def _drop_saved(self) -> None:
        """Drop saved outputs that will be replaced: they are not compared."""
        self.options["check"] = False
        self.cell.outputs = []

    def _sanitized(self, outputs) -> list:
        """Apply the patterns of --nbval-sanitize-with."""
        return self.sanitize_outputs(outputs) if self.parent.sanitize_patterns else outputs

    def _problem_lines(self, error: NbCellError) -> list[str]:
        mode, accept = self.parent.mode, self.parent.accept
        if self._timed_out_here:
            head = f"The cell took longer than {self.timeout:g} s and was interrupted."
            return [
                head,
                "Give it more time with --chatnb-timeout=SECONDS or a tag of its own.",
            ]
        if str(error) == "Cell outputs differ":
            last = {"replay": [f"To accept: {accept}"]}.get(mode, [])
            return [str(error.inner_traceback), *last]
        errors = [o for o in self.test_outputs or [] if o["output_type"] == "error"]
        if not errors or not error.inner_traceback:
            return [str(error)]
        kept = [] if mode in ("replay", "live") else ["", "The notebook was left as it is."]
        return [*error_lines(errors[-1]), *kept]

    def _add_to_report(self) -> None:
        """Attach the cell to the test report, which reaches the process that writes the page."""
        if self.config.getoption("chatnb_html"):
            data = {
                "notebook": self.parent.shown_path,
                "cell": self.cell_num,
                "source": self.cell.source,
                "old": readable(self.saved_outputs),
                "new": readable(self.test_outputs or []),
                "compared": bool(self.options["check"]) or self.parent.mode != "replay",
            }
            self.user_properties.append(("chatnb", data))


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


# A test neither continues the conversations of this machine nor adds its own.
_STORE_VARIABLE = "CHATNB_STORE"

Mode: TypeAlias = Literal["replay", "record", "refresh", "live"]

# Libraries report runs and fetch price lists on their own, which is no part of a notebook.
_NO_TELEMETRY = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}
# The time zone, and the order of sets.
_SAME_EACH_TIME = {"TZ": "UTC", "PYTHONHASHSEED": "0"}
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
        environment = {
            FILE_VARIABLE: str(self.cassette),
            MODE_VARIABLE: "off" if mode == "live" else mode,
            COMMAND_VARIABLE: self.accept,
            IGNORE_VARIABLE: "\n".join(options.chatnb_settings.ignore),
            _STORE_VARIABLE: ":memory:",
            **(_NO_TELEMETRY if mode != "live" else {}),
            **(_SAME_EACH_TIME if clock else {}),
            **_placeholder_keys(mode),
        }
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


def _placeholder_keys(mode: Mode) -> dict[str, str]:
    """Return keys with which clients can be made: in a replay, also in place of real ones."""
    if mode == "live":
        return {}
    # Hugging Face serves most files to those without a token, and to none with a wrong one.
    optional = () if mode == "replay" else ("HF_TOKEN", "HUGGINGFACEHUB_API_TOKEN")
    wanted = (name for name in key_variables() if name not in optional)
    unset = [name for name in wanted if mode == "replay" or not os.environ.get(name)]
    return {name: f"{PLACEHOLDER_KEY}{name}" for name in unset}
