"""The verbs of runnables with handlers told of each run; where nobody listens, the bare verbs.

A verb that a class implements is wrapped when the class is made. Only then is there a run of the
config: it stands in what the verb hands on to the runnables beneath it.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import partial, wraps
from typing import Any, TypeAlias, TypeVar

from chatnb.runnables.chunks import add_up, says_anything
from chatnb.runnables.config import RunnableConfig, effective_config, merge_configs, surrounding
from chatnb.runnables.inputs import AsyncStarted, Started, Whole
from chatnb.runnables.loop_thread import package_loop
from chatnb.runnables.threads import close
from chatnb.tracing.handlers import handlers_everywhere, report
from chatnb.tracing.run import Origin, Run

T = TypeVar("T")

origin: ContextVar[Origin] = ContextVar("chatnb_origin", default=Origin())  # noqa: B039 (it is frozen)
"""Where the runs of this context get their times and ids from."""
_OF_ONE_RUN = ("run_name", "run_id")
_everywhere = handlers_everywhere()


Listener: TypeAlias = tuple[Any, Callable[..., Any]]
"""A handler, and its method for an event, with the run already given."""


class InnerConfig(dict[str, Any]):
    """The config that a run hands on, and whose it is: a verb that a runnable calls on itself with
    it is part of the same run."""

    def __init__(self, config: RunnableConfig, runnable: object) -> None:
        super().__init__(config)
        self.runnable = runnable


class Traced:
    """A run that is under way, and who is told of it.

    Args:
        runnable: What runs.
        run: The run.
        config: The config that holds for it.
    """

    def __init__(self, runnable: Any, run: Run, config: RunnableConfig | None) -> None:
        self.runnable = runnable
        self.run = run
        inner = merge_configs(config, {"parent_run": run}, without=_OF_ONE_RUN)
        self.inner: Any = InnerConfig(inner, runnable)
        self._chunks: list[Any] = []
        self._came: Started | AsyncStarted | None = None

    def take(self, chunk: Any) -> None:
        """Take a chunk of the output."""
        self._chunks.append(chunk)
        run = self.run
        if run.first_token_time is None and run.type == "llm" and says_anything(chunk):
            run.first_token_time = origin.get().now()

    def token_listeners(self, *events: str) -> list[Listener]:
        """Who is told of its tokens, found once for all of them."""
        if self.run.type != "llm":
            return []
        listeners = _methods(self.inner, *events)
        return [each for each in listeners if not _ignores_tokens(each[0], self.run)]

    def watch(self, input: Started | AsyncStarted) -> None:
        """Take the chunks of the input as they are read."""
        self._came = input

    def finish(self, *output: Any) -> None:
        """The run has given its output; without one, what its chunks add up to."""
        self._end(output or self._sum())

    def fail(self, exception: BaseException) -> None:
        """The run broke off."""
        self._end(self._sum())
        self.run.fail(exception, origin.get().now())

    def _sum(self) -> tuple[Any, ...]:
        if not self._chunks:
            return ()
        replace: bool | None = self.runnable.chunks_replace
        if replace is None:
            replace = self._came is not None and self._came.replace
        return (_summed(self._chunks, replace=replace),)

    def _end(self, output: tuple[Any, ...]) -> None:
        self.run.end_time = origin.get().now()
        came = self._came
        if came is not None and came.seen:
            self.run.inputs = _summed(came.seen, replace=came.replace)
            self.run.inputs_came_late = True
        if output:
            self.run.output = self.runnable.output_of_run(*output)
            self.run.usage_metadata = self.runnable.usage_of_run(*output)
            self.run.cost = self.runnable.cost_of_run(*output)


def _summed(chunks: list[Any], *, replace: bool) -> Any:
    try:
        return add_up(chunks, replace=replace)
    except Exception:  # Who reads them one by one needs no sum, and is not to fail for want of it.
        return chunks


def is_listened_to(config: RunnableConfig | None) -> bool:
    """Whether anybody is told of the run that has this config."""
    if _everywhere or (isinstance(config, dict) and config.get("callbacks")):
        return True
    outer = surrounding.get()
    return outer is not None and bool(outer.get("callbacks"))


def traced(runnable: Any, input: Any, config: RunnableConfig | None) -> Traced | None:
    """Make the run of a call; None where nobody listens, and where it is part of a run already.

    Args:
        runnable: What is called.
        input: With what; None while that streams in.
        config: The config of the call.
    """
    if getattr(config, "runnable", None) is runnable or not is_listened_to(config):
        return None
    config = effective_config(config)
    given, source = config or RunnableConfig(), origin.get()
    run = Run(
        id=str(given.get("run_id") or source.new_id()),
        name=given.get("run_name") or runnable.get_name(),
        type=runnable.run_type,
        start_time=source.now(),
        parent=given.get("parent_run"),
        tags=given.get("tags", []),
        metadata={**runnable.metadata_of_run(), **given.get("metadata", {})},
        inputs=input,
    )
    return Traced(runnable, run, config)


def tell(config: RunnableConfig | None, event: str, *said: Any) -> None:
    """Tell the handlers of the run that a config belongs to; asynchronous ones run meanwhile.

    Args:
        config: What a run hands on.
        event: The handlers' method.
        *said: What it takes beside the run.
    """
    _tell_each(_methods(config, event), event, *said)


async def atell(config: RunnableConfig | None, event: str, *said: Any) -> None:
    """Tell the handlers of a run, without blocking; like `tell`."""
    await _atell_each(_methods(config, f"a{event}", event), event, *said)


def _tell_each(listeners: Iterable[Listener], event: str, *said: Any) -> None:
    stopped: BaseException | None = None
    for handler, method in listeners:
        try:
            outcome = method(*said)
            if inspect.isawaitable(outcome):
                package_loop.run(_awaited(outcome))
        except Exception:
            report(handler, event)
        except BaseException as error:  # The other handlers are to know nevertheless.
            stopped = error
    if stopped is not None:
        raise stopped


async def _atell_each(listeners: Iterable[Listener], event: str, *said: Any) -> None:
    stopped: BaseException | None = None
    for handler, method in listeners:
        try:
            outcome = method(*said)
            if inspect.isawaitable(outcome):
                await outcome
        except Exception:
            report(handler, event)
        except BaseException as error:
            stopped = error
    if stopped is not None:
        raise stopped


def _methods(config: RunnableConfig | None, *events: str) -> Iterator[Listener]:
    if config is None or "parent_run" not in config:
        return
    for handler in (*config.get("callbacks", ()), *_everywhere):
        methods = (getattr(handler, event, None) for event in events)
        method = next((method for method in methods if method is not None), None)
        if method is not None:
            yield handler, partial(method, config["parent_run"])


def _ignores_tokens(handler: Any, run: Run) -> bool:
    ignores = getattr(handler, "ignores_tokens_of", None)
    return ignores is not None and bool(ignores(run))


async def _awaited(outcome: Awaitable[T]) -> T:
    return await outcome


@contextmanager
def running(active: Traced) -> Generator[None]:
    """A run from its start to its end, for synchronous verbs."""
    try:
        tell(active.inner, "on_start")
        yield
    except BaseException as error:
        active.fail(error)
        tell(active.inner, "on_error")
        raise
    tell(active.inner, "on_end")


@asynccontextmanager
async def arunning(active: Traced) -> AsyncGenerator[None]:
    """A run from its start to its end, for asynchronous verbs."""
    try:
        await atell(active.inner, "on_start")
        yield
    except BaseException as error:
        active.fail(error)
        await atell(active.inner, "on_error")
        raise
    await atell(active.inner, "on_end")


def run_traced(
    runnable: Any, input: Any, config: RunnableConfig | None, work: Callable[[Any], T]
) -> T:
    """Do the work of one run, with handlers told of it.

    Args:
        runnable: What runs.
        input: With what.
        config: The config of the call.
        work: Takes the config to hand on, and gives the output.
    """
    active = traced(runnable, input, config)
    if active is None:
        return work(config)
    with running(active):
        output = work(active.inner)
        active.finish(output)
    return output


async def arun_traced(
    runnable: Any, input: Any, config: RunnableConfig | None, work: Callable[[Any], Awaitable[T]]
) -> T:
    """Do the work of one run, with handlers told of it; like `run_traced`."""
    active = traced(runnable, input, config)
    if active is None:
        return await work(config)
    async with arunning(active):
        output = await work(active.inner)
        active.finish(output)
    return output


def _invoked(self: Any, method: Any, input: Any, config: Any, kwargs: dict[str, Any]) -> Any:
    return run_traced(self, input, config, lambda inner: method(self, input, inner, **kwargs))


def _ainvoked(
    self: Any, method: Any, input: Any, config: Any, kwargs: dict[str, Any]
) -> Awaitable[Any]:
    return arun_traced(self, input, config, lambda inner: method(self, input, inner, **kwargs))


def _streamed(
    self: Any, method: Any, input: Any, config: Any, kwargs: dict[str, Any]
) -> Iterator[Any]:
    return _chunks_of(self, method, input, input, config, kwargs)


def _astreamed(
    self: Any, method: Any, input: Any, config: Any, kwargs: dict[str, Any]
) -> AsyncGenerator[Any, None]:
    return _achunks_of(self, method, input, input, config, kwargs)


def _chunks_of(
    self: Any, method: Any, input: Any, known: Any, config: Any, kwargs: dict[str, Any]
) -> Iterator[Any]:
    active = traced(self, known, config)
    given = _seen_by(active, input)
    if active is None:
        yield from method(self, given, config, **kwargs)
        return
    with running(active):
        listeners = active.token_listeners("on_token")
        chunks = method(self, given, active.inner, **kwargs)
        try:
            for chunk in chunks:
                active.take(chunk)
                if listeners:
                    _tell_each(listeners, "on_token", chunk)
                yield chunk
        finally:
            close(chunks)
        active.finish()


async def _achunks_of(
    self: Any, method: Any, input: Any, known: Any, config: Any, kwargs: dict[str, Any]
) -> AsyncGenerator[Any, None]:
    active = traced(self, known, config)
    given = _seen_by(active, input)
    if active is None:
        async with aclosing(method(self, given, config, **kwargs)) as chunks:
            async for chunk in chunks:
                yield chunk
        return
    async with arunning(active):
        listeners = active.token_listeners("aon_token", "on_token")
        async with aclosing(method(self, given, active.inner, **kwargs)) as chunks:
            async for chunk in chunks:
                active.take(chunk)
                if listeners:
                    await _atell_each(listeners, "on_token", chunk)
                yield chunk
        active.finish()


def _transformed(
    self: Any, method: Any, input: Any, config: Any, kwargs: dict[str, Any]
) -> Iterator[Any]:
    """A run over chunks starts with the first of them, after the run that they come from."""
    known = input.value if isinstance(input, Whole) else None
    started = input if isinstance(input, Whole) else Started(input)
    yield from _chunks_of(self, method, started, known, config, kwargs)


async def _atransformed(
    self: Any, method: Any, input: Any, config: Any, kwargs: dict[str, Any]
) -> AsyncGenerator[Any, None]:
    known = input.value if isinstance(input, Whole) else None
    started = input if isinstance(input, Whole) else await AsyncStarted(input).start()
    async with aclosing(_achunks_of(self, method, started, known, config, kwargs)) as chunks:
        async for chunk in chunks:
            yield chunk


def _seen_by(active: Traced | None, input: Any) -> Any:
    if not isinstance(input, Started | AsyncStarted):
        return input
    if active is not None:
        active.watch(input)
    return input.as_it_came()


_LISTENED: dict[str, Callable[..., Any]] = {
    "invoke": _invoked,
    "ainvoke": _ainvoked,
    "stream": _streamed,
    "astream": _astreamed,
    "transform": _transformed,
    "atransform": _atransformed,
}
"""The verbs as they are where somebody listens."""


def trace_verbs(runnable_class: type) -> None:
    """Have the verbs that a class implements tell of their runs.

    Args:
        runnable_class: A class of runnables, as it is made.
    """
    for name, listened in _LISTENED.items():
        method = vars(runnable_class).get(name)
        if inspect.isfunction(method):
            setattr(runnable_class, name, _wrapped(method, listened))


def _wrapped(method: Any, listened: Callable[..., Any]) -> Any:
    @wraps(method)
    def verb(self: Any, input: Any, config: Any = None, **kwargs: Any) -> Any:
        if not (config or _everywhere or surrounding.get()) or not is_listened_to(config):
            return method(self, input, config, **kwargs)
        return listened(self, method, input, config, kwargs)

    setattr(verb, "bare", method)  # noqa: B010 (a wrapper has no attribute of this name)
    return verb
