"""A notebook under test: its cassette, its kernel, its cells and their new outputs."""

# pyright: standard
# nbval has no types.

from __future__ import annotations

import copy
import os
import shlex
import subprocess
import textwrap
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from tempfile import TemporaryDirectory
from typing import Any, Literal

import pytest
from jupyter_client.manager import KernelManager
from nbval.cover import setup_coverage, teardown_coverage
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, NbvalKernelspecManager, RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile, NbCellError

from chatnb.cassettes.active import FILE_VARIABLE
from chatnb.cassettes.cassette import MODE_VARIABLE
from chatnb.cassettes.requests import COMMAND_VARIABLE
from chatnb.chat_models.registry import key_variables
from chatnb.errors import error_line
from chatnb.pytest_plugin.failures import error_lines
from chatnb.pytest_plugin.notebook_writer import rewrite
from chatnb.pytest_plugin.outputs import OutputFolder, difference, readable, structure
from chatnb.redaction import PLACEHOLDER_KEY
from chatnb.terminal import SafeText

# Seconds between two checks that the kernel is alive.
_POLL_SECONDS = 0.5
_QUIET_SECONDS = 60


class KernelDiedError(Exception):
    """The kernel ended while a cell ran."""


class KernelCodeError(Exception):
    """Code of the plugin failed in the kernel."""


class NotebookKernel(RunningKernel):
    """A kernel whose death is noticed while a cell runs."""

    def __init__(
        self, kernel_name: str, environment: Mapping[str, str], cwd: str, startup_timeout: Any
    ) -> None:
        # Not as nbval does it: another process may take a TCP port that was free a moment ago,
        # where many notebooks run at once, and then the kernel dies.
        self._sockets = TemporaryDirectory(prefix="chatnb-", ignore_cleanup_errors=True)
        local = {"transport": "ipc", "ip": str(Path(self._sockets.name, "kernel"))}
        self.km = KernelManager(
            kernel_name=kernel_name,
            kernel_spec_manager=NbvalKernelspecManager(),
            **(local if os.name == "posix" else {}),
        )
        with _environment(environment):
            self.km.start_kernel(stderr=subprocess.DEVNULL, cwd=cwd)
        self.kc = self.km.client()
        self.kc.start_channels()
        try:
            self.kc.wait_for_ready(timeout=startup_timeout)
        except RuntimeError:
            self.stop()
            raise
        self._ensure_iopub_up()

    def stop(self):
        """End the process, and remove its sockets."""
        super().stop()
        self._sockets.cleanup()

    def await_reply(self, msg_id, timeout=None):
        """Wait for the end of a cell; raise Empty at a timeout, KernelDiedError if it died."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                return super().await_reply(msg_id, timeout=_POLL_SECONDS)
            except Empty:
                if not self.is_alive():
                    raise KernelDiedError from None
                if deadline is not None and time.monotonic() > deadline:
                    raise

    def run_quietly(self, code: str) -> None:
        """Run code that has no output; raise KernelCodeError if it fails."""
        msg_id = self.kc.execute(code, silent=True, store_history=False)
        while True:
            reply = self.kc.get_shell_msg(timeout=_QUIET_SECONDS)
            if reply["parent_header"].get("msg_id") == msg_id:
                break
        if reply["content"]["status"] != "ok":
            raise KernelCodeError(f"{reply['content']['ename']}: {reply['content']['evalue']}")


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables of this process: a kernel inherits them, and nbval cannot pass any."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


_APPROX = "chatnb-approx"
_SKIP_REPLAY = "chatnb-skip-replay"
_DEFAULT_SIMILARITY = 0.8


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

    def runtest(self) -> None:
        """Run the cell, and compare its outputs with the saved ones."""
        file = self.parent
        if file.mode == "replay" and _SKIP_REPLAY in self.tags:
            pytest.skip(f"tagged {_SKIP_REPLAY}")
        if file.died_in is not None:
            pytest.skip(f"the kernel died in cell {file.died_in}")
        self._approx = _required_similarity(self.tags)
        self.config.option.nbval_cell_timeout = self.config.option.chatnb_timeout
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

    def compare_outputs(self, test, ref, skip_compare=None) -> bool:
        """Return True for equal outputs; with live models only their types are compared."""
        if self.parent.mode == "live":
            text = _type_difference(ref, test)
        else:
            text = difference(self._sanitized(ref), self._sanitized(test), self._approx)
        self.comparison_traceback = [text]
        return not text

    def repr_failure(self, excinfo) -> str:
        """Return the text that pytest prints: the cell, the problem, and what to do."""
        # A plain str, since pytest-xdist sends no other.
        return str(SafeText(self._failure_text(excinfo.value)))

    def _failure_text(self, error: BaseException) -> str:
        where = f"{self.parent.shown_path}, code cell {self.cell_num}"
        source = textwrap.indent(self.cell.source, "  | ", lambda _: True)
        if isinstance(error, _BadTagError):
            return f"{where}: {error}"
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
            limit = self.config.option.chatnb_timeout
            head = f"The cell took longer than {limit:g} s and was interrupted."
            return [head, "Give it more time with --chatnb-timeout=SECONDS."]
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


class _BadTagError(Exception):
    """A tag of a cell is invalid."""


def _required_similarity(tags: list[str]) -> float | None:
    for tag in tags:
        name, _, bound = str(tag).partition("=")
        if name != _APPROX:
            continue
        try:
            similarity = float(bound) if bound else _DEFAULT_SIMILARITY
        except ValueError:
            similarity = -1.0
        if not 0 <= similarity <= 1:
            raise _BadTagError(f"the tag {tag!r} takes a number from 0 to 1, as in {_APPROX}=0.8")
        return similarity
    return None


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

_IN_KERNEL = "import chatnb.pytest_plugin.in_kernel as _chatnb; _chatnb.{call}; del _chatnb"


class NotebookFile(IPyNbFile):
    """A notebook under test: it collects the code cells, which run in one kernel."""

    kernel: NotebookKernel | None

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.folder = OutputFolder()
        self.running: NotebookCell | None = None
        self.ran: dict[int, NotebookCell] = {}
        self.died_in: int | None = None
        self.sanitize_patterns = OrderedDict()

    @property
    def mode(self) -> Literal["replay", "record", "refresh", "live"]:
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

    @property
    def allowed_hosts(self) -> list[str]:
        """The hosts of --chatnb-allow-hosts."""
        given = ",".join(self.config.option.chatnb_allow_hosts)
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
        for cell in super().collect():
            yield NotebookCell.from_parent(
                self,
                name=cell.name,
                cell_num=cell.cell_num,
                cell=cell.cell,
                options=cell.options,
            )

    def setup(self) -> None:
        """Start the kernel with the cassette."""
        options = self.config.option
        name = options.nbval_kernel_name or CURRENT_ENV_KERNEL_NAME
        environment = {
            FILE_VARIABLE: str(self.cassette),
            MODE_VARIABLE: "off" if self.mode == "live" else self.mode,
            COMMAND_VARIABLE: self.accept,
            _STORE_VARIABLE: ":memory:",
            **self._placeholder_keys(),
        }
        seconds = options.nbval_kernel_startup_timeout
        self.kernel = NotebookKernel(name, environment, str(self.path.parent), seconds)
        if self.mode != "live":
            self._run_in_kernel(f"start({self.mode!r}, {self.allowed_hosts!r})")
        self.setup_sanitize_files()
        if getattr(options, "cov_source", None):
            setup_coverage(self.config, self.kernel, self.path)

    def _placeholder_keys(self) -> dict[str, str]:
        """Return keys with which clients can be made: in a replay, also in place of real ones."""
        if self.mode == "live":
            return {}
        # Hugging Face serves most files to those without a token, and to none with a wrong one.
        optional = () if self.mode == "replay" else ("HF_TOKEN", "HUGGINGFACEHUB_API_TOKEN")
        wanted = (name for name in key_variables() if name not in optional)
        unset = [n for n in wanted if self.mode == "replay" or not os.environ.get(n)]
        return {name: f"{PLACEHOLDER_KEY}{name}" for name in unset}

    def _run_in_kernel(self, call: str) -> None:
        assert self.kernel is not None
        self.kernel.run_quietly(_IN_KERNEL.format(call=call))

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
        self._run_in_kernel("finish(prune=True)")
        rewrite(self.path, [self.ran[index].final_outputs for index in range(len(cells))])
