"""The clients of a provider's SDK: one for all threads, and one for each event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from threading import Lock
from typing import Generic, NamedTuple, Protocol, TypeVar


class Closable(Protocol):
    """A client with connections that can be closed."""

    async def close(self) -> None:
        """Close them."""
        ...


_Client = TypeVar("_Client")
_AsyncClient = TypeVar("_AsyncClient", bound=Closable)


class LoopClients(Generic[_Client, _AsyncClient]):
    """Makes clients when they are first needed, and closes those of an event loop that ends.

    How to make one is said at each use, so that a model and its clients do not keep each other
    alive.

    Example:
        >>> clients = LoopClients()
        >>> clients.shared(object) is clients.shared(object)
        True
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._shared: _Client | None = None
        self._of_loops: dict[asyncio.AbstractEventLoop, _Held[_AsyncClient]] = {}
        self._making: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}

    def shared(self, make: Callable[[], _Client]) -> _Client:
        """The client of synchronous calls, on whatever thread.

        Args:
            make: Makes it.
        """
        with self._lock:
            if self._shared is None:
                self._shared = make()
            return self._shared

    async def of_this_loop(self, make: Callable[[], _AsyncClient]) -> _AsyncClient:
        """The client of the running event loop: connections cannot move to another loop.

        Args:
            make: Makes it; runs on a thread, since loading an SDK takes a second.
        """
        loop = asyncio.get_running_loop()
        if loop not in self._of_loops:
            async with self._making.setdefault(loop, asyncio.Lock()):
                if loop not in self._of_loops:
                    await self._make_for(loop, make)
        return self._of_loops[loop].client

    async def _make_for(
        self, loop: asyncio.AbstractEventLoop, make: Callable[[], _AsyncClient]
    ) -> None:
        for ended in [other for other in self._making if other.is_closed()]:
            del self._making[ended]
            self._of_loops.pop(ended, None)
        client = await asyncio.to_thread(make)
        held = _Held(client, _until_loop_ends(client))
        await anext(held.closing)
        self._of_loops[loop] = held


class _Held(NamedTuple, Generic[_AsyncClient]):
    client: _AsyncClient
    closing: AsyncGenerator[None, None]


async def _until_loop_ends(client: Closable) -> AsyncGenerator[None, None]:
    """An event loop ends the generators that run in it before it closes; later, it is too late to
    close connections."""
    try:
        yield
    finally:
        await client.close()
