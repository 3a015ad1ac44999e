"""Network connections that a cancel scope can end while a thread reads, and that forks drop."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, cast
from weakref import WeakSet, ref

from chatnb.concurrency.cancellation import CancelScope, check_cancelled, current_scope


class _Connection:
    """A network stream of httpcore, sync or async, that knows which calls use it."""

    # Reads go to the stream directly: a look at the scope is needed once a request, as it is sent.

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._scope: CancelScope | None = None
        self._socket: Any = None
        self._poll: Any = None
        self._head = b""
        self.read = stream.read
        _open.add(self)

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable" and hasattr(select, "poll"):
            return self._is_readable()
        return self._stream.get_extra_info(info)

    def end(self, scope: CancelScope) -> None:
        """End the connection, if its last request was made within a scope."""
        if self._scope is not scope or _is_shared(self._stream):
            return
        raw = self._stream.get_extra_info("socket")
        if isinstance(raw, socket.socket):
            with suppress(OSError):  # It is closed already.
                # Not the method of an SSL socket, which takes its state away from the reader.
                socket.socket.shutdown(raw, socket.SHUT_RDWR)

    def drop(self, null: int) -> None:
        """Let go of the connection in this process alone; it goes on in the parent."""
        raw = self._stream.get_extra_info("socket")
        number = -1 if raw is None else raw.fileno()
        if number >= 0:
            os.dup2(null, number)

    def _is_readable(self) -> bool:
        """Return whether a read would return at once: as it is idle, it has been closed."""
        # A pool looks at each idle connection for each request. It takes most of a batch's time to
        # find the socket anew, by way of all attributes that anyio knows of it.
        if self._poll is None:
            self._socket = self._stream.get_extra_info("socket")
            if self._socket is None:
                return True
            self._poll = select.poll()
            self._poll.register(self._socket, select.POLLIN)
        return self._socket.fileno() < 0 or bool(self._poll.poll(0))

    def _with_head(self, buffer: bytes) -> bytes:
        """Return what to send now: the head of a request is kept until its body is written."""
        # httpcore writes them one after the other. Two packets take the sender, the network and an
        # event loop twice the work of one.
        if self._head:
            return self._take_head() + buffer
        if not (buffer.startswith(b"POST ") and buffer.endswith(b"\r\n\r\n")):
            return buffer
        self._head, self.read = buffer, self._read_reply
        return b""

    def _take_head(self) -> bytes:
        head, self._head, self.read = self._head, b"", self._stream.read
        return head

    def _read_reply(self, max_bytes: int, **options: Any) -> Any:
        raise NotImplementedError

    def _use(self) -> None:
        scope = self._scope = current_scope.get()
        if scope is not None:
            scope.check()
            scope.add_callback(self.end)


class _SyncConnection(_Connection):
    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self.close = stream.close

    def write(self, buffer: bytes, **options: Any) -> None:
        self._use()
        self._stream.write(self._with_head(buffer), **options)

    def _read_reply(self, max_bytes: int, **options: Any) -> bytes:
        self._stream.write(self._take_head(), **options)  # Of a request without a body.
        return self._stream.read(max_bytes, **options)

    def start_tls(self, *args: Any, **options: Any) -> _SyncConnection:
        return _SyncConnection(self._stream.start_tls(*args, **options))


class _AsyncConnection(_Connection):
    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self.aclose = stream.aclose

    async def write(self, buffer: bytes, **options: Any) -> None:
        await self._stream.write(self._with_head(buffer), **options)

    async def _read_reply(self, max_bytes: int, **options: Any) -> bytes:
        await self._stream.write(self._take_head(), **options)
        return await self._stream.read(max_bytes, **options)

    async def start_tls(self, *args: Any, **options: Any) -> _AsyncConnection:
        return _AsyncConnection(await self._stream.start_tls(*args, **options))


class _Backend:
    """A network backend of httpcore whose connections are ours."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.sleep = backend.sleep

    def connect_tcp(self, *args: Any, **options: Any) -> Any:
        check_cancelled()
        return _SyncConnection(self._backend.connect_tcp(*args, **options))

    def connect_unix_socket(self, *args: Any, **options: Any) -> Any:
        check_cancelled()
        return _SyncConnection(self._backend.connect_unix_socket(*args, **options))


class _AsyncBackend(_Backend):
    async def connect_tcp(self, *args: Any, **options: Any) -> Any:
        return _AsyncConnection(await self._backend.connect_tcp(*args, **options))

    async def connect_unix_socket(self, *args: Any, **options: Any) -> Any:
        return _AsyncConnection(await self._backend.connect_unix_socket(*args, **options))


def track_connections(client: Any) -> None:
    """Have all connections that an HTTP client opens from now on end with their calls."""
    _wrap_backends(client, _Backend)


def track_async_connections(client: Any) -> None:
    """Have all connections that an asynchronous HTTP client opens dropped by forks."""
    _wrap_backends(client, _AsyncBackend)


def _wrap_backends(client: Any, wrap: Callable[[Any], Any]) -> None:
    # httpx has no argument for it; a transport of another kind stays as it is.
    transports = [getattr(client, "_transport", None), *getattr(client, "_mounts", {}).values()]
    for transport in transports:
        pool: Any = getattr(transport, "_pool", None)
        backend = getattr(pool, "_network_backend", None)
        if backend is not None and not isinstance(backend, _Backend):
            pool._network_backend = wrap(backend)
            pool.create_connection = partial(_create_connection, ref(pool))
            _pools.add(pool)


def _create_connection(of_pool: ref[Any], origin: Any) -> Any:
    pool: Any = of_pool()
    of_class = cast("Any", type(pool))
    connection: Any = of_class.create_connection(pool, origin)
    connection.has_expired = partial(_has_expired, ref(connection))
    return connection


def _has_expired(pooled: ref[Any]) -> bool:
    connection: Any = pooled()
    of_class = cast("Any", type(connection))
    return of_class.has_expired(connection) or _has_rest(connection)


def _has_rest(connection: Any) -> bool:
    """Return whether a server has sent more than its reply, which would be read as the next one."""
    # As it came together with the end of the reply it is no more in the socket, but in the parser.
    while (inner := getattr(connection, "_connection", None)) is not None:
        connection = inner
    parser = getattr(connection, "_h11_state", None)
    return parser is not None and connection.is_idle() and bool(parser.trailing_data[0])


def _is_shared(stream: Any) -> bool:
    """Return whether requests of others may be on a connection, as over HTTP/2."""
    encrypted = stream.get_extra_info("ssl_object")
    return encrypted is not None and encrypted.selected_alpn_protocol() == "h2"


_open: WeakSet[_Connection] = WeakSet()
_pools: WeakSet[Any] = WeakSet()


def _drop_all() -> None:
    # A process that sends on a connection of its parent may get the other's replies; one that only
    # holds it keeps it open when the parent closes it.
    null = os.open(os.devnull, os.O_RDWR)
    for connection in list(_open):
        connection.drop(null)
    os.close(null)
    # The requests in a pool, and the thread that may hold its lock, are the parent's.
    for pool in list(_pools):
        pool._requests.clear()
        pool._connections.clear()
        pool._optional_thread_lock = type(pool._optional_thread_lock)()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drop_all)
