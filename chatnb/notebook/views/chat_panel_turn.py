"""A turn of a panel, as code sees it that asked for it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any

from chatnb.notebook.views.finished import reply_bundle
from chatnb.notebook.waiting import awaited, wait_for
from chatnb.schema.messages import AIMessage


class PanelTurn:
    """A question to a panel and its answer, which comes in the background.

    `await turn` gives the answer, and so does `turn.result()` where nothing can be awaited. An
    answer that was stopped is what had come of it; one that failed raises what went wrong.

    Args:
        put: Writes the question into the conversation, and gives its id.
        stop: Ends the answer.
        attended: Whether a person can be asked about tool calls.
    """

    def __init__(
        self, put: Callable[[], str], stop: Callable[[], None], *, attended: bool = True
    ) -> None:
        self.put = put
        self.attended = attended
        self._stop = stop
        self._answer: Future[AIMessage] = Future()

    def __repr__(self) -> str:
        return "<a turn of a ChatPanel: await it, or call its result()>"

    def __await__(self) -> Generator[Any, None, AIMessage]:
        return awaited(self._answer, self.stop).__await__()

    @property
    def done(self) -> bool:
        """Whether the answer has ended."""
        return self._answer.done()

    def stop(self) -> None:
        """End the answer here; what has come of it stays. Safe from any thread, at any time."""
        self._stop()

    def result(self, timeout: float | None = None) -> AIMessage:
        """Block until the answer has ended; an interrupt stops it.

        Args:
            timeout: The most seconds to wait.

        Returns:
            The answer.

        Raises:
            TimeoutError: If it takes longer.
            Exception: What went wrong.
        """
        if not wait_for(self._answer, self.stop, timeout):
            raise TimeoutError(f"No answer within {timeout} s")
        return self._answer.result()

    def settle(self) -> None:
        """Block until the answer has ended, well or not; an interrupt stops it."""
        wait_for(self._answer, self.stop)

    def end(self, answer: AIMessage) -> None:
        """Give the answer."""
        if not self.done:
            self._answer.set_result(answer)

    def fail(self, error: Exception) -> None:
        """Say that there is none, and why."""
        if not self.done:
            self._answer.set_exception(error)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What a cell shows that ends with it: the answer where nobody watches the panel."""
        if self.attended:
            return {"text/plain": repr(self)}
        try:
            return reply_bundle(self.result().text)
        except Exception as error:
            return {"text/plain": f"{type(error).__name__}: {error}"}


def end_with_the_cell(turn: PanelTurn) -> None:
    """Have the cell that runs now end no sooner than a turn: nobody waits for what comes later."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is None or getattr(shell, "kernel", None) is None:
        return

    def wait(*_: object) -> None:
        shell.events.unregister("post_run_cell", wait)
        turn.settle()

    shell.events.register("post_run_cell", wait)
