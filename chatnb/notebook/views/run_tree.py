"""The tree of a run's log: watched live, opened from a log, or from a file."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from chatnb.notebook.views.places import is_watched_here, with_view
from chatnb.notebook.views.run_tree_ending import closing_patch
from chatnb.notebook.views.run_tree_static import run_tree_bundle
from chatnb.notebook.views.run_tree_wire import RunTreeWire
from chatnb.runnables.loop_thread import package_loop
from chatnb.schema.run_log import RunLog, RunLogPatch

if TYPE_CHECKING:
    from chatnb.notebook.views.run_tree_view import RunTreeView

_SLICE_SECONDS = 0.1
"""How often a waiting cell wakes, so that an interrupt lands at once."""
_LAST_WORDS_SECONDS = 5.0
"""How long a stopped run may take to let go of what it holds."""


class RunLogTree:
    """The tree of a run's log: as the last line of a cell it shows itself.

    In a notebook it is live and can be rewound to any patch; what is saved with the notebook, and
    what programs that run notebooks get, is a static tree.

    Args:
        source: What `astream_log` gives, which begins at once and goes on beside the cell; a
            `RunLog`; or the path of a file that `RunLog.save` wrote.

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

    def __init__(
        self, source: AsyncIterator[RunLogPatch] | RunLog | str | os.PathLike[str]
    ) -> None:
        self._patches: list[RunLogPatch] = []
        self._wire = RunTreeWire()
        self._view: RunTreeView | None = None
        self._place = uuid4().hex
        self._display_ids: list[str] = []
        self._task: asyncio.Task[Any] | None = None
        self._stop_asked = False
        self._running: Future[None] | None = None
        if isinstance(source, str | os.PathLike):
            source = RunLog.load(source)
        if isinstance(source, RunLog):
            for patch in source.patches:
                self._keep(patch)
        elif isinstance(source, AsyncIterator):  # pyright: ignore[reportUnnecessaryIsInstance]
            self._running = package_loop.submit(self._follow(source))
        else:
            raise TypeError(f"A tree is of astream_log(...), a RunLog or a file, not {source!r}")

    @property
    def log(self) -> RunLog:
        """The log so far, as one of its own."""
        return RunLog(*self._patches)

    def __repr__(self) -> str:
        return run_tree_bundle(self.log)["text/plain"]

    async def wait(self) -> None:
        """Wait for the run to end; interrupting the wait stops the run.

        Raises:
            Exception: What the run failed with.
        """
        if self._running is not None:
            ending = asyncio.wrap_future(self._running)
            try:
                while not ending.done():
                    await asyncio.wait({ending}, timeout=_SLICE_SECONDS)
            except (asyncio.CancelledError, KeyboardInterrupt):
                self._last_words()
                raise
            ending.result()

    def stop(self) -> None:
        """End the run here and close its connections; safe from any thread, at any time."""
        self._stop_asked = True
        task = self._task
        if task is not None:
            task.get_loop().call_soon_threadsafe(task.cancel)

    def close(self) -> None:
        """Stop the run if it goes on, and leave the static tree in the widget's place."""
        self._last_words()
        view, self._view = self._view, None
        if view is not None:
            self._update()
            view.retire()

    def _ipython_display_(self) -> None:
        """Show the tree: what IPython calls for a cell's last line."""
        from IPython.display import publish_display_data

        if not is_watched_here():
            self._wait_here()
            publish_display_data(run_tree_bundle(self.log))
            return
        view, self._view = self._view, self._view or self._new_view()
        self._display_ids.append(uuid4().hex)
        publish_display_data(self._bundle(), transient={"display_id": self._display_ids[-1]})
        if view is None:
            self._follow_to_the_end(self._view)

    def _new_view(self) -> RunTreeView:
        from chatnb.notebook.views.run_tree_view import RunTreeView

        live = self._running is not None and not self._running.done()
        return RunTreeView(self._wire, self._place, self.stop, live=live)

    def _follow_to_the_end(self, view: RunTreeView) -> None:
        if self._running is not None and view.phase != "ended":
            # Also where it has ended by now: who comes late is told at once.
            self._running.add_done_callback(lambda _: self._show_end(view))

    def _bundle(self) -> dict[str, Any]:
        bundle = run_tree_bundle(self.log, self._place if self._view else "")
        return with_view(bundle, self._view)

    def _update(self) -> None:
        from IPython.display import publish_display_data

        for display_id in self._display_ids:
            publish_display_data(self._bundle(), transient={"display_id": display_id}, update=True)

    def _show_end(self, view: RunTreeView) -> None:
        """Tell the browser of the end, and put the whole static tree beside the widget."""
        if self._view is not view:
            return
        view.end()
        self._update()

    def _wait_here(self) -> None:
        """Block until the run has ended, in slices in which an interrupt can land."""
        while self._running is not None and not self._running.done():
            try:
                self._running.exception(_SLICE_SECONDS)
            except TimeoutError:
                continue
            except KeyboardInterrupt:
                self._last_words()
                raise

    def _last_words(self) -> None:
        if self._running is None or self._running.done():
            return
        self.stop()
        try:
            self._running.exception(_LAST_WORDS_SECONDS)
        except TimeoutError:
            sys.stderr.write("chatnb: the run that was stopped has not ended yet.\n")

    async def _follow(self, patches: AsyncIterator[RunLogPatch]) -> None:
        """Take the patches one by one; on the package's loop."""
        self._task = asyncio.current_task()
        try:
            if self._stop_asked:
                raise asyncio.CancelledError
            async for patch in patches:
                self._take(_checked(patch))
        except asyncio.CancelledError as error:
            self._break_off(error)
        except Exception as error:
            self._break_off(error)
            raise
        finally:
            close = getattr(patches, "aclose", None)
            if close is not None:
                await close()

    def _take(self, patch: RunLogPatch) -> None:
        self._keep(patch)
        if self._view is not None:
            self._view.wake()

    def _keep(self, patch: RunLogPatch) -> None:
        self._wire.push(patch)
        self._patches.append(patch)

    def _break_off(self, error: BaseException) -> None:
        """Close what the log leaves open: whoever closes a stream gets no more of its patches."""
        patch = closing_patch(self.log, error, datetime.now(UTC))
        if patch is not None:
            self._take(patch)


def _checked(patch: object) -> RunLogPatch:
    if not isinstance(patch, RunLogPatch):
        raise TypeError(
            f"A tree is drawn from patches, not from a {type(patch).__name__}; "
            "call astream_log without diff=False"
        )
    return patch
