"""The methods of a runnable, each derived from those that a class implements."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar

from chatnb.concurrency.portal import package_portal
from chatnb.concurrency.threads import (
    call_in_thread,
    iterate_in_thread,
    pull_in_thread,
    transform_in_thread,
)
from chatnb.redaction import hide_in_config
from chatnb.runnables.batches.methods import BatchMethods, In, Out
from chatnb.runnables.chunks import AsyncSnapshots, SingleItem, Snapshots, add_up
from chatnb.runnables.config import RunnableConfig
from chatnb.runnables.tracing import instrument_methods

if TYPE_CHECKING:
    from chatnb.schema.usage import UsageMetadata

_METHODS = ("invoke", "ainvoke", "stream", "astream", "transform", "atransform")
_STREAMS = {"stream", "transform"}
_ASTREAMS = {"astream", "atransform"}


class RunnableMethods(BatchMethods[In, Out]):
    """The methods of a runnable.

    A class implements at least one; the others are derived. A synchronous method of an
    asynchronous class runs on the package's event loop, also inside another running loop; an
    asynchronous method of a synchronous class runs on a thread, with the caller's context
    variables.
    """

    in_place: ClassVar[bool] = False
    """True if `invoke` only computes, so that `ainvoke` needs no thread for it."""
    chunks_replace: bool | None = False
    """True if each chunk replaces the one before; None if chunks are like those of the input."""
    takes_config_keywords: bool = True
    """False if keywords such as `tags` are its own, and not entries of the config."""
    own_config: RunnableConfig | None = None
    """The config of its own runs, such as tags and callbacks; the config of a call is added."""
    run_type: ClassVar[str | None] = "chain"
    """The type of its runs, for handlers and logs; None if a call is no run."""

    _implemented: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.run_type is not None:
            instrument_methods(cls)
        cls._implemented = frozenset(m for m in _METHODS if getattr(cls, m) is not _DERIVED[m])

    def invoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        """Run once.

        Args:
            input: The input.
            config: Tags, callbacks and other settings of this run.
            **kwargs: Arguments of this runnable, or of the first of a sequence, for one call.

        Returns:
            The whole output.
        """
        config = hide_in_config(config)
        if self._implemented & _STREAMS:
            chunks = list(self.stream(input, config, **kwargs))
            return add_up(chunks, replace=bool(self.chunks_replace))
        return package_portal.run(_await(self.ainvoke, input, config, kwargs))

    async def ainvoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        """Run once without blocking the event loop; like `invoke`."""
        config = hide_in_config(config)
        if self._implemented & _ASTREAMS:
            async with aclosing(self.astream(input, config, **kwargs)) as chunks:
                return add_up([c async for c in chunks], replace=bool(self.chunks_replace))
        if self.in_place:
            return self.invoke(input, config, **kwargs)
        return await call_in_thread(partial(self.invoke, input, config, **kwargs))

    def stream(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Out]:
        """Run once, chunk by chunk; closing the iterator ends the run.

        Args:
            input: The input.
            config: Tags, callbacks and other settings of this run.
            **kwargs: Arguments of this runnable, or of the first of a sequence, for one call.

        Yields:
            The chunks, which add up to the output; one if this runnable does not stream.
        """
        config = hide_in_config(config)
        if "transform" in self._implemented:
            yield from self.transform(SingleItem(input), config, **kwargs)
        elif self._implemented & _ASTREAMS:
            yield from package_portal.iterate(partial(self.astream, input, config, **kwargs))
        else:
            yield self.invoke(input, config, **kwargs)

    async def astream(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        """Run once, chunk by chunk, without blocking the event loop; like `stream`."""
        config = hide_in_config(config)
        if "atransform" in self._implemented:
            source = self.atransform(SingleItem(input), config, **kwargs)
        elif self._implemented & _STREAMS:
            source = iterate_in_thread(partial(self.stream, input, config, **kwargs))
        else:
            yield await self.ainvoke(input, config, **kwargs)
            return
        async with aclosing(source) as chunks:
            async for chunk in chunks:
                yield chunk

    def transform(
        self, input: Iterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Out]:
        """Run once over an input that comes chunk by chunk.

        Args:
            input: The chunks of the input; a runnable that needs all of it gathers them first.
            config: Tags, callbacks and other settings of this run.
            **kwargs: Arguments of this runnable, or of the first of a sequence, for one call.

        Yields:
            The chunks of the output.
        """
        config = hide_in_config(config)
        if "atransform" in self._implemented:
            pulled = partial(pull_in_thread, input)
            yield from package_portal.iterate(lambda: self.atransform(pulled(), config, **kwargs))
        else:
            gathered = add_up(list(input), replace=isinstance(input, Snapshots))
            yield from chain(self.stream(gathered, config, **kwargs))

    async def atransform(
        self, input: AsyncIterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        """Run once over an input that comes chunk by chunk; like `transform`."""
        config = hide_in_config(config)
        if "transform" in self._implemented:
            source = transform_in_thread(partial(self.transform, config=config, **kwargs), input)
        else:
            chunks = [chunk async for chunk in input]
            gathered = add_up(chunks, replace=isinstance(input, AsyncSnapshots))
            source = self.astream(gathered, config, **kwargs)
        async with aclosing(source) as output:
            async for chunk in output:
                yield chunk

    def output_of_run(self, output: Any) -> dict[str, Any]:
        """Return the output for handlers and logs."""
        return {"output": output}

    def cost_of_run(self, output: Any) -> float | None:
        """Return the cost of a run alone, in US dollars, if it is known."""
        return None

    def metadata_of_run(self) -> dict[str, Any]:
        """Return metadata of every run for handlers and logs, beside that of the config."""
        return {}

    def usage_of_run(self, output: Any) -> UsageMetadata | None:
        """Return the tokens of a run alone, without those of runs below it."""
        return None


_DERIVED = {name: getattr(RunnableMethods, name) for name in _METHODS}


async def _await(
    method: Callable[..., Any], input: Any, config: RunnableConfig | None, kwargs: dict[str, Any]
) -> Any:
    return await method(input, config, **kwargs)
