"""A runnable that hands every verb on to another."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeAlias

from chatnb.runnables.base import Runnable
from chatnb.runnables.config import RunnableConfig
from chatnb.runnables.verbs import In, Out

if TYPE_CHECKING:
    from chatnb.runnables.graph import Graph

Call: TypeAlias = tuple[Runnable[Any, Any], RunnableConfig | None, dict[str, Any]]


class RunnableDelegate(Runnable[In, Out]):
    """What stands before another runnable; a subclass says in `resolved` how it is called.

    Args:
        bound: The other runnable.
    """

    run_type = None

    def __init__(self, bound: Runnable[In, Out]) -> None:
        self.bound = bound
        self.chunks_replace = bound.chunks_replace
        self.name = bound.name

    def resolved(self, config: RunnableConfig | None, kwargs: dict[str, Any]) -> Call:
        """What to run, and with what.

        Args:
            config: The config of the call.
            kwargs: The arguments of the call.

        Returns:
            The runnable, its config and its arguments.
        """
        raise NotImplementedError

    def get_name(self) -> str:
        return self.name or self.bound.get_name()

    def invoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        bound, config, kwargs = self.resolved(config, kwargs)
        return bound.invoke(input, config, **kwargs)

    async def ainvoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        bound, config, kwargs = self.resolved(config, kwargs)
        return await bound.ainvoke(input, config, **kwargs)

    def stream(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Out]:
        bound, config, kwargs = self.resolved(config, kwargs)
        yield from bound.stream(input, config, **kwargs)

    async def astream(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        bound, config, kwargs = self.resolved(config, kwargs)
        async with aclosing(bound.astream(input, config, **kwargs)) as chunks:
            async for chunk in chunks:
                yield chunk

    def transform(
        self, input: Iterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Out]:
        bound, config, kwargs = self.resolved(config, kwargs)
        yield from bound.transform(input, config, **kwargs)

    async def atransform(
        self, input: AsyncIterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        bound, config, kwargs = self.resolved(config, kwargs)
        async with aclosing(bound.atransform(input, config, **kwargs)) as chunks:
            async for chunk in chunks:
                yield chunk

    def add_to_graph(self, graph: Graph) -> tuple[str, str]:
        return self.bound.add_to_graph(graph)
