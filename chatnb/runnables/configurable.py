"""Attributes of a runnable that a config may set."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

from chatnb.runnables.base import Runnable
from chatnb.runnables.config import RunnableConfig, effective_config
from chatnb.runnables.delegate import Call, RunnableDelegate
from chatnb.runnables.verbs import In, Out


@dataclass(frozen=True)
class ConfigurableField:
    """An attribute that a config may set.

    Args:
        id: Its key in `config["configurable"]`.
        name: What to call it where people read it.
        description: What it does.
    """

    id: str
    name: str | None = None
    description: str | None = None


class RunnableConfigurableFields(RunnableDelegate[In, Out]):
    """A runnable with attributes that `config["configurable"]` may set for one run.

    The runnable itself stays as it is: a run with other values uses a copy.

    Args:
        bound: The runnable.
        fields: What of it a config may set, by attribute.

    Raises:
        ValueError: If the runnable has no such attribute.

    Example:
        >>> class Repeat(Runnable[str, str]):
        ...     times = 1
        ...     def invoke(self, input, config=None, **kwargs):
        ...         return input * self.times
        >>> repeat = Repeat().configurable_fields(times=ConfigurableField(id="times"))
        >>> repeat.invoke("a"), repeat.invoke("a", {"configurable": {"times": 3}})
        ('a', 'aaa')
    """

    def __init__(self, bound: Runnable[In, Out], fields: Mapping[str, ConfigurableField]) -> None:
        super().__init__(bound)
        for attribute in fields:
            if not hasattr(bound, attribute):
                raise ValueError(f"{bound.get_name()} has no attribute {attribute!r} to configure")
        self.fields = dict(fields)

    def __repr__(self) -> str:
        return f"RunnableConfigurableFields({self.bound!r}, {self.fields!r})"

    def resolved(self, config: RunnableConfig | None, kwargs: dict[str, Any]) -> Call:
        given = (effective_config(config) or {}).get("configurable") or {}
        values = {name: given[field.id] for name, field in self.fields.items() if field.id in given}
        if not values:
            return self.bound, config, kwargs
        changed = copy(self.bound)
        for attribute, value in values.items():
            setattr(changed, attribute, value)
        return changed, config, kwargs
