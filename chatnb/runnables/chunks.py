"""Chunks of a stream, and what they add up to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from functools import reduce
from typing import Any, Generic, TypeVar, cast

from chatnb.schema.messages import AIMessageChunk, join_chunks

T = TypeVar("T")


class AddableDict(dict[str, Any]):
    """A dict that is a chunk: two add up key by key.

    Args:
        values: The values.
        replaced: Keys whose later value replaces the earlier one instead of adding to it.

    Example:
        >>> AddableDict({"a": "x"}) + {"a": "y", "b": 1}
        {'a': 'xy', 'b': 1}
    """

    def __init__(
        self, values: Mapping[str, Any] | None = None, *, replaced: Iterable[str] = ()
    ) -> None:
        super().__init__(values or {})
        self.replaced = frozenset(replaced)

    def __add__(self, other: Mapping[str, Any]) -> AddableDict:
        if not isinstance(other, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            return NotImplemented
        return _added_dicts([self, other])

    def __radd__(self, other: Any) -> AddableDict:
        """Let `sum` begin with its 0."""
        if isinstance(other, Mapping):
            return _added_dicts([cast("Mapping[str, Any]", other), self])
        return self if other == 0 else NotImplemented


class Snapshots(Generic[T]):
    """An iterator whose every item replaces the one before, as `add_up` then knows."""

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items

    def __iter__(self) -> Snapshots[T]:
        return self

    def __next__(self) -> T:
        return next(self._items)


class AsyncSnapshots(Generic[T]):
    """An asynchronous iterator whose every item replaces the one before."""

    def __init__(self, items: AsyncIterator[T]) -> None:
        self._items = items

    def __aiter__(self) -> AsyncSnapshots[T]:
        return self

    async def __anext__(self) -> T:
        return await anext(self._items)


def add_up(chunks: list[T], *, replace: bool = False) -> T:
    """What the chunks of a stream add up to.

    Args:
        chunks: The chunks: text, messages, `AddableDict`s, or anything that knows `+`.
        replace: Whether each chunk replaces the one before.

    Returns:
        Their sum, in linear time for text, messages and dicts. Things that know no `+`, such as
        plain dicts and None, replace what was before.

    Raises:
        ValueError: If there are no chunks.

    Example:
        >>> add_up(["Hel", "lo"])
        'Hello'
        >>> add_up([{"a": 1}, {"a": 2}])
        {'a': 2}
    """
    if not chunks:
        raise ValueError("A stream ended without a chunk, so it has no result")
    if len(chunks) == 1 or replace:
        return chunks[-1]
    return _sum(chunks)


def opening(chunks: Iterator[T]) -> list[T]:
    """The chunks up to the first that says anything; all of them if none does."""
    held = list[T]()
    for chunk in chunks:
        held.append(chunk)
        if says_anything(chunk):
            break
    return held


async def aopening(chunks: AsyncIterator[T]) -> list[T]:
    """The chunks up to the first that says anything; like `opening`."""
    held = list[T]()
    async for chunk in chunks:
        held.append(chunk)
        if says_anything(chunk):
            break
    return held


def says_anything(chunk: Any) -> bool:
    """Whether a chunk is more than an opening; models open a reply with an empty chunk that only
    tells who speaks."""
    if isinstance(chunk, AIMessageChunk):
        return bool(chunk.content or chunk.tool_call_chunks or chunk.additional_kwargs)
    return chunk != "" if isinstance(chunk, str) else True


def _sum(chunks: list[Any]) -> Any:
    if all(isinstance(chunk, str) for chunk in chunks):
        return "".join(chunks)
    if all(type(chunk) is AIMessageChunk for chunk in chunks):
        return join_chunks(chunks)
    if all(isinstance(chunk, AddableDict) for chunk in chunks):
        return _added_dicts(chunks)
    return reduce(_plus, chunks)


def _plus(left: Any, right: Any) -> Any:
    try:
        return left + right
    except TypeError:
        return right


def _added_dicts(chunks: list[Any]) -> AddableDict:
    pieces, replaced = dict[str, list[Any]](), set[str]()
    for chunk in chunks:
        replaced |= getattr(chunk, "replaced", frozenset[str]())
        for key, value in chunk.items():
            pieces.setdefault(key, []).append(value)
    values = {key: add_up(each, replace=key in replaced) for key, each in pieces.items()}
    return AddableDict(values, replaced=replaced)
