"""Functions of chunks as runnables."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from functools import partial
from typing import Any

from chatnb.runnables.base import Runnable
from chatnb.runnables.handover import stepping_in_thread
from chatnb.runnables.loop_thread import package_loop
from chatnb.runnables.threads import (
    close,
    pulled_in_threads,
)
from chatnb.runnables.verbs import In, Out


class RunnableGenerator(Runnable[In, Out]):
    """A generator function from the chunks of the input to the chunks of the output.

    Args:
        func: A generator function, or an asynchronous one, of one argument: the iterator over the
            chunks of the input.
        afunc: Another one, asynchronous, for the asynchronous verbs.
        name: What it is called; by default the function's name.

    Raises:
        TypeError: If it is no generator function.

    Example:
        >>> def shouted(chunks):
        ...     for chunk in chunks:
        ...         yield chunk.upper()
        >>> RunnableGenerator(shouted).invoke("a")
        'A'
    """

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
        return f"RunnableGenerator({self.name})"

    def transform(self, input: Iterator[In], config: Any = None, **kwargs: Any) -> Iterator[Out]:
        if self._sync is None:
            pulled = partial(pulled_in_threads, input)
            chunks = package_loop.iterate(lambda: self._async(pulled(), **kwargs))
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
            chunks = stepping_in_thread(partial(self._sync, **kwargs), input)
        else:
            chunks = self._async(input, **kwargs)
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk
