"""Functions and generator functions as runnables."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from functools import partial
from typing import Any, TypeVar, overload

from chatnb.concurrency.portal import package_portal
from chatnb.concurrency.threads import (
    call_in_thread,
    close,
    iterate_in_thread,
    pull_in_thread,
    transform_in_thread,
)
from chatnb.runnables.base import Other, Runnable
from chatnb.runnables.chunks import add_up
from chatnb.runnables.config import (
    DEFAULT_RECURSION_LIMIT,
    RunnableConfig,
    child_config,
    effective_config,
    inherited,
    merge_configs,
)
from chatnb.runnables.methods import In, Out
from chatnb.terminal import SafeText

Given = TypeVar("Given")

_END: Any = object()


class RunnableLambda(Runnable[In, Out]):
    """A function of one argument as a runnable.

    It may be a function, a coroutine function, a generator function or an asynchronous generator
    function. A generator function takes the whole input and yields the chunks of the output;
    `RunnableGenerator` is for functions of chunks. A parameter `config` gets the config of the
    run. A runnable that the function returns runs on the same input. Chains called inside it
    inherit the config of the run.

    Args:
        func: The function.
        afunc: An asynchronous function for the asynchronous methods.
        name: Its name; by default that of the function.

    Raises:
        TypeError: If it is not a function.

    Example:
        >>> RunnableLambda(len).invoke("abc")
        3
        >>> def words(text):
        ...     yield from text.split()
        >>> list(RunnableLambda(words).stream("a b")), RunnableLambda(words).invoke("a b")
        (['a', 'b'], 'ab')
    """

    takes_config_keywords = False

    @overload
    def __init__(
        self: RunnableLambda[Given, Other],
        func: Callable[[Given], AsyncIterator[Other]],
        *,
        name: str | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: RunnableLambda[Given, Other],
        func: Callable[[Given], Iterator[Other]],
        afunc: Callable[[Given], Any] | None = None,
        *,
        name: str | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: RunnableLambda[Given, Other],
        func: Callable[[Given], Awaitable[Other]],
        *,
        name: str | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: RunnableLambda[Given, Other],
        func: Callable[[Given], Other],
        afunc: Callable[[Given], Any] | None = None,
        *,
        name: str | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: RunnableLambda[Any, Any],
        func: Callable[..., Any],
        afunc: Callable[..., Any] | None = None,
        *,
        name: str | None = None,
    ) -> None: ...
    def __init__(self, func: Any, afunc: Any = None, *, name: str | None = None) -> None:
        for function in (func, afunc) if afunc is not None else (func,):
            if not callable(function):
                raise TypeError(f"RunnableLambda takes a function, not {type(function).__name__}")
        self._sync: Any = None if _is_async(func) else func
        self._async: Any = func if _is_async(func) else afunc
        self._generates = _matches(inspect.isgeneratorfunction, self._sync)
        self._agenerates = _matches(inspect.isasyncgenfunction, self._async)
        self._sync_takes_config = _takes_config(self._sync)
        self._async_takes_config = _takes_config(self._async)
        self.name = name or getattr(func, "__name__", type(func).__name__)

    def __repr__(self) -> str:
        return SafeText(f"RunnableLambda({self.name})")

    def invoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        if self._sync is None:
            return package_portal.run(self.ainvoke(input, config, **kwargs))
        if self._generates:
            return add_up(list(self.stream(input, config, **kwargs)))
        inner = child_config(effective_config(config))
        output = self._call(input, inner, kwargs)
        if isinstance(output, Runnable):
            return _runnable(output).invoke(input, self._one_deeper(inner))
        return output

    async def ainvoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        if self._async is None and self._generates:
            return await call_in_thread(partial(self.invoke, input, config, **kwargs))
        if self._agenerates:
            async with aclosing(self.astream(input, config, **kwargs)) as chunks:
                return add_up([chunk async for chunk in chunks])
        inner = child_config(effective_config(config))
        output = await self._acall(input, inner, kwargs)
        if isinstance(output, Runnable):
            return await _runnable(output).ainvoke(input, self._one_deeper(inner))
        return output

    def stream(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Out]:
        if self._sync is None:
            return package_portal.stream(partial(self.astream, input, config, **kwargs))
        return self._chunks(input, child_config(effective_config(config)), kwargs)

    def _chunks(
        self, input: Any, inner: RunnableConfig | None, kwargs: dict[str, Any]
    ) -> Iterator[Any]:
        output = self._call(input, inner, kwargs)
        if self._generates:
            yield from _iterate_inheriting(output, inner)
        elif isinstance(output, Runnable):
            yield from itertools.chain(_runnable(output).stream(input, self._one_deeper(inner)))
        else:
            yield output

    async def astream(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        if self._async is None and self._generates:
            chunks = iterate_in_thread(partial(self.stream, input, config, **kwargs))
        else:
            inner = child_config(effective_config(config))
            chunks = self._achunks(input, inner, kwargs)
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    async def _achunks(
        self, input: Any, inner: RunnableConfig | None, kwargs: dict[str, Any]
    ) -> AsyncGenerator[Any, None]:
        if self._agenerates:
            given = _with_config(kwargs, inner) if self._async_takes_config else kwargs
            chunks = _aiterate_inheriting(self._async(input, **given), inner)
        else:
            output = await self._acall(input, inner, kwargs)
            if not isinstance(output, Runnable):
                yield output
                return
            chunks = _runnable(output).astream(input, self._one_deeper(inner))
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    def _call(self, input: Any, inner: RunnableConfig | None, kwargs: dict[str, Any]) -> Any:
        given = _with_config(kwargs, inner) if self._sync_takes_config else kwargs
        if inner is None:
            return self._sync(input, **given)
        with inherited(inner):
            return self._sync(input, **given)

    async def _acall(self, input: Any, inner: RunnableConfig | None, kwargs: dict[str, Any]) -> Any:
        if self._async is None:
            return await call_in_thread(partial(self._call, input, inner, kwargs))
        given = _with_config(kwargs, inner) if self._async_takes_config else kwargs
        with inherited(inner):
            return await self._async(input, **given)

    def _one_deeper(self, inner: RunnableConfig | None) -> RunnableConfig:
        left = (inner or {}).get("recursion_limit", DEFAULT_RECURSION_LIMIT) - 1
        if left < 0:
            raise RecursionError(
                f"{self.get_name()} kept returning runnables that return runnables; "
                "config['recursion_limit'] sets how often they may"
            )
        return merge_configs(inner, {"recursion_limit": left})


def _runnable(output: Any) -> Runnable[Any, Any]:
    return output


def _with_config(kwargs: dict[str, Any], inner: RunnableConfig | None) -> dict[str, Any]:
    return {"config": merge_configs(inner), **kwargs}


def _iterate_inheriting(items: Iterator[Any], config: RunnableConfig | None) -> Iterator[Any]:
    try:
        while True:
            with inherited(config):
                item = next(items, _END)
            if item is _END:
                return
            yield item
    finally:
        close(items)


async def _aiterate_inheriting(
    items: AsyncGenerator[Any, None], config: RunnableConfig | None
) -> AsyncGenerator[Any, None]:
    async with aclosing(items):
        while True:
            with inherited(config):
                item = await anext(items, _END)
            if item is _END:
                return
            yield item


def _matches(check: Callable[[Any], bool], func: Any) -> bool:
    # A callable object counts as its `__call__`, a method of a runnable as the unwrapped method.
    call, method = getattr(func, "__call__", None), getattr(func, "uninstrumented", None)  # noqa: B004
    return any(map(check, (func, call, method)))


def _is_async(func: Any) -> bool:
    return _matches(inspect.iscoroutinefunction, func) or _matches(inspect.isasyncgenfunction, func)


def _takes_config(func: Any) -> bool:
    try:
        return "config" in inspect.signature(func).parameters
    except (TypeError, ValueError):  # Not a function, or one in C without a signature.
        return False


def chain(func: Any) -> RunnableLambda[Any, Any]:
    """Make a runnable of a function: `@chain`.

    Args:
        func: What `RunnableLambda` takes.

    Returns:
        A `RunnableLambda`; a runnable that the function returns runs on the same input.

    Raises:
        TypeError: If it is not a function.

    Example:
        >>> @chain
        ... def shout(text):
        ...     return text.upper()
        >>> (shout | len).invoke("abc")
        3
    """
    return RunnableLambda(func)


class RunnableGenerator(Runnable[In, Out]):
    """A generator function from the chunks of the input to the chunks of the output.

    Args:
        func: A generator function, or an asynchronous one, of one argument: the iterator over the
            chunks of the input.
        afunc: An asynchronous generator function for the asynchronous methods.
        name: Its name; by default that of the function.

    Raises:
        TypeError: If it is not a generator function.

    Example:
        >>> def shout(chunks):
        ...     for chunk in chunks:
        ...         yield chunk.upper()
        >>> RunnableGenerator(shout).invoke("a")
        'A'
    """

    takes_config_keywords = False

    def __init__(
        self,
        func: Callable[[Iterator[Any]], Iterator[Out]]
        | Callable[[AsyncIterator[Any]], AsyncGenerator[Out, None]],
        afunc: Callable[[AsyncIterator[Any]], AsyncGenerator[Out, None]] | None = None,
        *,
        name: str | None = None,
    ) -> None:
        if not (inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func)):
            raise TypeError(f"RunnableGenerator takes a generator function, not {func!r}")
        self._sync: Any = func if inspect.isgeneratorfunction(func) else None
        self._async: Any = afunc if self._sync else func
        self.name = name or func.__name__

    def __repr__(self) -> str:
        return SafeText(f"RunnableGenerator({self.name})")

    def transform(self, input: Iterator[In], config: Any = None, **kwargs: Any) -> Iterator[Out]:
        if self._sync is None:
            pulled = partial(pull_in_thread, input)
            chunks = package_portal.iterate(lambda: self._async(pulled(), **kwargs))
        else:
            chunks = self._sync(input, **kwargs)
        try:
            yield from chunks
        finally:
            close(chunks)

    async def atransform(
        self, input: AsyncIterator[In], config: Any = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        if self._async is None:
            chunks = transform_in_thread(partial(self._sync, **kwargs), input)
        else:
            chunks = self._async(input, **kwargs)
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk
