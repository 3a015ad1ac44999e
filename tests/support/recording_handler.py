"""A handler that keeps what it is told."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from chatnb.tracing import Run


class Told(NamedTuple):
    """One thing that a handler was told."""

    event: str
    run: Run
    more: tuple[Any, ...] = ()


class Recorder:
    """Keeps all that it is told, in order."""

    def __init__(self) -> None:
        self.told = list[Told]()
        self._changed = threading.Condition()

    def on_start(self, run: Run) -> None:
        self._keep("start", run)

    def on_token(self, run: Run, chunk: Any) -> None:
        self._keep("token", run, chunk.text)

    def on_retry(self, run: Run, attempt: int, error: BaseException, pause: float) -> None:
        self._keep("retry", run, attempt, str(error), pause)

    def on_end(self, run: Run) -> None:
        self._keep("end", run)

    def on_error(self, run: Run) -> None:
        self._keep("error", run)

    def wait_until_ended(self) -> bool:
        """Wait until every run has ended, also those on threads that start late."""
        with self._changed:
            return self._changed.wait_for(self.ends_each_run_once, 60)

    def runs(self) -> list[Run]:
        """The runs, in the order they started."""
        return [told.run for told in self.told if told.event == "start"]

    def events(self) -> list[tuple[str, str]]:
        """Return the events that the handler received, with the name of the run."""
        return [(told.event, told.run.name) for told in self.told]

    def tree(self) -> list[tuple[str, str, str | None]]:
        """Each run's name, kind and parent's name."""
        return [(run.name, run.type, run.parent and run.parent.name) for run in self.runs()]

    def ends_each_run_once(self) -> bool:
        """Return whether each started run, and no other, ended exactly once after its start."""
        ends = Counter(told.run.id for told in self.told if told.event in ("end", "error"))
        return (
            bool(ends)
            and ends == Counter(run.id for run in self.runs())
            and set(ends.values()) == {1}
        )

    def children_end_first(self) -> bool:
        """Return whether no run ended before a run beneath it."""
        ended = set[str]()
        for told in self.told:
            if told.event in ("end", "error"):
                if told.run.parent and told.run.parent.id in ended:
                    return False
                ended.add(told.run.id)
        return True

    def _keep(self, event: str, run: Run, *more: Any) -> None:
        with self._changed:
            self.told.append(Told(event, run, more))
            self._changed.notify_all()


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something holds; at most ten seconds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 (what is waited for knows no events)
            await asyncio.sleep(0)
