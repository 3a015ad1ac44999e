"""A runnable with arguments and a config given in advance."""

from __future__ import annotations

from typing import Any

from chatnb.runnables.base import Runnable
from chatnb.runnables.config import RunnableConfig, check_config, merge_configs
from chatnb.runnables.delegate import Call, RunnableDelegate
from chatnb.runnables.verbs import In, Out


class RunnableBinding(RunnableDelegate[In, Out]):
    """A runnable with arguments and a config given in advance; those of the call win.

    Args:
        bound: The runnable.
        kwargs: Arguments for its verbs.
        config: Its config.

    Raises:
        ValueError: If the config has a key that no config has.

    Example:
        >>> from chatnb.runnables import RunnableLambda
        >>> RunnableLambda(lambda x, times=1: x * times).bind(times=3).invoke("a")
        'aaa'
    """

    def __init__(
        self,
        bound: Runnable[In, Out],
        *,
        kwargs: dict[str, Any] | None = None,
        config: RunnableConfig | None = None,
    ) -> None:
        super().__init__(bound)
        self.kwargs = kwargs or {}
        self.config = check_config(config) if config else None
        if self.config and "run_name" in self.config:
            self.name = self.config["run_name"]

    def __repr__(self) -> str:
        given = f", kwargs={self.kwargs!r}" if self.kwargs else ""
        given += f", config={self.config!r}" if self.config else ""
        return f"RunnableBinding({self.bound!r}{given})"

    def resolved(self, config: RunnableConfig | None, kwargs: dict[str, Any]) -> Call:
        if self.config:
            config = merge_configs(self.config, config)
        return self.bound, config, {**self.kwargs, **kwargs} if self.kwargs else kwargs
