"""Run one of several runnables, chosen by conditions on the input."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from itertools import chain
from typing import TYPE_CHECKING, Any

from chatnb.lazy_names import names_of_package
from chatnb.runnables.base import Runnable, to_runnable
from chatnb.runnables.config import RunnableConfig, child_config, effective_config
from chatnb.runnables.methods import In, Out

if TYPE_CHECKING:
    from chatnb.runnables.graph import Graph


class RunnableBranch(Runnable[In, Out]):
    """The first of several runnables whose condition holds for the input.

    Args:
        *branches: Pairs of a condition and a runnable to run if it holds, each a runnable or a
            function; and at the end a default.

    Raises:
        TypeError: If a branch is no pair, or the default is one.
        ValueError: If there is no pair.

    Example:
        >>> size = RunnableBranch((lambda n: n < 0, lambda n: "less"), lambda n: "more")
        >>> size.batch([-1, 1])
        ['less', 'more']
    """

    def __init__(self, *branches: Any) -> None:
        if len(branches) < 2:
            raise ValueError(
                "RunnableBranch takes at least one (condition, runnable) and a default"
            )
        *pairs, default = branches
        for pair in pairs:
            if not isinstance(pair, tuple) or len(pair) != 2:  # pyright: ignore[reportUnknownArgumentType]
                raise TypeError(f"RunnableBranch takes (condition, runnable) pairs, not {pair!r}")
        if isinstance(default, tuple):
            raise TypeError("RunnableBranch takes a default at the end, not a pair")
        self.branches = [(to_runnable(when), to_runnable(then)) for when, then in pairs]
        self.default = to_runnable(default)

    def __repr__(self) -> str:
        return f"RunnableBranch({len(self.branches)} conditions)"

    def invoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        inner = child_config(effective_config(config))
        return self._chosen(input, inner).invoke(input, inner, **kwargs)

    async def ainvoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        inner = child_config(effective_config(config))
        chosen = await self._achosen(input, inner)
        return await chosen.ainvoke(input, inner, **kwargs)

    def stream(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Out]:
        inner = child_config(effective_config(config))
        yield from chain(self._chosen(input, inner).stream(input, inner, **kwargs))

    async def astream(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        inner = child_config(effective_config(config))
        chosen = await self._achosen(input, inner)
        async with aclosing(chosen.astream(input, inner, **kwargs)) as chunks:
            async for chunk in chunks:
                yield chunk

    def _chosen(self, input: Any, config: RunnableConfig | None) -> Runnable[Any, Any]:
        for when, then in self.branches:
            if when.invoke(input, config):
                return then
        return self.default

    async def _achosen(self, input: Any, config: RunnableConfig | None) -> Runnable[Any, Any]:
        for when, then in self.branches:
            if await when.ainvoke(input, config):
                return then
        return self.default

    def add_to_graph(self, graph: Graph) -> tuple[str, str]:
        begin, end = graph.add_node("Branch"), graph.add_node("Join")
        for when, then in [*self.branches, (None, self.default)]:
            first, last = then.add_to_graph(graph)
            graph.add_edge(begin, first, when.get_name() if when else "otherwise")
            graph.add_edge(last, end)
        return begin, end


if not TYPE_CHECKING:  # LangChain's module of this path has the package's other names, too.
    __getattr__ = names_of_package("chatnb.runnables")
