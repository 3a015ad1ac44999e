"""Runnables that wrap another: bound arguments, configurable fields, a map over lists."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from copy import copy
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from chatnb.redaction import hide_in_config, hide_in_options
from chatnb.runnables.base import KeepsModelMethods, Runnable
from chatnb.runnables.config import (
    RunnableConfig,
    check_config,
    child_config,
    effective_config,
    merge_configs,
)
from chatnb.runnables.methods import In, Out
from chatnb.runnables.wrappers.schemas import input_type, output_type, plain_type

if TYPE_CHECKING:
    from chatnb.runnables.graph import Graph

Call: TypeAlias = tuple[Runnable[Any, Any], RunnableConfig | None, dict[str, Any]]


class ModelWrapper(KeepsModelMethods[In, Out]):
    """The methods for tools and types of a runnable around chat models, which apply to these."""

    bound: Runnable[Any, Any]
    chunks_replace: bool | None

    def wrapped(self) -> list[Runnable[Any, Any]]:
        """Return the runnables that it calls."""
        return [vars(self)["bound"]] if "bound" in vars(self) else []

    def around(self, wrapped: list[Runnable[Any, Any]]) -> Any:
        """Return a copy that calls the runnables `wrapped`."""
        changed = copy(self)
        changed.bound = wrapped[0]
        changed.chunks_replace = wrapped[0].chunks_replace
        return changed

    @property
    def bind_tools(self) -> Callable[..., Runnable[Any, Any]]:
        """The method `bind_tools` of the runnables, whose result is wrapped as they are."""
        return self.kept_method("bind_tools")

    @property
    def with_structured_output(self) -> Callable[..., Runnable[Any, Any]]:
        """The method `with_structured_output` of the runnables, whose result is wrapped."""
        return self.kept_method("with_structured_output")

    def kept_method(self, name: str) -> Callable[..., Any]:
        """Return a method that all wrapped runnables have, which gives a copy around the results.

        Raises:
            AttributeError: If one of them does not have it, as runnables that are no model.
        """
        methods = [getattr(each, name) for each in self.wrapped()]
        if not methods:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return lambda *args, **kwargs: self.around([m(*args, **kwargs) for m in methods])


class RunnableDelegate(ModelWrapper[In, Out], Runnable[In, Out]):
    """A runnable that calls another; a subclass decides in `resolve` how."""

    run_type = None

    def __init__(self, bound: Runnable[In, Out]) -> None:
        self.bound = bound
        self.chunks_replace = bound.chunks_replace
        self.takes_config_keywords = bound.takes_config_keywords
        self.name = bound.name

    def resolve(self, config: RunnableConfig | None, kwargs: dict[str, Any]) -> Call:
        """Return the runnable to call, with its config and arguments, for `config` and `kwargs`."""
        raise NotImplementedError

    def _resolved(self, config: RunnableConfig | None, kwargs: dict[str, Any]) -> Call:
        # What a delegate calls is traced, and it is not.
        return self.resolve(hide_in_config(config), hide_in_options(kwargs))

    def get_name(self) -> str:
        return self.name or self.bound.get_name()

    def invoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        bound, config, kwargs = self._resolved(config, kwargs)
        return bound.invoke(input, config, **kwargs)

    async def ainvoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        bound, config, kwargs = self._resolved(config, kwargs)
        return await bound.ainvoke(input, config, **kwargs)

    def stream(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Out]:
        bound, config, kwargs = self._resolved(config, kwargs)
        yield from chain(bound.stream(input, config, **kwargs))

    async def astream(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        bound, config, kwargs = self._resolved(config, kwargs)
        async with aclosing(bound.astream(input, config, **kwargs)) as chunks:
            async for chunk in chunks:
                yield chunk

    def transform(
        self, input: Iterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Out]:
        bound, config, kwargs = self._resolved(config, kwargs)
        yield from bound.transform(input, config, **kwargs)

    async def atransform(
        self, input: AsyncIterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        bound, config, kwargs = self._resolved(config, kwargs)
        async with aclosing(bound.atransform(input, config, **kwargs)) as chunks:
            async for chunk in chunks:
                yield chunk

    def add_to_graph(self, graph: Graph) -> tuple[str, str]:
        return self.bound.add_to_graph(graph)


class RunnableBinding(RunnableDelegate[In, Out]):
    """A runnable with arguments and a config bound in advance; those of the call win.

    Args:
        bound: The runnable.
        kwargs: Arguments of its methods.
        config: Its config.

    Raises:
        ValueError: If the config has an unknown key.

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
        self.kwargs = hide_in_options(kwargs or {})
        self.config = check_config(hide_in_config(config)) if config else None
        if self.config and "run_name" in self.config:
            self.name = self.config["run_name"]

    def __repr__(self) -> str:
        given = f", kwargs={self.kwargs!r}" if self.kwargs else ""
        given += f", config={self.config!r}" if self.config else ""
        return f"RunnableBinding({self.bound!r}{given})"

    def around(self, wrapped: list[Runnable[Any, Any]]) -> Any:
        changed, later = copy(self), getattr(wrapped[0], "kwargs", dict[str, Any]())
        changed.kwargs = {key: value for key, value in self.kwargs.items() if key not in later}
        return super(RunnableBinding, changed).around(wrapped)

    def resolve(self, config: RunnableConfig | None, kwargs: dict[str, Any]) -> Call:
        if self.config:
            config = merge_configs(self.config, config)
        return self.bound, config, {**self.kwargs, **kwargs} if self.kwargs else kwargs


@dataclass(frozen=True)
class ConfigurableField:
    """An attribute that a config may set.

    Args:
        id: Its key in `config["configurable"]`.
        name: A name for people.
        description: A description for people.

    Example:
        >>> from chatnb.chat_models import ScriptedChatModel
        >>> chat = ScriptedChatModel(["Hello."])
        >>> chat = chat.configurable_fields(model_name=ConfigurableField("model"))
        >>> reply = chat.invoke("Hi", {"configurable": {"model": "other"}})
        >>> reply.response_metadata["model_name"]
        'other'
    """

    id: str
    name: str | None = None
    description: str | None = None


class RunnableConfigurableFields(RunnableDelegate[In, Out]):
    """A runnable with attributes that `config["configurable"]` may set for one run.

    A run with other values uses a copy of the runnable.

    Args:
        bound: The runnable.
        fields: The field of each attribute that a config may set.

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

    def resolve(self, config: RunnableConfig | None, kwargs: dict[str, Any]) -> Call:
        given = (effective_config(config) or {}).get("configurable") or {}
        values = {name: given[field.id] for name, field in self.fields.items() if field.id in given}
        if not values:
            return self.bound, config, kwargs
        changed = copy(self.bound)
        for attribute, value in values.items():
            setattr(changed, attribute, value)
        return changed, config, kwargs


class RunnableWithTypes(RunnableDelegate[In, Out]):
    """A runnable with types for its schemas.

    Args:
        bound: The runnable.
        input_type: The type of its input; None for the one that it has.
        output_type: The type of its output; None for the one that it has.

    Example:
        >>> from chatnb.runnables import RunnableLambda
        >>> RunnableWithTypes(RunnableLambda(len), output_type=int).get_output_jsonschema()["type"]
        'integer'
    """

    def __init__(
        self, bound: Runnable[In, Out], *, input_type: Any = None, output_type: Any = None
    ) -> None:
        super().__init__(bound)
        self.input_type = input_type
        self.output_type = output_type

    def __repr__(self) -> str:
        return repr(self.bound)

    def resolve(self, config: RunnableConfig | None, kwargs: dict[str, Any]) -> Call:
        return self.bound, config, kwargs

    def _input_type(self) -> Any:
        return input_type(self.bound) if self.input_type is None else self.input_type

    def _output_type(self) -> Any:
        return output_type(self.bound) if self.output_type is None else self.output_type


Item = TypeVar("Item")


class RunnableEach(Runnable[Sequence[In], list[Item]], Generic[In, Item]):
    """A runnable over each item of a list, many at a time, in order.

    Args:
        bound: The runnable.

    Raises:
        TypeError: When it is run, if the input is not a list.
        BatchError: When it is run, if it fails for an item.

    Example:
        >>> from chatnb.runnables import RunnableLambda
        >>> RunnableLambda(len).map().invoke(["a", "bc"])
        [1, 2]
    """

    def __init__(self, bound: Runnable[In, Item]) -> None:
        self.bound = bound

    def __repr__(self) -> str:
        return f"RunnableEach({self.bound!r})"

    def invoke(
        self, input: Sequence[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> list[Item]:
        inner = child_config(effective_config(config))
        bound: Any = self.bound
        return bound.batch(input, inner, **kwargs)

    async def ainvoke(
        self, input: Sequence[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> list[Item]:
        return await self.bound.abatch(input, child_config(effective_config(config)), **kwargs)

    def _input_type(self) -> Any:
        return list[plain_type(input_type(self.bound))]

    def _output_type(self) -> Any:
        return list[plain_type(output_type(self.bound))]

    def add_to_graph(self, graph: Graph) -> tuple[str, str]:
        node = graph.add_node(f"Each<{self.bound.get_name()}>")
        return node, node
