"""The methods of a runnable, each derived from those that a class implements."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar, cast, overload

from chatnb.concurrency.portal import package_portal
from chatnb.concurrency.threads import (
    call_in_thread,
    iterate_in_thread,
    pull_in_thread,
    transform_in_thread,
)
from chatnb.redaction import hide_in_options
from chatnb.runnables.batch import (
    BatchOptions,
    aas_completed,
    as_completed,
    configs_for,
)
from chatnb.runnables.chunks import AsyncSnapshots, SingleItem, Snapshots, add_up
from chatnb.runnables.config import CONFIG_KEYS, RunnableConfig, effective_config, take_config
from chatnb.runnables.tracing import instrument_methods

if TYPE_CHECKING:
    from chatnb.schema.usage import UsageMetadata

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)

_METHODS = ("invoke", "ainvoke", "stream", "astream", "transform", "atransform")
_STREAMS = {"stream", "transform"}
_ASTREAMS = {"astream", "atransform"}


class RunnableMethods(Generic[In, Out]):
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
        if self._implemented & _STREAMS:
            chunks = list(self.stream(input, config, **kwargs))
            return add_up(chunks, replace=bool(self.chunks_replace))
        return package_portal.run(_await(self.ainvoke, input, config, kwargs))

    async def ainvoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        """Run once without blocking the event loop; like `invoke`."""
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
        if "transform" in self._implemented:
            source = transform_in_thread(partial(self.transform, config=config, **kwargs), input)
        else:
            chunks = [chunk async for chunk in input]
            gathered = add_up(chunks, replace=isinstance(input, AsyncSnapshots))
            source = self.astream(gathered, config, **kwargs)
        async with aclosing(source) as output:
            async for chunk in output:
                yield chunk

    @overload
    def batch(
        self,
        inputs: Sequence[In],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: Literal[False] = False,
        checkpoint: str | Path | None = None,
        checkpoint_grace: float = 0.0,
        progress: bool = True,
        **kwargs: Any,
    ) -> list[Out]: ...
    @overload
    def batch(
        self,
        inputs: Sequence[In],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool,
        checkpoint: str | Path | None = None,
        checkpoint_grace: float = 0.0,
        progress: bool = True,
        **kwargs: Any,
    ) -> list[Out | Exception]: ...
    def batch(
        self,
        inputs: Sequence[In],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        checkpoint: str | Path | None = None,
        checkpoint_grace: float = 0.0,
        progress: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Run once for each input, many at a time.

        When a provider limits the rate of calls, the whole batch waits as long as the provider
        says and goes on more slowly, instead of failing.

        Args:
            inputs: The inputs.
            config: One config for all, or a list with one for each; `max_concurrency` is the
                number of inputs that run at a time (64 by default).
            return_exceptions: True to return exceptions in the list instead of raising.
            checkpoint: A file in which every reply of a chat model is saved as it arrives: the
                same call after a crash or an interrupt requests only those that are missing.
            checkpoint_grace: Seconds that an interrupt leaves to calls under way, whose replies
                are kept; by default their connections are closed at once.
            progress: False to show no bar; it appears after two seconds.
            **kwargs: Arguments of `invoke`.

        Returns:
            The outputs, in the order of the inputs.

        Raises:
            BatchError: If any failed; it is of the first failure's class as well, and has the
                results of those that finished.
            BatchInterrupted: On a KeyboardInterrupt, likewise.
        """
        kwargs = hide_in_options(kwargs)
        calls, limit = _batch_calls(self, self.invoke, inputs, config, kwargs)
        options = BatchOptions(limit, return_exceptions, checkpoint, progress, checkpoint_grace)
        outputs = dict(as_completed(calls, options, each=False))
        return [outputs[index] for index in range(len(inputs))]

    async def abatch(
        self,
        inputs: Sequence[In],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        checkpoint: str | Path | None = None,
        checkpoint_grace: float = 0.0,
        progress: bool = True,
        **kwargs: Any,
    ) -> list[Any]:
        """Run once for each input, many at a time, without blocking; like `batch`."""
        kwargs = hide_in_options(kwargs)
        calls, limit = _batch_calls(self, self.ainvoke, inputs, config, kwargs)
        options = BatchOptions(limit, return_exceptions, checkpoint, progress, checkpoint_grace)
        async with aclosing(aas_completed(calls, options)) as pairs:
            outputs = {index: output async for index, output in pairs}
        return [outputs[index] for index in range(len(inputs))]

    def batch_as_completed(
        self,
        inputs: Sequence[In],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        checkpoint: str | Path | None = None,
        checkpoint_grace: float = 0.0,
        progress: bool = True,
        **kwargs: Any,
    ) -> Iterator[tuple[int, Any]]:
        """Run once for each input, many at a time, and yield each output as it arrives.

        Args:
            inputs: The inputs.
            config: As for `batch`.
            return_exceptions: True to yield exceptions instead of raising.
            checkpoint: As for `batch`.
            checkpoint_grace: As for `batch`.
            progress: As for `batch`.
            **kwargs: Arguments of `invoke`.

        Yields:
            Pairs of an input's index and its output.

        Raises:
            BatchError: After all outputs were yielded, if any input failed.
            BatchInterrupted: On a KeyboardInterrupt.
        """
        kwargs = hide_in_options(kwargs)
        calls, limit = _batch_calls(self, self.invoke, inputs, config, kwargs)
        return as_completed(
            calls, BatchOptions(limit, return_exceptions, checkpoint, progress, checkpoint_grace)
        )

    def abatch_as_completed(
        self,
        inputs: Sequence[In],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        checkpoint: str | Path | None = None,
        checkpoint_grace: float = 0.0,
        progress: bool = True,
        **kwargs: Any,
    ) -> AsyncGenerator[tuple[int, Any], None]:
        """Yield each output as it arrives, without blocking; like `batch_as_completed`."""
        kwargs = hide_in_options(kwargs)
        calls, limit = _batch_calls(self, self.ainvoke, inputs, config, kwargs)
        return aas_completed(
            calls, BatchOptions(limit, return_exceptions, checkpoint, progress, checkpoint_grace)
        )

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


def _batch_calls(
    runnable: RunnableMethods[Any, Any],
    method: Callable[..., Any],
    inputs: Sequence[Any],
    config: Any,
    kwargs: dict[str, Any],
) -> tuple[list[Callable[[], Any]], int | None]:
    if isinstance(inputs, str | dict) or not isinstance(inputs, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"A batch takes a list of inputs, not {type(inputs).__name__}")
    if kwargs and runnable.takes_config_keywords and not CONFIG_KEYS.isdisjoint(kwargs):
        if isinstance(config, Sequence):
            config = [take_config(item, kwargs)[0] for item in cast("Sequence[Any]", config)]
            kwargs = take_config(None, kwargs)[1]
        else:
            config, kwargs = take_config(config, kwargs)
    configs = configs_for(config, len(inputs))
    limits = effective_config(configs[0] if configs else None)
    pairs = zip(inputs, configs, strict=True)
    calls = [partial(method, input, own, **kwargs) for input, own in pairs]
    return calls, (limits or {}).get("max_concurrency")
