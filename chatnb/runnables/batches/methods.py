"""The methods of a runnable that take many inputs."""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import aclosing, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast, overload

from chatnb.errors import BatchError, BatchInterrupted
from chatnb.redaction import hide_in_config, hide_in_options
from chatnb.runnables.batches.batch import (
    BatchOptions,
    aas_completed,
    as_completed,
    configs_for,
    values_of,
)
from chatnb.runnables.batches.input_streams import astream_completed, stream_completed
from chatnb.runnables.batches.inputs import check_inputs, input_list
from chatnb.runnables.config import CONFIG_KEYS, RunnableConfig, effective_config, take_config

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from chatnb.runnables.base import Runnable

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)


class BatchMethods(Generic[In, Out]):
    """The methods of a runnable that take many inputs, over its `invoke` and `ainvoke`."""

    takes_config_keywords: bool = True
    """False if keywords such as `tags` are its own, and not entries of the config."""

    if TYPE_CHECKING:

        def invoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out: ...
        async def ainvoke(
            self, input: In, config: RunnableConfig | None = None, **kwargs: Any
        ) -> Out: ...

    @overload
    def batch(
        self,
        inputs: Iterable[In],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: Literal[False] = False,
        checkpoint: str | Path | None = None,
        checkpoint_grace: float = 0.0,
        progress: bool = True,
        executor: Executor | None = None,
        send_keys: bool = False,
        **kwargs: Any,
    ) -> list[Out]: ...
    @overload
    def batch(
        self,
        inputs: Iterable[In],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool,
        checkpoint: str | Path | None = None,
        checkpoint_grace: float = 0.0,
        progress: bool = True,
        executor: Executor | None = None,
        send_keys: bool = False,
        **kwargs: Any,
    ) -> list[Out | Exception]: ...
    def batch(
        self,
        inputs: Iterable[In],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        checkpoint: str | Path | None = None,
        checkpoint_grace: float = 0.0,
        progress: bool = True,
        executor: Executor | None = None,
        send_keys: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Run once for each input, many at a time.

        When a provider limits the rate of calls, the whole batch waits as long as the provider
        says and goes on more slowly, instead of failing.

        Args:
            inputs: The inputs: a list, or any iterable, such as a column of a table.
            config: One config for all, or a list with one for each; `max_concurrency` is the
                number of inputs that run at a time (64 by default).
            return_exceptions: True to return exceptions in the list instead of raising.
            checkpoint: A file in which every reply of a chat model is saved as it arrives: the
                same call after a crash or an interrupt requests only those that are missing.
            checkpoint_grace: Seconds that an interrupt leaves to calls under way, whose replies
                are kept; by default their connections are closed at once.
            progress: False to show no bar; it appears after two seconds.
            executor: A `concurrent.futures.Executor` whose workers run the inputs, a part of them
                each: a `ProcessPoolExecutor`, `client.get_executor()` of dask, `client.executor()`
                of ipyparallel. `max_concurrency` is then that of each worker.
            send_keys: True to send API keys to the workers; they have their own in their
                environment otherwise.
            **kwargs: Arguments of `invoke`.

        Returns:
            The outputs, in the order of the inputs.

        Raises:
            BatchError: If any failed; it is of the first failure's class as well, and has the
                results of those that finished.
            BatchInterrupted: On a KeyboardInterrupt, likewise.
        """
        kwargs, config = hide_in_options(kwargs), hide_in_config(config)
        inputs = input_list(inputs)
        options = BatchOptions(None, return_exceptions, checkpoint, progress, checkpoint_grace)
        if executor is not None:
            pairs = _on_executor(self, inputs, config, kwargs, options, executor, send_keys)
            return gather(pairs, len(inputs))
        calls, limit = _batch_calls(self, self.invoke, inputs, config, kwargs)
        options = replace(options, max_concurrency=limit)
        outputs = values_of(calls, options)
        return [outputs[index] for index in range(len(inputs))]

    async def abatch(
        self,
        inputs: Iterable[In],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        checkpoint: str | Path | None = None,
        checkpoint_grace: float = 0.0,
        progress: bool = True,
        **kwargs: Any,
    ) -> list[Any]:
        """Run once for each input, many at a time, without blocking; like `batch`."""
        kwargs, config = hide_in_options(kwargs), hide_in_config(config)
        inputs = input_list(inputs)
        calls, limit = _batch_calls(self, self.ainvoke, inputs, config, kwargs)
        options = BatchOptions(limit, return_exceptions, checkpoint, progress, checkpoint_grace)
        async with aclosing(aas_completed(calls, options)) as pairs:
            outputs = {index: output async for index, output in pairs}
        return [outputs[index] for index in range(len(inputs))]

    def batch_as_completed(
        self,
        inputs: Iterable[In] | AsyncIterable[In],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        checkpoint: str | Path | None = None,
        checkpoint_grace: float = 0.0,
        progress: bool = True,
        executor: Executor | None = None,
        send_keys: bool = False,
        **kwargs: Any,
    ) -> Iterator[tuple[int, Any]]:
        """Run once for each input, many at a time, and yield each output as it arrives.

        Args:
            inputs: The inputs: a list, or any iterable or asynchronous iterable, of which at most
                four inputs for each that runs are in memory.
            config: As for `batch`; one for all, if the inputs are no list.
            return_exceptions: True to yield exceptions instead of raising.
            checkpoint: As for `batch`.
            checkpoint_grace: As for `batch`.
            progress: As for `batch`.
            executor: As for `batch`.
            send_keys: As for `batch`.
            **kwargs: Arguments of `invoke`.

        Yields:
            Pairs of an input's index and its output.

        Raises:
            BatchError: After all outputs were yielded, if any input failed. If the inputs are no
                list, its `results` are those that were not yielded.
            BatchInterrupted: On a KeyboardInterrupt.

        Example:
            >>> from chatnb.runnables import RunnableLambda
            >>> texts = (str(number) for number in range(1_000))
            >>> sum(length for _, length in RunnableLambda(len).batch_as_completed(texts))
            2890
        """
        kwargs, config = hide_in_options(kwargs), hide_in_config(config)
        options = BatchOptions(None, return_exceptions, checkpoint, progress, checkpoint_grace)
        if executor is not None:
            return _on_executor(self, inputs, config, kwargs, options, executor, send_keys)
        if isinstance(inputs, Sequence):
            calls, limit = _batch_calls(self, self.invoke, inputs, config, kwargs)
            return as_completed(calls, replace(options, max_concurrency=limit))
        call, limit = _stream_call(self, self.invoke, inputs, config, kwargs)
        return stream_completed(
            inputs, call, replace(options, max_concurrency=limit), in_order=False
        )

    def abatch_as_completed(
        self,
        inputs: Iterable[In] | AsyncIterable[In],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        checkpoint: str | Path | None = None,
        checkpoint_grace: float = 0.0,
        progress: bool = True,
        **kwargs: Any,
    ) -> AsyncGenerator[tuple[int, Any], None]:
        """Yield each output as it arrives, without blocking; like `batch_as_completed`."""
        kwargs, config = hide_in_options(kwargs), hide_in_config(config)
        options = BatchOptions(None, return_exceptions, checkpoint, progress, checkpoint_grace)
        if isinstance(inputs, Sequence):
            calls, limit = _batch_calls(self, self.ainvoke, inputs, config, kwargs)
            return aas_completed(calls, replace(options, max_concurrency=limit))
        call, limit = _stream_call(self, self.ainvoke, inputs, config, kwargs)
        return astream_completed(
            inputs, call, replace(options, max_concurrency=limit), in_order=False
        )

    @overload
    def map(self) -> Runnable[Sequence[In], list[Out]]: ...
    @overload
    def map(
        self,
        inputs: Iterable[In] | AsyncIterable[In],
        config: RunnableConfig | None = None,
        *,
        return_exceptions: Literal[False] = False,
        checkpoint: str | Path | None = None,
        checkpoint_grace: float = 0.0,
        progress: bool = True,
        executor: Executor | None = None,
        send_keys: bool = False,
        **kwargs: Any,
    ) -> Iterator[Out]: ...
    @overload
    def map(
        self,
        inputs: Iterable[In] | AsyncIterable[In],
        config: RunnableConfig | None = None,
        *,
        return_exceptions: bool,
        checkpoint: str | Path | None = None,
        checkpoint_grace: float = 0.0,
        progress: bool = True,
        executor: Executor | None = None,
        send_keys: bool = False,
        **kwargs: Any,
    ) -> Iterator[Out | Exception]: ...
    def map(
        self,
        inputs: Any = None,
        config: RunnableConfig | None = None,
        *,
        return_exceptions: bool = False,
        checkpoint: str | Path | None = None,
        checkpoint_grace: float = 0.0,
        progress: bool = True,
        executor: Executor | None = None,
        send_keys: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Run once for each input, many at a time, and yield the outputs in their order.

        Neither the inputs nor the outputs are held: at most four inputs for each that runs are in
        memory, so that a million of them may be mapped. Without inputs, `map()` returns this
        runnable over a list, as a step of a chain.

        Args:
            inputs: Any iterable or asynchronous iterable. It is read on this thread.
            config: One config for all; `max_concurrency` is the number of inputs that run at a
                time (64 by default).
            return_exceptions: True to yield exceptions instead of raising.
            checkpoint: As for `batch`.
            checkpoint_grace: As for `batch`.
            progress: As for `batch`.
            executor: As for `batch`.
            send_keys: As for `batch`.
            **kwargs: Arguments of `invoke`.

        Returns:
            An iterator over the outputs; closing it ends the calls under way. Or a runnable.

        Raises:
            BatchError: After the outputs before the first failure; its `results` are those that
                arrived after it.
            BatchInterrupted: On a KeyboardInterrupt.

        Example:
            >>> from chatnb.runnables import RunnableLambda
            >>> list(RunnableLambda(len).map(word for word in ["a", "bcd"]))
            [1, 3]
            >>> RunnableLambda(len).map().invoke(["a", "bcd"])
            [1, 3]
        """
        if inputs is None:
            from chatnb.runnables.binding import RunnableEach

            return RunnableEach(cast("Runnable[In, Out]", self))
        kwargs, config = hide_in_options(kwargs), hide_in_config(config)
        options = BatchOptions(None, return_exceptions, checkpoint, progress, checkpoint_grace)
        if executor is not None:
            pairs = _on_executor(
                self, inputs, config, kwargs, options, executor, send_keys, in_order=True
            )
            return _outputs(pairs)
        call, limit = _stream_call(self, self.invoke, inputs, config, kwargs)
        options = replace(options, max_concurrency=limit)
        return _outputs(stream_completed(inputs, call, options, in_order=True))

    def amap(
        self,
        inputs: Iterable[In] | AsyncIterable[In],
        config: RunnableConfig | None = None,
        *,
        return_exceptions: bool = False,
        checkpoint: str | Path | None = None,
        checkpoint_grace: float = 0.0,
        progress: bool = True,
        **kwargs: Any,
    ) -> AsyncGenerator[Any, None]:
        """Yield the outputs in the order of the inputs, without blocking; like `map`."""
        kwargs, config = hide_in_options(kwargs), hide_in_config(config)
        call, limit = _stream_call(self, self.ainvoke, inputs, config, kwargs)
        options = BatchOptions(limit, return_exceptions, checkpoint, progress, checkpoint_grace)
        return _aoutputs(astream_completed(inputs, call, options, in_order=True))


def _outputs(pairs: Generator[tuple[int, Any]]) -> Iterator[Any]:
    with closing(pairs):
        for _, output in pairs:
            yield output


async def _aoutputs(pairs: AsyncGenerator[tuple[int, Any], None]) -> AsyncGenerator[Any, None]:
    async with aclosing(pairs):
        async for _, output in pairs:
            yield output


def _stream_call(
    runnable: BatchMethods[Any, Any],
    method: Callable[..., Any],
    inputs: object,
    config: Any,
    kwargs: dict[str, Any],
) -> tuple[Callable[[Any], Any], int | None]:
    config, kwargs, limit = _shared_config(runnable, inputs, config, kwargs)
    return partial(_call_with, method, config, kwargs), limit


def _shared_config(
    runnable: BatchMethods[Any, Any], inputs: object, config: Any, kwargs: dict[str, Any]
) -> tuple[RunnableConfig | None, dict[str, Any], int | None]:
    """Return the config of all inputs, the other arguments, and how many run at a time."""
    check_inputs(inputs)
    if isinstance(config, Sequence):
        raise TypeError("Inputs of an iterator or an executor take one config for all, not a list")
    if runnable.takes_config_keywords:
        config, kwargs = take_config(config, kwargs)
    [shared] = configs_for(config, 1)
    if shared and "run_id" in shared:
        raise ValueError("run_id is the id of one run, and there may be many inputs")
    return shared, kwargs, (effective_config(shared) or {}).get("max_concurrency")


def _on_executor(
    runnable: BatchMethods[Any, Any],
    inputs: Any,
    config: Any,
    kwargs: dict[str, Any],
    options: BatchOptions,
    executor: Executor,
    send_keys: bool,
    *,
    in_order: bool = False,
) -> Generator[tuple[int, Any]]:
    from chatnb.runnables.batches.executors import Workers, executor_completed

    shared, kwargs, limit = _shared_config(runnable, inputs, config, kwargs)
    return executor_completed(
        runnable.invoke,
        inputs,
        shared,
        kwargs,
        replace(options, max_concurrency=limit),
        Workers(executor, send_keys),
        in_order=in_order,
    )


def gather(pairs: Iterable[tuple[int, Any]], total: int) -> list[Any]:
    """Return the outputs of so many inputs in order; an error of the batch gets all of them."""
    outputs = dict[int, Any]()
    try:
        outputs.update(pairs)
    except (BatchError, BatchInterrupted) as error:
        error.results.update(outputs)
        ended = error.results.keys() | error.failures.keys()
        error.remaining = [index for index in range(total) if index not in ended]
        raise
    return [outputs[index] for index in range(total)]


def _call_with(
    method: Callable[..., Any], config: RunnableConfig | None, kwargs: dict[str, Any], input: Any
) -> Any:
    return method(input, config, **kwargs)


def _batch_calls(
    runnable: BatchMethods[Any, Any],
    method: Callable[..., Any],
    inputs: Sequence[Any],
    config: Any,
    kwargs: dict[str, Any],
) -> tuple[list[Callable[[], Any]], int | None]:
    check_inputs(inputs)
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
