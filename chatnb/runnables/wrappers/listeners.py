"""Runnables whose runs are reported to functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from chatnb.runnables.base import Runnable
from chatnb.runnables.binding import Call, RunnableDelegate
from chatnb.runnables.config import RunnableConfig, effective_config, merge_configs
from chatnb.runnables.methods import In, Out
from chatnb.tracing.run import Run

_EVENTS = ("on_start", "on_end", "on_error")


class RunnableWithListeners(RunnableDelegate[In, Out]):
    """A runnable whose own runs, and none below them, are reported to functions.

    Args:
        bound: The runnable.
        listeners: Functions of a run, or of a run and its config, by event.

    Raises:
        TypeError: If a listener is not a function.

    Example:
        >>> from chatnb.runnables import RunnableLambda
        >>> shout = RunnableLambda(str.upper).with_listeners(on_end=lambda run: print(run.outputs))
        >>> shout.invoke("a")
        {'output': 'A'}
        'A'
    """

    def __init__(
        self, bound: Runnable[In, Out], listeners: dict[str, Callable[..., Any] | None]
    ) -> None:
        super().__init__(bound)
        self.listeners = {name: given for name, given in listeners.items() if given is not None}
        for name, listener in self.listeners.items():
            if not callable(listener):
                raise TypeError(f"{name} is a function of a run, not {listener!r}")

    def __repr__(self) -> str:
        return f"RunnableWithListeners({self.bound!r})"

    def resolve(self, config: RunnableConfig | None, kwargs: dict[str, Any]) -> Call:
        given = effective_config(config) or RunnableConfig()
        handler = _OneRun(self.listeners, given)
        return self.bound, merge_configs(config, {"callbacks": [handler]}), kwargs


class _OneRun:
    """A handler of the first run below the one that a config is of."""

    def __init__(self, listeners: dict[str, Callable[..., Any]], config: RunnableConfig) -> None:
        self._listeners = listeners
        self._config = config
        self._parent = config.get("parent_run")
        self._run: Run | None = None

    def on_start(self, run: Run) -> Any:
        if self._run is None and run.parent is self._parent:
            self._run = run
            return self._call("on_start", run)
        return None

    def on_end(self, run: Run) -> Any:
        return self._call("on_end", run) if run is self._run else None

    def on_error(self, run: Run) -> Any:
        return self._call("on_error", run) if run is self._run else None

    def _call(self, event: str, run: Run) -> Any:
        listener = self._listeners.get(event)
        if listener is None:
            return None
        try:
            inspect.signature(listener).bind(run, self._config)
        except (TypeError, ValueError):  # It takes the run alone, or is in C without a signature.
            return listener(run)
        return listener(run, self._config)
