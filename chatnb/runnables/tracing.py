"""Wrap the methods of runnables so that handlers receive events; no overhead without handlers."""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Iterator
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from functools import partial, wraps
from itertools import chain
from typing import Any, TypeAlias, TypeVar

from chatnb.concurrency.portal import package_portal
from chatnb.concurrency.threads import close
from chatnb.redaction import hide_in_options
from chatnb.runnables.chunks import (
    AsyncPeekedIterator,
    PeekedInput,
    PeekedIterator,
    SingleItem,
    add_up,
    has_content,
)
from chatnb.runnables.config import (
    CONFIG_KEYS,
    SINGLE_RUN_KEYS,
    RunnableConfig,
    effective_config,
    inherited_config,
    merge_configs,
    receive_config,
    take_config,
)
from chatnb.runnables.deadlines import (
    ainvoke_within,
    astream_within,
    invoke_within,
    stream_within,
)
from chatnb.tracing.handlers import global_handlers, log_handler_failure
from chatnb.tracing.run import ClockAndIds, Run

# Methods are wrapped when a class is made. The run exists only in the config that a method passes
# on to the runnables below it.

T = TypeVar("T")
HandlerMethod: TypeAlias = tuple[Any, Callable[..., Any]]  # A handler and its method, run bound.

# The clock and the ids of runs in this context.
origin: ContextVar[ClockAndIds] = ContextVar("chatnb_origin", default=ClockAndIds())  # noqa: B039 (frozen)
_global_handlers = global_handlers()


class InnerConfig(dict[str, Any]):
    """The config that a run passes on; a method that `runnable` calls on itself is no new run."""

    def __init__(self, config: RunnableConfig, runnable: object) -> None:
        super().__init__(config)
        self.runnable = runnable


class ActiveRun:
    """A run with handlers, from its start to its end."""

    def __init__(self, runnable: Any, run: Run, config: RunnableConfig | None) -> None:
        self.runnable = runnable
        self.run = run
        inner = merge_configs(config, {"parent_run": run}, without=SINGLE_RUN_KEYS)
        self.inner: Any = InnerConfig(inner, runnable)
        self._chunks: list[Any] = []
        self.input: PeekedInput | None = None

    def add_chunk(self, chunk: Any) -> None:
        """Add a chunk of the output."""
        self._chunks.append(chunk)
        _note_first_token(self.run, chunk)

    def token_methods(self) -> list[HandlerMethod]:
        """Return the handlers of the run's chunks or tokens, found once for all of them."""
        return _token_methods(self.inner)

    def finish(self, *output: Any) -> None:
        """Record the output; without one, the sum of the chunks."""
        self._end(output or self._sum_chunks())

    def fail(self, exception: BaseException) -> None:
        """Record an exception, with the output so far."""
        self.run.fail(exception, self.run.time(origin.get().now()))
        self._end(self._sum_chunks())

    def _sum_chunks(self) -> tuple[Any, ...]:
        if not self._chunks:
            return ()
        replace: bool | None = self.runnable.chunks_replace
        if replace is None:
            replace = self.input is not None and self.input.replace
        return (_sum(self._chunks, replace=replace),)

    def _end(self, output: tuple[Any, ...]) -> None:
        run, runnable, input = self.run, self.runnable, self.input
        run.end_time = run.time(origin.get().now())
        if input is not None and input.seen:
            run.inputs = _sum(input.seen, replace=input.replace)
            run.inputs_came_late = True
        if output:
            run.output = runnable.output_of_run(*output)
            run.usage_metadata = runnable.usage_of_run(*output)
            run.cost = runnable.cost_of_run(*output)


def _sum(chunks: list[Any], *, replace: bool) -> Any:
    try:
        return add_up(chunks, replace=replace)
    except Exception:  # A reader of single chunks needs no sum, and must not fail for lack of it.
        return chunks


def has_handlers(config: RunnableConfig | None, own: RunnableConfig | None = None) -> bool:
    """Return whether any handler receives the events of a run with these configs."""
    if _global_handlers or (isinstance(config, dict) and config.get("callbacks")):
        return True
    if own is not None and own.get("callbacks"):
        return True
    outer = inherited_config.get()
    return outer is not None and bool(outer.get("callbacks"))


def active_run(runnable: Any, input: Any, config: RunnableConfig | None) -> ActiveRun | None:
    """Return the run of a call; None without handlers, and for calls within the same run."""
    own: RunnableConfig | None = getattr(runnable, "own_config", None)
    if getattr(config, "runnable", None) is runnable or not has_handlers(config, own):
        return None
    config = effective_config(config)
    if own is not None:
        config = merge_configs(own, config)
    given, source = config or RunnableConfig(), origin.get()
    run = Run(
        id=str(given.get("run_id") or source.new_id()),
        name=given.get("run_name") or runnable.get_name(),
        type=runnable.run_type,
        start_time=source.now(),
        parent=given.get("parent_run"),
        tags=[*([given["run_tag"]] if "run_tag" in given else []), *given.get("tags", [])],
        metadata={**runnable.metadata_of_run(), **given.get("metadata", {})},
        inputs=input,
    )
    return ActiveRun(runnable, run, config)


def notify(config: RunnableConfig | None, event: str, *args: Any) -> None:
    """Call the handlers of the run that passed on a config; asynchronous ones are waited for."""
    _call_handlers(_handler_methods(config, event), event, *args)


async def anotify(config: RunnableConfig | None, event: str, *args: Any) -> None:
    """Call the handlers of a run without blocking; like `notify`."""
    await _acall_handlers(_handler_methods(config, event), event, *args)


def notify_token(config: RunnableConfig | None, chunk: Any) -> None:
    """Call the handlers of a model's run for a chunk of a reply that is gathered."""
    if methods := _token_methods(config, chunk):
        _call_handlers(methods, "on_token", chunk)


async def anotify_token(config: RunnableConfig | None, chunk: Any) -> None:
    """Call the handlers for a chunk without blocking; like `notify_token`."""
    if methods := _token_methods(config, chunk):
        await _acall_handlers(methods, "on_token", chunk)


def _token_methods(config: RunnableConfig | None, chunk: Any = None) -> list[HandlerMethod]:
    if config is None or (run := config.get("parent_run")) is None:
        return []
    methods = list(_handler_methods(config, "on_chunk"))
    if run.type != "llm":
        return methods
    if chunk is not None:
        _note_first_token(run, chunk)
    tokens = _handler_methods(config, "on_token")
    return methods + [each for each in tokens if not _ignores_tokens(each[0], run)]


def _note_first_token(run: Run, chunk: Any) -> None:
    if run.first_token_time is None and run.type == "llm" and has_content(chunk):
        run.first_token_time = run.time(origin.get().now())


def _call_handlers(methods: Iterable[HandlerMethod], event: str, *args: Any) -> None:
    interrupt: BaseException | None = None
    for handler, method in methods:
        try:
            outcome = method(*args)
            if outcome is not None and inspect.isawaitable(outcome):
                package_portal.run(_await(outcome))
        except Exception:
            log_handler_failure(handler, event)
        except BaseException as error:  # The other handlers get the event nevertheless.
            interrupt = error
    if interrupt is not None:
        raise interrupt


async def _acall_handlers(methods: Iterable[HandlerMethod], event: str, *args: Any) -> None:
    interrupt: BaseException | None = None
    for handler, method in methods:
        try:
            outcome = method(*args)
            if outcome is not None and inspect.isawaitable(outcome):
                await outcome
        except Exception:
            log_handler_failure(handler, event)
        except BaseException as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt


async def _await(outcome: Awaitable[T]) -> T:
    return await outcome


def _handler_methods(config: RunnableConfig | None, event: str) -> Iterator[HandlerMethod]:
    if config is None or "parent_run" not in config:
        return
    # By identity: a handler that is both global and in `callbacks` gets each event once.
    handlers = {id(each): each for each in (*config.get("callbacks", ()), *_global_handlers)}
    for handler in handlers.values():
        method = getattr(handler, event, None)
        if method is not None:
            yield handler, partial(method, config["parent_run"])


def _ignores_tokens(handler: Any, run: Run) -> bool:
    ignores = getattr(handler, "ignores_tokens_of", None)
    return ignores is not None and bool(ignores(run))


@contextmanager
def _run_events(active: ActiveRun) -> Generator[None]:
    try:
        notify(active.inner, "on_start")
        yield
    except BaseException as error:
        try:
            active.fail(error)
        finally:
            notify(active.inner, "on_error")
        raise
    notify(active.inner, "on_end")


class _AsyncRunEvents:
    """Tells the handlers of a run of its start and its end; like `_run_events`."""

    # A generator would not do: a loop that ends closes all asynchronous generators in any order,
    # and so this one before the stream that it is used in.

    def __init__(self, active: ActiveRun) -> None:
        self._active = active

    async def __aenter__(self) -> None:
        try:
            await anotify(self._active.inner, "on_start")
        except BaseException as error:
            await self._fail(error)
            raise

    async def __aexit__(self, type: object, error: BaseException | None, traceback: object) -> None:
        if error is not None:
            await self._fail(error)
            return
        await anotify(self._active.inner, "on_end")

    async def _fail(self, error: BaseException) -> None:
        try:
            self._active.fail(error)
        finally:
            await anotify(self._active.inner, "on_error")


def run_instrumented(
    runnable: Any, input: Any, config: RunnableConfig | None, work: Callable[[Any], T]
) -> T:
    """Run `work` as one run with events; it gets the config to pass on and returns the output."""
    active = active_run(runnable, input, config)
    if active is None:
        return work(config)
    with _run_events(active):
        output = work(active.inner)
        active.finish(output)
    return output


async def arun_instrumented(
    runnable: Any, input: Any, config: RunnableConfig | None, work: Callable[[Any], Awaitable[T]]
) -> T:
    """Run `work` as one run with events; like `run_instrumented`."""
    active = active_run(runnable, input, config)
    if active is None:
        return await work(config)
    async with _AsyncRunEvents(active):
        output = await work(active.inner)
        active.finish(output)
    return output


def _invoke(self: Any, method: Any, input: Any, config: Any, kwargs: dict[str, Any]) -> Any:
    return run_instrumented(self, input, config, lambda inner: method(self, input, inner, **kwargs))


def _ainvoke(
    self: Any, method: Any, input: Any, config: Any, kwargs: dict[str, Any]
) -> Awaitable[Any]:
    return arun_instrumented(
        self, input, config, lambda inner: method(self, input, inner, **kwargs)
    )


def _stream(
    self: Any, method: Any, input: Any, config: Any, kwargs: dict[str, Any]
) -> Iterator[Any]:
    active = active_run(self, _known_input(input), config)
    given = _open_input(active, input)
    if active is None:
        yield from chain(method(self, given, config, **kwargs))
        return
    with _run_events(active):
        token_methods = active.token_methods()
        chunks = method(self, given, active.inner, **kwargs)
        try:
            for chunk in chunks:
                active.add_chunk(chunk)
                if token_methods:
                    _call_handlers(token_methods, "on_token", chunk)
                yield chunk
        finally:
            close(chunks)
        active.finish()


async def _astream(
    self: Any, method: Any, input: Any, config: Any, kwargs: dict[str, Any]
) -> AsyncGenerator[Any, None]:
    active = active_run(self, _known_input(input), config)
    given = _open_input(active, input)
    if active is None:
        async with aclosing(method(self, given, config, **kwargs)) as chunks:
            async for chunk in chunks:
                yield chunk
        return
    async with _AsyncRunEvents(active):
        token_methods = active.token_methods()
        async with aclosing(method(self, given, active.inner, **kwargs)) as chunks:
            async for chunk in chunks:
                active.add_chunk(chunk)
                if token_methods:
                    await _acall_handlers(token_methods, "on_token", chunk)
                yield chunk
        active.finish()


# A run over chunks starts with the first of them, after the run that they come from.
def _transform(
    self: Any, method: Any, input: Any, config: Any, kwargs: dict[str, Any]
) -> Iterator[Any]:
    peeked = input if isinstance(input, SingleItem) else PeekedIterator(input)
    yield from _stream(self, method, peeked, config, kwargs)


async def _atransform(
    self: Any, method: Any, input: Any, config: Any, kwargs: dict[str, Any]
) -> AsyncGenerator[Any, None]:
    peeked = input if isinstance(input, SingleItem) else await AsyncPeekedIterator(input).peek()
    async with aclosing(_astream(self, method, peeked, config, kwargs)) as chunks:
        async for chunk in chunks:
            yield chunk


def _known_input(input: Any) -> Any:
    if isinstance(input, SingleItem):
        return input.value
    return None if isinstance(input, PeekedInput) else input


def _open_input(active: ActiveRun | None, input: Any) -> Any:
    if not isinstance(input, PeekedInput):
        return input
    if active is not None:
        active.input = input
    return input.as_given()


_INSTRUMENTED: dict[str, Callable[..., Any]] = {
    "invoke": _invoke,
    "ainvoke": _ainvoke,
    "stream": _stream,
    "astream": _astream,
    "transform": _transform,
    "atransform": _atransform,
}

_WITHIN: dict[str, Callable[..., Any]] = {
    "invoke": invoke_within,
    "ainvoke": ainvoke_within,
    "stream": stream_within,
    "astream": astream_within,
    "transform": stream_within,
    "atransform": astream_within,
}


def instrument_methods(runnable_class: type) -> None:
    """Wrap the methods that a class of runnables defines, as the class is made."""
    for name, instrumented in _INSTRUMENTED.items():
        method = vars(runnable_class).get(name)
        if inspect.isfunction(method):
            setattr(runnable_class, name, _wrap(method, instrumented, _WITHIN[name]))


_this: Any = sys.modules[__name__]  # Pickles of wrappers, by value, can have no context variable.


def _wrap(method: Any, instrumented: Callable[..., Any], within: Callable[..., Any]) -> Any:
    code = method.__code__
    own = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    config_keys = CONFIG_KEYS.difference(own)

    @wraps(method)
    def wrapper(self: Any, input: Any, config: Any = None, **kwargs: Any) -> Any:
        if kwargs:
            kwargs = hide_in_options(kwargs)
            if self.takes_config_keywords and not config_keys.isdisjoint(kwargs):
                config, kwargs = take_config(config, kwargs, config_keys)
        if config:
            deadline, config = receive_config(config)
            if deadline is not None:
                return within(deadline, partial(wrapper, self, input, config, **kwargs))
        # The first test alone costs the least where there is neither config nor handler.
        own = self.own_config
        known = config or _this._global_handlers or _this.inherited_config.get() or own
        if not known or not has_handlers(config, own):
            return method(self, input, config, **kwargs)
        return instrumented(self, method, input, config, kwargs)

    # For checks of whether it is a coroutine or generator function; `__wrapped__` will not do, as
    # a decorator of the user's may turn one into the other.
    setattr(wrapper, "uninstrumented", method)  # noqa: B010 (a wrapper has no such attribute)
    return wrapper
