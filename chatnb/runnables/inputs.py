"""What comes in chunk by chunk, as the verbs hand it on: at once, or with its first chunk there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from chatnb.runnables.chunks import AsyncSnapshots, Snapshots


class Whole:
    """An iterator over one item: an input that came at once."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self._left = [value]

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._left:
            return self._left.pop()
        raise StopIteration


class AsyncWhole(Whole):
    """An asynchronous iterator over one item."""

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if self._left:
            return self._left.pop()
        raise StopAsyncIteration


class Started:
    """An iterator whose first chunk has come; what it raised instead is raised to its reader.

    Args:
        chunks: The iterator; making this waits for its first chunk.
    """

    def __init__(self, chunks: Iterator[Any]) -> None:
        self.seen: list[Any] = []
        self.replace = isinstance(chunks, Snapshots)
        self._chunks = chunks
        self._first: list[Any] = []
        self._failure: Exception | None = None
        try:
            self._first.append(next(chunks))
        except StopIteration:
            return
        except Exception as error:
            self._failure = error

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        chunk = self._first.pop() if self._first else next(self._chunks)
        self.seen.append(chunk)
        return chunk

    def as_it_came(self) -> Iterator[Any]:
        """The chunks, snapshots if they were."""
        return Snapshots(self) if self.replace else self


class AsyncStarted:
    """An asynchronous iterator whose first chunk has come; like `Started`.

    Args:
        chunks: The iterator; `start` waits for its first chunk.
    """

    def __init__(self, chunks: AsyncIterator[Any]) -> None:
        self.seen: list[Any] = []
        self.replace = isinstance(chunks, AsyncSnapshots)
        self._chunks = chunks
        self._first: list[Any] = []
        self._failure: Exception | None = None

    async def start(self) -> AsyncStarted:
        """Wait for the first chunk."""
        try:
            self._first.append(await anext(self._chunks))
        except StopAsyncIteration:
            return self
        except Exception as error:
            self._failure = error
        return self

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        chunk = self._first.pop() if self._first else await anext(self._chunks)
        self.seen.append(chunk)
        return chunk

    def as_it_came(self) -> AsyncIterator[Any]:
        """The chunks, snapshots if they were."""
        return AsyncSnapshots(self) if self.replace else self
