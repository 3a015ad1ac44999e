"""The tree of a run log: live, from a finished log, or from a file."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

from chatnb.concurrency.portal import package_portal
from chatnb.concurrency.threads import start_thread
from chatnb.concurrency.waiting import Ok, Promise, await_done, post, resolve, wait
from chatnb.markdown.mimebundle import Mimebundle
from chatnb.notebook.run_tree.static import run_tree_mimebundle, run_tree_text
from chatnb.notebook.run_tree.widget import RunTreeView
from chatnb.notebook.widgets.base import ComputedTrait, WidgetOutputs
from chatnb.notebook.widgets.front_end import current_view
from chatnb.schema.json_patch import escape_key
from chatnb.schema.run_logs.log import RunLog, RunLogPatch
from chatnb.schema.run_logs.state import RunFailure
from chatnb.schema.run_logs.tree import run_rows
from chatnb.terminal import write_text
from chatnb.tracing.run import failure_from_exception
from chatnb.tracing.run_logs import holds_events, load_run_logs

# The time a stopped run has to close its connections and files.
_STOP_SECONDS = 5.0


class RunLogTree(RunTreeView):
    """The tree of a run's log: as the last line of a cell it shows itself.

    In a notebook it is live and can be rewound to any patch; what is saved with the notebook, and
    what programs that run notebooks get, is a static tree.

    Args:
        source: What `astream_log` gives, which begins at once and goes on beside the cell; a
            `RunLog`; or the path of a file that `RunLog.save` wrote, or a `JSONLHandler`, whose
            last run is shown (`chatnb.tracing.load_run_logs` returns all).

    Raises:
        TypeError: If the source is none of these.
        OSError: If the file cannot be read.
        ValueError: If it is not the file of a log.

    Example:
        >>> first = {"id": "r", "streamed_output": [], "final_output": None, "logs": {}}
        >>> RunLogTree(RunLog(RunLogPatch({"op": "replace", "path": "", "value": first})))
        Run · chain · running
        1 run
    """

    busy = ComputedTrait[bool](lambda tree: tree._is_running())
    """True while the run goes on."""
    value = ComputedTrait[Any](lambda tree: tree._log.state.get("final_output"))
    """The final output of the run, None before."""

    def __init__(
        self, source: AsyncIterator[RunLogPatch] | RunLog | str | os.PathLike[str]
    ) -> None:
        super().__init__()
        self._log = RunLog()
        self._outputs = WidgetOutputs(self)
        self._stop_source: Callable[[], object] | None = None
        self._stopped = False
        self._running: Promise[None] | None = None
        if isinstance(source, str | os.PathLike):
            source = _loaded(source)
        if isinstance(source, RunLog):
            for patch in source.patches:
                self._keep(patch)
            self.length = len(self._updates)
        elif isinstance(source, AsyncIterator):  # pyright: ignore[reportUnnecessaryIsInstance]
            self.phase = "live"
            self._running = package_portal.submit(self._follow(source))
            self._running.add_done_callback(lambda _: self._show_end())
        else:
            raise TypeError(f"A tree is of astream_log(...), a RunLog or a file, not {source!r}")

    @classmethod
    def of_turn(cls, stop: Callable[[], object]) -> RunLogTree:
        """Return the tree of a turn, which calls `append` and `end` on the package's event loop.

        Args:
            stop: Called by the tree's Stop button.
        """
        tree = cls(RunLog())
        tree._running, tree._stop_source, tree.phase = Promise(), stop, "live"
        tree._running.add_done_callback(lambda _: tree._show_end())
        return tree

    @property
    def log(self) -> RunLog:
        """The log so far, as one of its own."""
        return RunLog(*self._log.patches)

    def __repr__(self) -> str:
        return run_tree_text(self.log)

    async def wait(self) -> None:
        """Wait for the run to end; interrupting the wait stops the run.

        Raises:
            Exception: What the run failed with.
        """
        if self._running is None:
            return
        try:
            await await_done(self._running, self.stop)
        except (asyncio.CancelledError, KeyboardInterrupt):
            # The run may be ending on this very loop, so nothing here may block.
            loop = asyncio.get_running_loop()
            ended: asyncio.Future[None] = loop.create_future()
            self._running.add_done_callback(lambda _: post(loop, resolve, ended, None))
            await asyncio.wait({ended}, timeout=_STOP_SECONDS)
            raise

    def stop(self) -> None:
        """End the run here and close its connections; safe from any thread, at any time."""
        if self._stopped:
            return  # A second cancellation would interrupt the closing of the connections.
        self._stopped = True
        if self._stop_source is not None:
            self._stop_source()

    def close(self) -> None:
        """Stop the run if it goes on, and leave the static tree in the widget's place."""
        self._stop_and_wait()
        if self.comm is not None:
            self._outputs.update("static")
            super().close()

    def static_mimebundle(self, mount: str = "") -> Mimebundle:
        """Return the static tree as far as it has come, for the mount point `mount` of a widget."""
        return run_tree_mimebundle(self.log, mount)

    def publish(self) -> None:
        """Show the tree as far as it has come, as an output of the running cell."""
        self._outputs.publish()

    def _ipython_display_(self) -> None:
        if self._running is not None and current_view() != "live":
            wait(self._running, self._stop_and_wait)
        self.publish()

    def _is_running(self) -> bool:
        return self._running is not None and not self._running.done()

    def _show_end(self) -> None:
        if self.comm is None:
            self._sent = len(self._updates)  # Nobody is there to get it.
        self._send_end()
        self._outputs.update()
        start_thread(self.notify)  # Observers may block.

    def _stop_and_wait(self) -> None:
        if self._running is None or self._running.done():
            return
        self.stop()
        if not wait(self._running, timeout=_STOP_SECONDS):
            write_text("chatnb: the run that was stopped has not ended yet.\n", file=sys.stderr)

    def append(self, patch: RunLogPatch) -> None:
        """Add a `patch` of a live run."""
        self._keep(patch)
        if self.comm is not None:
            self.wake()

    def end(self) -> None:
        """End the tree of a turn; runs that have not ended by themselves were stopped."""
        assert self._running is not None
        try:
            self._end_open_runs(asyncio.CancelledError())
        finally:
            self._running.set(Ok(None))

    async def _follow(self, patches: AsyncIterator[RunLogPatch]) -> None:
        """Keep the patches of a live run; on the package's event loop."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        self._stop_source = lambda: post(loop, task.cancel)
        try:
            if self._stopped:
                raise asyncio.CancelledError
            async for patch in patches:
                self.append(_checked(patch))
        except asyncio.CancelledError as error:
            self._end_open_runs(error)
        except BaseException as error:
            self._end_open_runs(error)
            raise
        finally:
            close = getattr(patches, "aclose", None)
            if close is not None:
                await close()

    def _keep(self, patch: RunLogPatch) -> None:
        self._log.apply(patch)
        self._updates.push(patch)

    def _end_open_runs(self, error: BaseException) -> None:
        # A stream that is closed gives no patches about its end.
        patch = closing_patch(self._log, error, datetime.now(UTC))
        if patch is not None:
            self.append(patch)


def closing_patch(log: RunLog, error: BaseException, now: datetime) -> RunLogPatch | None:
    """Return the patch that ends every run that a log leaves open, or None without one."""
    time = now.isoformat(timespec="microseconds")
    rows = [row for row in run_rows(log.state, log.root) if row.status == "running"]
    if not rows:
        return None
    failure = failure_from_exception(error)
    ops = [op for row in rows if row.key is not None for op in _closing(row.key, time, failure)]
    if rows[0].key is None:
        ops += [
            {"op": "replace", "path": "/final_output", "value": None},
            {"op": "add", "path": "/error", "value": failure},
        ]
    return RunLogPatch(*ops, time=time, root={"end_time": time})


def _closing(key: str, time: str, failure: RunFailure) -> list[dict[str, Any]]:
    entry = f"/logs/{escape_key(key)}"
    fields = {"final_output": None, "end_time": time, "error": failure}
    return [
        {"op": "add", "path": f"{entry}/{name}", "value": value} for name, value in fields.items()
    ]


def _checked(patch: object) -> RunLogPatch:
    if not isinstance(patch, RunLogPatch):
        raise TypeError(
            f"A tree is drawn from patches, not from a {type(patch).__name__}; "
            "call astream_log without diff=False"
        )
    return patch


def _loaded(path: str | os.PathLike[str]) -> RunLog:
    """Return the log in a file; of the events of a handler, that of the last run."""
    if not holds_events(path):
        return RunLog.load(path)
    logs = load_run_logs(path)
    if not logs:
        raise ValueError(f"{os.fspath(path)} has events, but of no run the start.")
    return logs[-1]
