"""The patches of a reply's log, on their way from the turn to a tree."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from chatnb.schema.run_log import RunLogPatch


class LogFeed:
    """An asynchronous iterator over patches, fed and read on the same event loop.

    Example:
        >>> async def first():
        ...     feed = LogFeed()
        ...     feed.put(RunLogPatch({"op": "remove", "path": "/error"}))
        ...     return (await anext(feed)).ops
        >>> asyncio.run(first())
        [{'op': 'remove', 'path': '/error'}]
    """

    def __init__(self) -> None:
        self._items: asyncio.Queue[RunLogPatch | BaseException] = asyncio.Queue()

    def put(self, patch: RunLogPatch) -> None:
        """Hand a patch on."""
        self._items.put_nowait(patch)

    def end(self, reason: BaseException | None = None) -> None:
        """Nothing follows.

        Args:
            reason: Why, if the reply did not reach its end.
        """
        self._items.put_nowait(reason or StopAsyncIteration())

    def __aiter__(self) -> AsyncIterator[RunLogPatch]:
        return self

    async def __anext__(self) -> RunLogPatch:
        item = await self._items.get()
        if isinstance(item, BaseException):
            raise item
        return item
