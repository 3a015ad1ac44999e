"""Functions as runnables."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from functools import partial
from typing import Any, TypeVar, overload

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
from chatnb.runnables.loop_thread import package_loop
from chatnb.runnables.threads import close, in_thread, iterate_in_thread
from chatnb.runnables.verbs import In, Out

Given = TypeVar("Given")

_END: Any = object()


class RunnableLambda(Runnable[In, Out]):
    """A function of one argument as a runnable.

    It may be a function, a coroutine function, a generator function or an asynchronous generator
    function. A generator function takes the whole input and yields the chunks of the output;
    `RunnableGenerator` is for functions of chunks. Where the function has a parameter `config`,
    it gets the config of the run. A runnable that it returns is run on the same input. Chains
    called inside it inherit the config of the run.

    Args:
        func: The function.
        afunc: Another one, asynchronous, for the asynchronous verbs.
        name: What it is called; by default the function's name.

    Raises:
        TypeError: If it is no function.

    Example:
        >>> RunnableLambda(len).invoke("abc")
        3
        >>> def words(text):
        ...     yield from text.split()
        >>> list(RunnableLambda(words).stream("a b")), RunnableLambda(words).invoke("a b")
        (['a', 'b'], 'ab')
    """

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
        for each in (func, afunc) if afunc is not None else (func,):
            if not callable(each):
                raise TypeError(f"RunnableLambda takes a function, not {type(each).__name__}")
        self._sync: Any = None if _is_async(func) else func
        self._async: Any = func if _is_async(func) else afunc
        self._generates = _is(inspect.isgeneratorfunction, self._sync)
        self._agenerates = _is(inspect.isasyncgenfunction, self._async)
        self._sync_takes_config = _takes_config(self._sync)
        self._async_takes_config = _takes_config(self._async)
        self.name = name or getattr(func, "__name__", type(func).__name__)

    def __repr__(self) -> str:
        return f"RunnableLambda({self.name})"

    def invoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        if self._sync is None:
            return package_loop.run(self.ainvoke(input, config, **kwargs))
        if self._generates:
            return add_up(list(self.stream(input, config, **kwargs)))
        inner = child_config(effective_config(config))
        output = self._called(input, inner, kwargs)
        if isinstance(output, Runnable):
            return _any(output).invoke(input, self._one_deeper(inner))
        return output

    async def ainvoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        if self._async is None:
            return await in_thread(partial(self.invoke, input, config, **kwargs))
        if self._agenerates:
            async with aclosing(self.astream(input, config, **kwargs)) as chunks:
                return add_up([chunk async for chunk in chunks])
        inner = child_config(effective_config(config))
        output = await self._acalled(input, inner, kwargs)
        if isinstance(output, Runnable):
            return await _any(output).ainvoke(input, self._one_deeper(inner))
        return output

    def stream(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Out]:
        if self._sync is None:
            yield from package_loop.iterate(partial(self.astream, input, config, **kwargs))
            return
        inner = child_config(effective_config(config))
        output = self._called(input, inner, kwargs)
        if self._generates:
            yield from _each_inheriting(output, inner)
        elif isinstance(output, Runnable):
            yield from _any(output).stream(input, self._one_deeper(inner))
        else:
            yield output

    async def astream(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        if self._async is None:
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
            chunks = _aeach_inheriting(self._async(input, **given), inner)
        else:
            output = await self._acalled(input, inner, kwargs)
            if not isinstance(output, Runnable):
                yield output
                return
            chunks = _any(output).astream(input, self._one_deeper(inner))
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    def _called(self, input: Any, inner: RunnableConfig | None, kwargs: dict[str, Any]) -> Any:
        given = _with_config(kwargs, inner) if self._sync_takes_config else kwargs
        if inner is None:
            return self._sync(input, **given)
        with inherited(inner):
            return self._sync(input, **given)

    async def _acalled(
        self, input: Any, inner: RunnableConfig | None, kwargs: dict[str, Any]
    ) -> Any:
        given = _with_config(kwargs, inner) if self._async_takes_config else kwargs
        with inherited(inner):
            return await self._async(input, **given)

    def _one_deeper(self, inner: RunnableConfig | None) -> RunnableConfig:
        left = (inner or {}).get("recursion_limit", DEFAULT_RECURSION_LIMIT) - 1
        if left < 0:
            raise RecursionError(
                f"{self.get_name()} and what it returns kept returning runnables; "
                "config['recursion_limit'] says how often they may"
            )
        return merge_configs(inner, {"recursion_limit": left})


def _any(output: Any) -> Runnable[Any, Any]:
    return output


def _with_config(kwargs: dict[str, Any], inner: RunnableConfig | None) -> dict[str, Any]:
    return {"config": merge_configs(inner), **kwargs}


def _each_inheriting(items: Iterator[Any], config: RunnableConfig | None) -> Iterator[Any]:
    try:
        while True:
            with inherited(config):
                item = next(items, _END)
            if item is _END:
                return
            yield item
    finally:
        close(items)


async def _aeach_inheriting(
    items: AsyncGenerator[Any, None], config: RunnableConfig | None
) -> AsyncGenerator[Any, None]:
    async with aclosing(items):
        while True:
            with inherited(config):
                item = await anext(items, _END)
            if item is _END:
                return
            yield item


def _is(check: Callable[[Any], bool], func: Any) -> bool:
    """Whether a function is of a kind, or what it calls, or the verb of a runnable that it is."""
    return any(map(check, (func, getattr(func, "__call__", None), getattr(func, "bare", None))))  # noqa: B004


def _is_async(func: Any) -> bool:
    return _is(inspect.iscoroutinefunction, func) or _is(inspect.isasyncgenfunction, func)


def _takes_config(func: Any) -> bool:
    try:
        return "config" in inspect.signature(func).parameters
    except (TypeError, ValueError):  # No function, or one written in C that does not say.
        return False
