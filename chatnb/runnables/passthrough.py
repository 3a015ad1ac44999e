"""Runnables that pass on their input, with more entries or fewer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

from chatnb.concurrency.threads import close
from chatnb.lazy_names import names_of_package
from chatnb.runnables.base import Other, Runnable
from chatnb.runnables.chunks import AddableDict, AsyncSnapshots, Snapshots, add_up
from chatnb.runnables.config import RunnableConfig, child_config, effective_config
from chatnb.runnables.parallel import AsyncTee, RunnableParallel, amerge_streams, merge_streams, tee

if TYPE_CHECKING:
    from chatnb.runnables.graph import Graph


class RunnablePassthrough(Runnable[Other, Other]):
    """Pass on the input.

    Args:
        func: A function that is called with the whole input, for what else it does; its value is
            dropped. It may be asynchronous, and have a parameter `config`.
        afunc: An asynchronous function for the asynchronous methods.

    Raises:
        TypeError: If it is not a function.

    Example:
        >>> RunnableParallel(text=RunnablePassthrough(), length=len).invoke("abc")
        {'text': 'abc', 'length': 3}
        >>> RunnablePassthrough(print).invoke("abc")
        abc
        'abc'
    """

    in_place = True
    chunks_replace = None

    def __init__(
        self, func: Callable[..., Any] | None = None, afunc: Callable[..., Any] | None = None
    ) -> None:
        from chatnb.runnables.functions import RunnableLambda

        given = func or afunc
        self._effect = None if given is None else RunnableLambda[Any, Any](given, afunc)

    def invoke(self, input: Other, config: RunnableConfig | None = None, **kwargs: Any) -> Other:
        if self._effect is not None:
            self._effect.invoke(input, child_config(effective_config(config)))
        return input

    async def ainvoke(
        self, input: Other, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Other:
        if self._effect is not None:
            await self._effect.ainvoke(input, child_config(effective_config(config)))
        return input

    def transform(
        self, input: Iterator[Other], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Other]:
        if self._effect is None:
            yield from input
            return
        chunks = list[Other]()
        for chunk in input:
            chunks.append(chunk)
            yield chunk
        whole = add_up(chunks, replace=isinstance(input, Snapshots))
        self._effect.invoke(whole, child_config(effective_config(config)))

    async def atransform(
        self, input: AsyncIterator[Other], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Other, None]:
        chunks = list[Other]()
        async for chunk in input:
            if self._effect is not None:
                chunks.append(chunk)
            yield chunk
        if self._effect is not None:
            whole = add_up(chunks, replace=isinstance(input, AsyncSnapshots))
            await self._effect.ainvoke(whole, child_config(effective_config(config)))

    def __repr__(self) -> str:
        return "RunnablePassthrough()"

    @staticmethod
    def assign(  # pyright: ignore[reportIncompatibleMethodOverride]
        **entries: Any,
    ) -> Runnable[dict[str, Any], dict[str, Any]]:
        """Return a runnable that adds entries to a dict.

        Args:
            **entries: Runnables or functions that compute an entry from the dict.

        Example:
            >>> RunnablePassthrough.assign(n=lambda d: len(d["text"])).invoke({"text": "abc"})
            {'text': 'abc', 'n': 3}
        """
        return RunnableAssign(entries)


class RunnableAssign(Runnable[dict[str, Any], dict[str, Any]]):
    """Add entries to a dict; the chunks of the input pass through as they come.

    Args:
        mapper: A `RunnableParallel`, or a dict of runnables and functions, that computes the
            entries from the dict, by key.

    Raises:
        TypeError: If an entry is none of these, or the input is not a dict.

    Example:
        >>> RunnableAssign({"double": lambda given: 2 * given["n"]}).invoke({"n": 2})
        {'n': 2, 'double': 4}
    """

    def __init__(self, mapper: RunnableParallel[dict[str, Any]] | Mapping[str, Any]) -> None:
        is_parallel = isinstance(mapper, RunnableParallel)
        self.entries = mapper if is_parallel else RunnableParallel[dict[str, Any]](mapper)

    def __repr__(self) -> str:
        return f"RunnableAssign({self.entries.branches!r})"

    def invoke(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        return {**_dict(input, "assign"), **self.entries.invoke(input, config, **kwargs)}

    async def ainvoke(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        return {**_dict(input, "assign"), **await self.entries.ainvoke(input, config, **kwargs)}

    def transform(
        self, input: Iterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[dict[str, Any]]:
        kept, given = tee(input, 2)
        added = partial(self.entries.transform, given, config, **kwargs)
        chunks = merge_streams({"kept": lambda: map(self._kept, kept), "added": added})
        try:
            yield from (chunk for _, chunk in chunks if chunk)
        finally:
            close(chunks)

    async def atransform(
        self, input: AsyncIterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[dict[str, Any], None]:
        async with AsyncTee(input, 2) as (kept, given):
            added = partial(self.entries.atransform, given, config, **kwargs)
            streams = {"kept": lambda: self._akept(kept), "added": added}
            async with aclosing(amerge_streams(streams)) as chunks:
                async for _, chunk in chunks:
                    if chunk:
                        yield chunk

    def _kept(self, chunk: Any) -> AddableDict:
        entries = _dict(chunk, "assign").items()
        kept = {key: value for key, value in entries if key not in self.entries.branches}
        return AddableDict(kept, replaced=getattr(chunk, "replaced", ()))

    async def _akept(self, chunks: AsyncIterator[Any]) -> AsyncGenerator[AddableDict, None]:
        async for chunk in chunks:
            yield self._kept(chunk)

    def add_to_graph(self, graph: Graph) -> tuple[str, str]:
        begin, end = self.entries.add_to_graph(graph)
        graph.add_edge(begin, end, "input")
        return begin, end


class RunnablePick(Runnable[Mapping[str, Any], Any]):
    """Pick one value or some entries of a dict.

    Args:
        keys: A key, for its value; or a list of keys, for a dict.

    Raises:
        KeyError: If the input lacks a key.
        TypeError: If the input is not a dict.

    Example:
        >>> RunnablePick("a").invoke({"a": 1, "b": 2}), RunnablePick(["a"]).invoke({"a": 1, "b": 2})
        (1, {'a': 1})
    """

    in_place = True

    def __init__(self, keys: str | list[str]) -> None:
        self.keys = keys

    def __repr__(self) -> str:
        return f"RunnablePick({self.keys!r})"

    def invoke(
        self, input: Mapping[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Any:
        self._check(_dict(input, "pick"))
        return next(self._picked(input))

    async def ainvoke(
        self, input: Mapping[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Any:
        return self.invoke(input, config)

    def transform(
        self,
        input: Iterator[Mapping[str, Any]],
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Iterator[Any]:
        seen = dict[str, None]()
        for chunk in input:
            yield from self._picked(chunk)
            seen |= dict.fromkeys(chunk)
        self._check(seen)

    async def atransform(
        self,
        input: AsyncIterator[Mapping[str, Any]],
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> AsyncGenerator[Any, None]:
        seen = dict[str, None]()
        async for chunk in input:
            for picked in self._picked(chunk):
                yield picked
            seen |= dict.fromkeys(chunk)
        self._check(seen)

    def _check(self, found: Mapping[str, Any]) -> None:
        for key in [self.keys] if isinstance(self.keys, str) else self.keys:
            if key not in found:
                among = ", ".join(map(repr, found)) or "no keys at all"
                raise KeyError(f"pick found no {key!r} among {among}")

    def _picked(self, chunk: Mapping[str, Any]) -> Iterator[Any]:
        _dict(chunk, "pick")
        if isinstance(self.keys, str):
            if self.keys in chunk:
                yield chunk[self.keys]
        elif kept := {key: chunk[key] for key in self.keys if key in chunk}:
            yield AddableDict(kept, replaced=getattr(chunk, "replaced", ()))


def _dict(value: Any, method: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{method} takes a dict, not {type(value).__name__}: {value!r}")
    return value  # pyright: ignore[reportUnknownVariableType]


if not TYPE_CHECKING:  # LangChain's module of this path has the package's other names, too.
    __getattr__ = names_of_package("chatnb.runnables")
