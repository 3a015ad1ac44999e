"""The verbs of a runnable, each derived from whichever of them a class implements."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar, overload

from chatnb.runnables.batch import aas_completed, as_completed, configs_for
from chatnb.runnables.chunks import AsyncSnapshots, Snapshots, add_up
from chatnb.runnables.config import RunnableConfig, effective_config
from chatnb.runnables.handover import stepping_in_thread
from chatnb.runnables.inputs import AsyncWhole, Whole
from chatnb.runnables.loop_thread import package_loop
from chatnb.runnables.terms import Terms
from chatnb.runnables.threads import (
    in_thread,
    iterate_in_thread,
    pulled_in_threads,
)
from chatnb.runnables.traced import trace_verbs

if TYPE_CHECKING:
    from chatnb.schema.usage import UsageMetadata

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)

_VERBS = ("invoke", "ainvoke", "stream", "astream", "transform", "atransform")
_STREAMS = {"stream", "transform"}
_ASTREAMS = {"astream", "atransform"}


class Verbs(Generic[In, Out]):
    """What can be done with a runnable.

    A class implements one verb or more; a verb that it leaves out is derived from those it has. A
    synchronous verb of an asynchronous class runs on the package's event loop, also where another
    loop is running; an asynchronous verb of a synchronous class runs on a thread, with the
    caller's context variables.
    """

    in_place: ClassVar[bool] = False
    """Whether `invoke` only computes, so that `ainvoke` needs no thread for it."""
    chunks_replace: bool | None = False
    """Whether each chunk replaces the one before; None if they are as those that came in."""

    run_type: ClassVar[str | None] = "chain"
    """Of what kind its runs are, for handlers and logs; None if a call of it is no run."""

    _own: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.run_type is not None:
            trace_verbs(cls)
        cls._own = frozenset(verb for verb in _VERBS if getattr(cls, verb) is not _DERIVED[verb])

    def invoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        """Run once.

        Args:
            input: The input.
            config: Tags, callbacks and the like of this run.
            **kwargs: What this runnable, or the first of a sequence, takes for one call.

        Returns:
            The whole output.
        """
        if self._own & _STREAMS:
            chunks = list(self.stream(input, config, **kwargs))
            return add_up(chunks, replace=bool(self.chunks_replace))
        return package_loop.run(_awaited(self.ainvoke, input, config, kwargs))

    async def ainvoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        """Run once without blocking the event loop; like `invoke`."""
        if self._own & _ASTREAMS:
            async with aclosing(self.astream(input, config, **kwargs)) as chunks:
                return add_up([c async for c in chunks], replace=bool(self.chunks_replace))
        if self.in_place:
            return self.invoke(input, config, **kwargs)
        return await in_thread(partial(self.invoke, input, config, **kwargs))

    def stream(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Out]:
        """Run once, chunk by chunk; closing the iterator ends the run.

        Args:
            input: The input.
            config: Tags, callbacks and the like of this run.
            **kwargs: What this runnable, or the first of a sequence, takes for one call.

        Yields:
            The chunks, which add up to the output; one if this runnable does not stream.
        """
        if "transform" in self._own:
            yield from self.transform(Whole(input), config, **kwargs)
        elif self._own & _ASTREAMS:
            yield from package_loop.iterate(partial(self.astream, input, config, **kwargs))
        else:
            yield self.invoke(input, config, **kwargs)

    async def astream(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        """Run once, chunk by chunk, without blocking the event loop; like `stream`."""
        if "atransform" in self._own:
            source = self.atransform(AsyncWhole(input), config, **kwargs)
        elif self._own & _STREAMS:
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
            config: Tags, callbacks and the like of this run.
            **kwargs: What this runnable, or the first of a sequence, takes for one call.

        Yields:
            The chunks of the output.
        """
        if "atransform" in self._own:
            pulled = partial(pulled_in_threads, input)
            yield from package_loop.iterate(
                lambda: self.atransform(pulled(), config, **kwargs),
            )
        else:
            gathered = add_up(list(input), replace=isinstance(input, Snapshots))
            yield from self.stream(gathered, config, **kwargs)

    async def atransform(
        self, input: AsyncIterator[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        """Run once over an input that comes chunk by chunk; like `transform`."""
        if "transform" in self._own:
            source = stepping_in_thread(partial(self.transform, config=config, **kwargs), input)
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
        progress: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Run once for each input, many at a time.

        When a provider refuses a call for its rate, the whole batch waits as long as it says and
        goes on more slowly, instead of failing.

        Args:
            inputs: The inputs.
            config: One config for all, or a list with one for each; `max_concurrency` says how
                many run at a time (64 if it does not).
            return_exceptions: Whether a failure is put in its place in the list, not raised.
            checkpoint: A file in which every reply of a chat model is kept as it arrives: the same
                call after a crash or an interrupt asks only for what is missing.
            progress: Whether a bar is shown once it takes longer than two seconds.
            **kwargs: What `invoke` takes.

        Returns:
            The outputs, in the order of the inputs.

        Raises:
            BatchError: If any failed; it is of the first failure's class as well, and keeps what
                finished.
            BatchInterrupted: On a KeyboardInterrupt, likewise.
        """
        pairs = self.batch_as_completed(
            inputs,
            config,
            return_exceptions=return_exceptions,
            checkpoint=checkpoint,
            progress=progress,
            **kwargs,
        )
        outputs = dict(pairs)
        return [outputs[index] for index in range(len(inputs))]

    async def abatch(
        self,
        inputs: Sequence[In],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        checkpoint: str | Path | None = None,
        progress: bool = True,
        **kwargs: Any,
    ) -> list[Any]:
        """Run once for each input, many at a time, without blocking; like `batch`."""
        pairs = self.abatch_as_completed(
            inputs,
            config,
            return_exceptions=return_exceptions,
            checkpoint=checkpoint,
            progress=progress,
            **kwargs,
        )
        async with aclosing(pairs):
            outputs = {index: output async for index, output in pairs}
        return [outputs[index] for index in range(len(inputs))]

    def batch_as_completed(
        self,
        inputs: Sequence[In],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        checkpoint: str | Path | None = None,
        progress: bool = True,
        **kwargs: Any,
    ) -> Iterator[tuple[int, Any]]:
        """Run once for each input, many at a time, and hand out each output as it is there.

        Args:
            inputs: The inputs.
            config: As for `batch`.
            return_exceptions: Whether failures are yielded, not raised.
            checkpoint: As for `batch`.
            progress: As for `batch`.
            **kwargs: What `invoke` takes.

        Yields:
            Pairs of an input's index and its output.

        Raises:
            BatchError: After all that finished was yielded, if any failed.
            BatchInterrupted: On a KeyboardInterrupt.
        """
        calls, limit = self._calls(self.invoke, inputs, config, kwargs)
        return as_completed(calls, Terms(limit, return_exceptions, checkpoint, progress))

    def abatch_as_completed(
        self,
        inputs: Sequence[In],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        checkpoint: str | Path | None = None,
        progress: bool = True,
        **kwargs: Any,
    ) -> AsyncGenerator[tuple[int, Any], None]:
        """Hand out each output as it is there, without blocking; like `batch_as_completed`."""
        calls, limit = self._calls(self.ainvoke, inputs, config, kwargs)
        return aas_completed(calls, Terms(limit, return_exceptions, checkpoint, progress))

    def output_of_run(self, output: Any) -> dict[str, Any]:
        """How handlers and logs see what a run gave."""
        return {"output": output}

    def cost_of_run(self, output: Any) -> float | None:
        """What a run cost by itself, in US dollars, where that is known."""
        return None

    def metadata_of_run(self) -> dict[str, Any]:
        """What handlers and logs are told of every run, beside what its config says."""
        return {}

    def usage_of_run(self, output: Any) -> UsageMetadata | None:
        """The tokens that a run took by itself, without those beneath it."""
        return None

    def _calls(
        self, verb: Callable[..., Any], inputs: Sequence[Any], config: Any, kwargs: dict[str, Any]
    ) -> tuple[list[Callable[[], Any]], int | None]:
        if isinstance(inputs, str | dict) or not isinstance(inputs, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"A batch takes a list of inputs, not {type(inputs).__name__}")
        configs = configs_for(config, len(inputs))
        limits = effective_config(configs[0] if configs else None)
        pairs = zip(inputs, configs, strict=True)
        calls = [partial(verb, each, own, **kwargs) for each, own in pairs]
        return calls, (limits or {}).get("max_concurrency")


_DERIVED = {verb: getattr(Verbs, verb) for verb in _VERBS}


async def _awaited(
    verb: Callable[..., Any], input: Any, config: RunnableConfig | None, kwargs: dict[str, Any]
) -> Any:
    return await verb(input, config, **kwargs)
