"""Runnables that a config replaces by others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any, cast

from chatnb.runnables.base import Runnable
from chatnb.runnables.binding import Call, ConfigurableField, RunnableDelegate
from chatnb.runnables.config import RunnableConfig, effective_config, merge_configs
from chatnb.runnables.methods import In, Out


class RunnableConfigurableAlternatives(RunnableDelegate[In, Out]):
    """A runnable in whose place `config["configurable"]` may put another for one run.

    Args:
        bound: The runnable without a choice.
        which: The field of the choice.
        alternatives: Runnables, or functions without arguments that make one, by key.
        default_key: The key of the runnable itself.
        prefix_keys: True if the config names the fields of each choice with the choice before
            them: `{"model==large/temperature": 0.5}`.

    Raises:
        TypeError: If an alternative is neither.
        ValueError: When it runs, if the key is unknown.

    Example:
        >>> from chatnb.runnables import ConfigurableField, RunnableLambda
        >>> case = RunnableLambda(str.upper).configurable_alternatives(
        ...     ConfigurableField(id="case"), lower=RunnableLambda(str.lower)
        ... )
        >>> case.invoke("Ab"), case.invoke("Ab", {"configurable": {"case": "lower"}})
        ('AB', 'ab')
    """

    def __init__(
        self,
        bound: Runnable[In, Out],
        which: ConfigurableField,
        alternatives: Mapping[str, Runnable[Any, Any] | Callable[[], Runnable[Any, Any]]],
        *,
        default_key: str = "default",
        prefix_keys: bool = False,
    ) -> None:
        super().__init__(bound)
        for key, alternative in alternatives.items():
            if not (isinstance(alternative, Runnable) or callable(alternative)):
                raise TypeError(f"The alternative {key} is no runnable: {alternative!r}")
        if default_key in alternatives:
            raise ValueError(f"{default_key!r} is the key of the runnable itself; default_key=...")
        self.which = which
        self.default_key = default_key
        self.prefix_keys = prefix_keys
        self.alternatives = dict(alternatives)

    def __repr__(self) -> str:
        keys = ", ".join([self.default_key, *self.alternatives])
        return f"RunnableConfigurableAlternatives({self.bound!r}, {keys})"

    def wrapped(self) -> list[Runnable[Any, Any]]:
        return [vars(self)["bound"], *map(self._made, vars(self)["alternatives"])]

    def around(self, wrapped: list[Runnable[Any, Any]]) -> Any:
        changed = copy(self)
        changed.bound, *others = wrapped
        changed.alternatives = dict(zip(self.alternatives, others, strict=True))
        return changed

    def resolve(self, config: RunnableConfig | None, kwargs: dict[str, Any]) -> Call:
        given = (effective_config(config) or {}).get("configurable") or {}
        key = given.get(self.which.id, self.default_key)
        if key != self.default_key and key not in self.alternatives:
            known = ", ".join([self.default_key, *self.alternatives])
            raise ValueError(f"{self.which.id} is one of {known}, not {key!r}")
        if self.prefix_keys:
            prefix = f"{self.which.id}=={key}/"
            fields = {name.removeprefix(prefix): value for name, value in given.items()}
            config = merge_configs(config, {"configurable": fields})
        chosen = self.bound if key == self.default_key else self._made(key)
        return chosen, config, kwargs

    def _made(self, key: str) -> Runnable[Any, Any]:
        alternative: Any = self.alternatives[key]
        if not isinstance(alternative, Runnable):
            alternative = self.alternatives[key] = alternative()
        return cast("Runnable[Any, Any]", alternative)
