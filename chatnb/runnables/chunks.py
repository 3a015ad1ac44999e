"""Chunks of a stream and their sum; iterators over input that arrives in chunks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from functools import reduce
from itertools import chain
from typing import Any, ClassVar, Generic, TypeVar, cast

from chatnb.schema.messages import AIMessageChunk, join_chunks

T = TypeVar("T")


class AddableDict(dict[str, Any]):
    """A dict that is a chunk: two of them add up key by key.

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
        return _add_dicts([self, other])

    def __radd__(self, other: Any) -> AddableDict:
        """Let `sum` begin with its 0."""
        if isinstance(other, Mapping):
            return _add_dicts([cast("Mapping[str, Any]", other), self])
        return self if other == 0 else NotImplemented


def add_up(chunks: list[T], *, replace: bool = False) -> T:
    """Return the sum of a stream's chunks, in linear time for text, messages, dicts and lists."""
    # With `replace`, and for chunks without `+` such as plain dicts and None, the last one counts.
    if not chunks:
        raise ValueError("A stream ended without a chunk, so it has no result")
    if len(chunks) == 1 or replace:
        return chunks[-1]
    return _sum(chunks)


def _sum(chunks: list[Any]) -> Any:
    if all(isinstance(chunk, str) for chunk in chunks):
        return "".join(chunks)
    if all(type(chunk) is AIMessageChunk for chunk in chunks):
        return join_chunks(chunks)
    if all(isinstance(chunk, AddableDict) for chunk in chunks):
        return _add_dicts(chunks)
    if all(type(chunk) is list for chunk in chunks):
        return list(chain.from_iterable(chunks))
    return reduce(_plus, chunks)


def _plus(left: Any, right: Any) -> Any:
    try:
        return left + right
    except TypeError:
        return right


def _add_dicts(chunks: list[Any]) -> AddableDict:
    values, replaced = dict[str, list[Any]](), set[str]()
    for chunk in chunks:
        replaced |= getattr(chunk, "replaced", frozenset[str]())
        for key, value in chunk.items():
            values.setdefault(key, []).append(value)
    sums = {key: add_up(parts, replace=key in replaced) for key, parts in values.items()}
    return AddableDict(sums, replaced=replaced)


def has_content(chunk: Any) -> bool:
    """Return whether a chunk says anything; models open a reply with an empty one."""
    if isinstance(chunk, AIMessageChunk):
        return bool(chunk.content or chunk.tool_call_chunks or chunk.additional_kwargs)
    return chunk != "" if isinstance(chunk, str) else True


def read_to_content(chunks: Iterator[T]) -> list[T]:
    """Read a stream up to its first chunk with content, or to its end."""
    opening = list[T]()
    for chunk in chunks:
        opening.append(chunk)
        if has_content(chunk):
            break
    return opening


async def aread_to_content(chunks: AsyncIterator[T]) -> list[T]:
    """Read a stream up to its first chunk with content, or to its end."""
    opening = list[T]()
    async for chunk in chunks:
        opening.append(chunk)
        if has_content(chunk):
            break
    return opening


class Snapshots(Generic[T]):
    """An iterator of which each item replaces the one before."""

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items

    def __iter__(self) -> Snapshots[T]:
        return self

    def __next__(self) -> T:
        return next(self._items)


class AsyncSnapshots(Generic[T]):
    """An asynchronous iterator of which each item replaces the one before."""

    def __init__(self, items: AsyncIterator[T]) -> None:
        self._items = items

    def __aiter__(self) -> AsyncSnapshots[T]:
        return self

    async def __anext__(self) -> T:
        return await anext(self._items)


class SingleItem:
    """An iterator, sync and async, over one item: an input that came whole."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self._unread = [value]

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._unread:
            return self._unread.pop()
        raise StopIteration

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if self._unread:
            return self._unread.pop()
        raise StopAsyncIteration


class PeekedInput:
    """The input of a run whose first chunk, or the error in its place, was waited for."""

    _snapshots: ClassVar[Any]

    def __init__(self, chunks: Any) -> None:
        self.seen: list[Any] = []
        self.replace = isinstance(chunks, self._snapshots)
        self._chunks = chunks
        self._first: list[Any] = []
        self._error: Exception | None = None

    def as_given(self) -> Any:
        """Return the chunks, as snapshots if they were."""
        return self._snapshots(self) if self.replace else self

    def _pop_error(self) -> Exception:
        error, self._error = self._error, None
        assert error is not None
        return error


class PeekedIterator(PeekedInput):
    """An iterator that waits for its first chunk when it is made."""

    _snapshots = Snapshots

    def __init__(self, chunks: Iterator[Any]) -> None:
        super().__init__(chunks)
        try:
            self._first.append(next(chunks))
        except StopIteration:
            return
        except Exception as error:
            self._error = error

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._error is not None:
            raise self._pop_error()
        chunk = self._first.pop() if self._first else next(self._chunks)
        self.seen.append(chunk)
        return chunk


class AsyncPeekedIterator(PeekedInput):
    """An asynchronous iterator that waits for its first chunk in `peek`."""

    _snapshots = AsyncSnapshots

    async def peek(self) -> AsyncPeekedIterator:
        """Wait for the first chunk."""
        try:
            self._first.append(await anext(self._chunks))
        except StopAsyncIteration:
            return self
        except Exception as error:
            self._error = error
        return self

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if self._error is not None:
            raise self._pop_error()
        chunk = self._first.pop() if self._first else await anext(self._chunks)
        self.seen.append(chunk)
        return chunk
