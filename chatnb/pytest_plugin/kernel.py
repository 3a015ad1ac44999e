"""The kernel of a notebook under test."""

# pyright: standard
# nbval has no types.

from __future__ import annotations

import ast
import json
import os
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from nbformat import NotebookNode
from nbval.kernel import NbvalKernelspecManager, RunningKernel
from nbval.plugin import coalesce_streams

from chatnb.pytest_plugin.outputs import OUTPUT_FIELDS, OutputFolder

# Seconds between two checks that the kernel is alive.
_POLL_SECONDS = 0.5
_QUIET_SECONDS = 60
_TERMINATE_SECONDS = 3


class KernelDiedError(Exception):
    """The kernel ended while a cell ran."""


class KernelCodeError(Exception):
    """Code of the plugin failed in the kernel."""


def installed_kernels() -> Collection[str]:
    """Return the names of the kernels that Jupyter finds."""
    return KernelSpecManager().find_kernel_specs()


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
            self.km.start_kernel(
                stderr=subprocess.DEVNULL, cwd=cwd, extra_arguments=_history_arguments(self.km)
            )
        self.kc = self.km.client()
        self.kc.start_channels()
        try:
            self.kc.wait_for_ready(timeout=startup_timeout)
        except RuntimeError:
            self.stop()
            raise
        self._ensure_iopub_up()

    def stop(self):
        """End the process and those that its cells have started, and remove its sockets."""
        # The kernel is killed, so that it cannot end them itself: they would run for ever.
        started = _descendants(getattr(self.km.provisioner, "pid", None))
        super().stop()
        _end(started)
        self._sockets.cleanup()

    def execute_cell_input(self, cell_input, allow_stdin=None):
        """Run a cell, and return the id of its message."""
        # Not as nbval does it: without a history there are no In, Out and cells above.
        return self.kc.execute(
            cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False
        )

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
        content = self._reply(msg_id)
        if content["status"] != "ok":
            raise KernelCodeError(f"{content['ename']}: {content['evalue']}")

    def call(self, module: str, name: str) -> Any:
        """Return what a function of a module of chatnb returns in the kernel: plain data."""
        # IPython would shorten the text of a long list.
        found = f"__import__('chatnb.{module}', fromlist=['']).{name}()"
        expressions = {"value": f"__import__('json').dumps({found})"}
        msg_id = self.kc.execute("", silent=True, store_history=False, user_expressions=expressions)
        value = self._reply(msg_id)["user_expressions"]["value"]
        if value["status"] != "ok":
            raise KernelCodeError(f"{value['ename']}: {value['evalue']}")
        return json.loads(ast.literal_eval(value["data"]["text/plain"]))

    def _reply(self, msg_id: str) -> dict[str, Any]:
        while True:
            reply = self.kc.get_shell_msg(timeout=_QUIET_SECONDS)
            if reply["parent_header"].get("msg_id") == msg_id:
                return reply["content"]

    def run_cell(self, source: str, folder: OutputFolder, timeout: float) -> list[Any]:
        """Run a cell, and return its outputs.

        Raises:
            Empty: If it takes longer than the timeout.
            KernelDiedError: If the kernel dies.
        """
        folder.begin_cell()
        outputs = list[Any]()
        msg_id = self.execute_cell_input(source, allow_stdin=False)
        self.await_reply(msg_id, timeout=timeout)
        while True:
            message = self.get_message("iopub", timeout=_QUIET_SECONDS)
            if not folder.apply(message, outputs) or not _is_part_of(message, msg_id):
                continue
            type, content = message["msg_type"], message["content"]
            if type == "status" and content["execution_state"] == "idle":
                return coalesce_streams(outputs)
            if fields := OUTPUT_FIELDS.get(type):
                output = {name: content[name] for name in fields}
                outputs.append(NotebookNode(output_type=type, **output))


def _history_arguments(manager: KernelManager) -> list[str]:
    """Return what keeps the history of IPython in memory: kernels may run side by side."""
    spec = manager.kernel_spec
    is_ipython = spec is not None and any("ipykernel" in word for word in spec.argv)
    return ["--HistoryManager.hist_file=:memory:"] if is_ipython else []


def _is_part_of(message: Mapping[str, Any], msg_id: str) -> bool:
    return message["parent_header"].get("msg_id") == msg_id


def _descendants(pid: int | None) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True) if pid is not None else []
    except psutil.NoSuchProcess:
        return []


def _end(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=_TERMINATE_SECONDS)
    for process in alive:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            process.kill()


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
