"""Clients of a provider's SDK: one for all threads, and one for each event loop."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import suppress
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast
from weakref import ref

from chatnb.concurrency.locks import Lock
from chatnb.concurrency.portal import dropped_objects, start_task
from chatnb.concurrency.threads import in_thread
from chatnb.concurrency.waiting import has_threads, post

if TYPE_CHECKING:
    from ssl import SSLContext

    from httpx2 import Response

# Some servers, and proxies, keep the line open after the end of a reply.
_REST_SECONDS = 0.1
# The variables that decide which certificates httpx2 trusts, and where it logs its keys.
_TLS_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")


class SdkClient(Protocol):
    """An SDK's client of synchronous calls."""

    def post(self, **request: Any) -> Response: ...


class AsyncSdkClient(Protocol):
    """An SDK's client of asynchronous calls."""

    async def post(self, **request: Any) -> Response: ...

    async def close(self) -> None: ...


def shared_ssl_context() -> SSLContext | bool:
    """Return the SSL context of all clients: reading the certificates takes some 30 ms."""
    if not has_threads():  # A browser, which checks certificates itself, and has no files of them.
        return True
    return _ssl_context(*map(os.environ.get, _TLS_VARIABLES))


@cache
def _ssl_context(*_variables: str | None) -> SSLContext:
    from httpx2 import create_ssl_context

    return create_ssl_context()


class ResponseBody:
    """The context of a streamed response's bytes; it closes the response, too."""

    # Python may end a generator at the end of a loop, where it must not wait for anything, and
    # all generators at the same time, which is an error for those that end each other. A task is
    # cancelled before that, and ends them in order.

    def __init__(self, response: Response) -> None:
        self._response = response
        self._body: AsyncIterator[bytes] = (
            response.aiter_bytes() if _needs_decoding(response) else response.aiter_raw()
        )
        self._is_guarded = False

    async def __aenter__(self) -> AsyncIterator[bytes]:
        self._closer = start_task(self._close_when_cancelled(), None, lambda _: None)
        return self._body

    async def __aexit__(self, error_type: type[BaseException] | None, *_: object) -> None:
        self._closer.cancel()
        if error_type is None or issubclass(error_type, Exception):
            await self._close()
        elif not self._is_guarded:  # A task that is cancelled before its first step takes none.
            start_task(self._close(), None, lambda _: None)

    async def _close_when_cancelled(self) -> None:
        self._is_guarded = True
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await self._close()

    async def _close(self) -> None:
        with suppress(RuntimeError):  # The other one is closing it.
            await cast("AsyncGenerator[bytes, None]", self._body).aclose()
            await self._response.aclose()


def response_body(response: Response) -> Iterator[bytes]:
    """Return the bytes of a response as they arrive, decompressed."""
    return response.iter_bytes() if _needs_decoding(response) else response.iter_raw()


def read_rest(response: Response, body: Iterator[bytes]) -> None:
    """Read to the end of a body, so that the connection can be used again, but not for long."""
    # HTTP/2 shares its connection between requests, and has no use for this.
    stream: Any = response.extensions.get("network_stream")
    if stream is None or response.http_version != "HTTP/1.1":
        return
    read, deadline = stream.read, time.monotonic() + _REST_SECONDS

    def read_briefly(max_bytes: int, timeout: float | None = None) -> bytes:
        return read(max_bytes, _REST_SECONDS)

    stream.read = read_briefly  # The client cannot change the timeout of a body under way.
    try:
        while time.monotonic() < deadline and next(body, None) is not None:
            pass
    finally:
        stream.read = read


async def aread_rest(body: AsyncIterator[bytes]) -> None:
    """Read to the end of a body, so that the connection can be used again, but not for long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_REST_SECONDS):
            async for _ in body:
                pass


def _needs_decoding(response: Response) -> bool:
    # To decode nothing costs a tenth of what a chunk does. One that has been read has no raw bytes.
    return response.is_stream_consumed or "content-encoding" in response.headers


class LoopClients:
    """A model's clients: one for all threads, and one for each event loop."""

    # Each use passes the function that makes a client, so that a model and its clients do not keep
    # each other alive.

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._lock = Lock()
        self._shared: SdkClient | None = None
        self._held: dict[asyncio.AbstractEventLoop, _HeldClient] = {}
        self._making: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}

    def shared(self, make: Callable[[], SdkClient]) -> SdkClient:
        """Return the client of synchronous calls, on any thread."""
        self._forget_parent()
        with self._lock:
            if self._shared is None:
                self._shared = make()
            return self._shared

    async def of_this_loop(
        self, make: Callable[[], AsyncSdkClient], *, close: bool = True
    ) -> AsyncSdkClient:
        """Return the client of the running event loop: connections cannot move to another loop."""
        self._forget_parent()
        loop = asyncio.get_running_loop()
        if loop not in self._held:
            async with self._making.setdefault(loop, asyncio.Lock()):
                if loop not in self._held:
                    await self._make_for(loop, make, close=close)
        return self._held[loop].client

    async def _make_for(
        self, loop: asyncio.AbstractEventLoop, make: Callable[[], AsyncSdkClient], *, close: bool
    ) -> None:
        for ended in [other for other in self._making if other.is_closed()]:
            del self._making[ended]
            self._forget(self._held.pop(ended, None))
        client = await in_thread(make)  # Loading an SDK takes a second.
        closing = await _close_when_dropped(self, client) if close else None
        self._held[loop] = _HeldClient(client, closing)

    def _forget(self, held: _HeldClient | None) -> None:
        if held is not None and held.closing is not None:
            dropped_objects.remove(held.closing)

    def _forget_parent(self) -> None:
        # After a fork the connections, and a lock that another thread held, are the parent's.
        if self._pid != os.getpid():
            self.__init__()


class _HeldClient(NamedTuple):
    client: AsyncSdkClient
    closing: ref[LoopClients] | None  # None for a client that is not to be closed here.


async def _close_when_dropped(clients: LoopClients, client: AsyncSdkClient) -> ref[LoopClients]:
    """Have a client closed when its model is dropped, or with its event loop."""
    # Until then it is kept alive. The garbage collector would close its sockets first and its
    # transports later, which take whatever sockets have the same numbers by then out of the loop:
    # calls of other models would wait for ever.
    loop, closing = asyncio.get_running_loop(), _close_with_loop(client)
    await anext(closing)
    return dropped_objects.add(clients, partial(post, loop, partial(_close_now, closing)))


def _close_now(closing: AsyncGenerator[None, None]) -> None:
    start_task(closing.aclose(), None, lambda _: None)


async def _close_with_loop(client: AsyncSdkClient) -> AsyncGenerator[None, None]:
    # An event loop ends its generators before it closes; later, connections cannot be closed.
    try:
        yield
    finally:
        await client.close()
