"""Runnables side by side on one input."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

from chatnb.runnables.base import Runnable
from chatnb.runnables.batch import as_completed
from chatnb.runnables.chunks import AddableDict
from chatnb.runnables.coercion import to_runnable
from chatnb.runnables.config import RunnableConfig, child_config, effective_config
from chatnb.runnables.interleave import ainterleave, atee, interleave, tee
from chatnb.runnables.terms import side_by_side
from chatnb.runnables.verbs import In

if TYPE_CHECKING:
    from chatnb.runnables.graph import Graph


class RunnableParallel(Runnable[In, dict[str, Any]]):
    """Runnables that all get the same input; a dict of their outputs.

    The branches run at the same time: on threads if there are several, or in tasks. Their chunks
    are handed out as they come, each in an `AddableDict` with the branch's key.

    Args:
        branches: Runnables, functions or dicts of these, by key.
        **more: More of them.

    Raises:
        TypeError: If a branch is none of these.
        ValueError: If there is no branch.

    Example:
        >>> RunnableParallel(upper=str.upper, length=len).invoke("abc")
        {'upper': 'ABC', 'length': 3}
    """

    def __init__(self, branches: Mapping[str, Any] | None = None, **more: Any) -> None:
        named = {**(branches or {}), **more}
        if not named:
            raise ValueError("Runnables in parallel need at least one branch")
        self.branches = {key: to_runnable(branch) for key, branch in named.items()}

    def __repr__(self) -> str:
        return f"RunnableParallel({self.branches!r})"

    def invoke(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        config = effective_config(config)
        inner = child_config(config)
        calls = [partial(b.invoke, input, inner, **kwargs) for b in self.branches.values()]
        if len(calls) == 1:
            outputs = [calls[0]()]
        else:
            outputs = _all_of(calls, (config or {}).get("max_concurrency"))
        return dict(zip(self.branches, outputs, strict=True))

    async def ainvoke(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        inner = child_config(effective_config(config))
        runs = [b.ainvoke(input, inner, **kwargs) for b in self.branches.values()]
        tasks = [asyncio.ensure_future(run) for run in runs]
        try:
            return dict(zip(self.branches, await asyncio.gather(*tasks), strict=True))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def transform(
        self, input: Iterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[dict[str, Any]]:
        inner = child_config(effective_config(config))
        copies = tee(input, len(self.branches))
        streams = {
            key: partial(branch.transform, copy, inner, **kwargs)
            for (key, branch), copy in zip(self.branches.items(), copies, strict=True)
        }
        for key, chunk in interleave(streams):
            yield self.chunk_of(key, chunk)

    async def atransform(
        self, input: AsyncIterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[dict[str, Any], None]:
        inner = child_config(effective_config(config))
        copies = atee(input, len(self.branches))
        streams = {
            key: partial(branch.atransform, copy, inner, **kwargs)
            for (key, branch), copy in zip(self.branches.items(), copies, strict=True)
        }
        async with aclosing(ainterleave(streams)) as chunks:
            async for key, chunk in chunks:
                yield self.chunk_of(key, chunk)

    def chunk_of(self, key: str, chunk: Any) -> AddableDict:
        """A branch's chunk as a chunk of the whole."""
        replaced = [key] if self.branches[key].chunks_replace else ()
        return AddableDict({key: chunk}, replaced=replaced)

    def add_to_graph(self, graph: Graph) -> tuple[str, str]:
        begin = graph.add_node(f"Parallel<{','.join(self.branches)}>")
        end = graph.add_node("Join")
        for key, branch in self.branches.items():
            first, last = branch.add_to_graph(graph)
            graph.add_edge(begin, first, key)
            graph.add_edge(last, end)
        return begin, end


def _all_of(calls: list[Callable[[], Any]], limit: int | None) -> list[Any]:
    outcomes = dict[int, Any]()
    for index, outcome in as_completed(calls, side_by_side(limit, return_exceptions=True)):
        if isinstance(outcome, Exception):
            raise outcome
        outcomes[index] = outcome
    return [outcomes[index] for index in range(len(calls))]
