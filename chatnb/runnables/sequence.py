"""Run runnables one after another, each on the output of the one before."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING, Any

from chatnb.concurrency.threads import ClosableIterator
from chatnb.runnables.base import Runnable, to_runnable
from chatnb.runnables.chunks import AsyncSnapshots, Snapshots
from chatnb.runnables.config import RunnableConfig, child_config, effective_config, tagged_config
from chatnb.runnables.methods import In, Out

if TYPE_CHECKING:
    from chatnb.runnables.graph import Graph


class RunnableSequence(Runnable[In, Out]):
    """Runnables one after another: each gets the output of the one before.

    Sequences within it are flattened. Chunks flow through: a step waits for its whole input only
    if it cannot stream. Arguments of a call go to the first step.

    Args:
        *steps: Runnables, functions, and dicts of these.
        name: The name of the sequence.

    Raises:
        TypeError: If a step is none of these.
        ValueError: If there is no step.

    Example:
        >>> RunnableSequence(str.strip, str.upper).invoke(" a ")
        'A'
    """

    def __init__(self, *steps: Any, name: str | None = None) -> None:
        if not steps:
            raise ValueError("A sequence needs at least one step")
        self.steps = tuple(_flatten(steps))
        self.name = name
        self.chunks_replace = None
        for step in self.steps:
            if step.chunks_replace is not None:
                self.chunks_replace = step.chunks_replace

    @property
    def first(self) -> Runnable[Any, Any]:
        """The first step."""
        return self.steps[0]

    @property
    def middle(self) -> list[Runnable[Any, Any]]:
        """The steps between the first and the last."""
        return list(self.steps[1:-1])

    @property
    def last(self) -> Runnable[Any, Any]:
        """The last step."""
        return self.steps[-1]

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.steps))

    def invoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        config = child_config(effective_config(config))
        value = self.steps[0].invoke(input, _step_config(config, 1), **kwargs)
        for number, step in enumerate(self.steps[1:], start=2):
            value = step.invoke(value, _step_config(config, number))
        return value

    async def ainvoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        config = child_config(effective_config(config))
        value = await self.steps[0].ainvoke(input, _step_config(config, 1), **kwargs)
        for number, step in enumerate(self.steps[1:], start=2):
            value = await step.ainvoke(value, _step_config(config, number))
        return value

    def transform(
        self, input: Iterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Out]:
        config = child_config(effective_config(config))
        chunks: Iterator[Any] = input
        replaced: bool = isinstance(input, Snapshots)
        with ExitStack() as stack:
            for number, step in enumerate(self.steps, start=1):
                inner = _step_config(config, number)
                output = ClosableIterator[Any](step.transform(chunks, inner, **kwargs))
                stack.callback(output.close)
                replaced = replaced if step.chunks_replace is None else step.chunks_replace
                chunks = Snapshots(output) if replaced else output
                kwargs = {}
            yield from chunks

    async def atransform(
        self, input: AsyncIterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        config = child_config(effective_config(config))
        chunks: AsyncIterator[Any] = input
        replaced: bool = isinstance(input, AsyncSnapshots)
        async with AsyncExitStack() as stack:
            for number, step in enumerate(self.steps, start=1):
                output = step.atransform(chunks, _step_config(config, number), **kwargs)
                stack.push_async_callback(output.aclose)
                replaced = replaced if step.chunks_replace is None else step.chunks_replace
                chunks = AsyncSnapshots(output) if replaced else output
                kwargs = {}
            async for chunk in chunks:
                yield chunk

    def add_to_graph(self, graph: Graph) -> tuple[str, str]:
        first, last = self.steps[0].add_to_graph(graph)
        for step in self.steps[1:]:
            begin, end = step.add_to_graph(graph)
            graph.add_edge(last, begin)
            last = end
        return first, last


def _step_config(config: RunnableConfig | None, number: int) -> RunnableConfig | None:
    # Most chains run without a config, and the tag is a text made for each step.
    return config and tagged_config(config, f"seq:step:{number}")


def _flatten(steps: tuple[Any, ...]) -> Iterator[Runnable[Any, Any]]:
    for step in steps:
        if isinstance(step, RunnableSequence) and step.name is None:  # pyright: ignore[reportUnknownMemberType]
            yield from step.steps
        else:
            yield to_runnable(step)
