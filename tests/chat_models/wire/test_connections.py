"""Connections that calls share: seen when closed, and written to in whole requests."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpcore2
import httpx2
import pytest

from chatnb.chat_models.wire.connections import track_async_connections, track_connections
from chatnb.concurrency.cancellation import Abandoned, CancelScope
from tests.support.call_counting import calls_during

REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def connected() -> Generator[tuple[Any, socket.socket]]:
    """A connection of chatnb's, and the server's end of it."""
    with httpx2.Client() as client, socket.create_server(("127.0.0.1", 0)) as server:
        track_connections(client)
        transport: Any = client._transport
        connection = transport._pool._network_backend.connect_tcp(*server.getsockname())
        theirs, _ = server.accept()
        with closing(connection), closing(theirs):
            yield connection, theirs


def test_a_connection_that_the_server_closed_is_seen_each_time_and_cheaply() -> None:
    """A pool, which looks at its idle connections for every request, finds those that ended."""
    with connected() as (connection, theirs):
        assert not connection.get_extra_info("is_readable")
        looks = calls_during(lambda: connection.get_extra_info("is_readable"))
        assert "is_socket_readable" not in looks
        theirs.close()
        assert connection.get_extra_info("is_readable")
        connection.close()
        assert connection.get_extra_info("is_readable")


@contextmanager
def answering(*replies: bytes) -> Generator[str]:
    """The address of a server that sends these in turn, each to a connection of its own or not."""
    left = list(replies)

    def serve(theirs: socket.socket) -> None:
        with closing(theirs), suppress(OSError):
            while theirs.recv(1 << 16) and left:
                theirs.sendall(left.pop(0))

    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    theirs, _ = server.accept()
                    threading.Thread(target=serve, args=[theirs], daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


def _replies(address: str, count: int) -> list[str]:
    with httpx2.Client() as client:
        track_connections(client)
        return [client.post(address, content=b"{}").text for _ in range(count)]


def _areplies(address: str, count: int) -> list[str]:
    async def request() -> list[str]:
        async with httpx2.AsyncClient() as client:
            track_async_connections(client)
            return [(await client.post(address, content=b"{}")).text for _ in range(count)]

    return asyncio.run(request())


@pytest.mark.parametrize("ask", [_replies, _areplies])
@pytest.mark.parametrize("rest", [REPLY.replace(b"ok", b"no"), b"rest", b"\r\n\r\n"])
def test_what_comes_after_a_reply_is_no_reply_to_the_next_request(ask: Any, rest: bytes) -> None:
    """A server, or a proxy, that sends too much has its connection closed."""
    second = REPLY.replace(b"ok", b"2.")
    with answering(REPLY + rest, second, second) as address:
        assert ask(address, 3) == ["ok", "2.", "2."]


class _Stream(httpcore2.MockStream):
    """A stream that keeps what is sent, and has one reply."""

    def __init__(self, sent: list[bytes]) -> None:
        super().__init__([REPLY])
        self._sent = sent

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._sent += [buffer] if buffer else []


class _AsyncStream(httpcore2.AsyncMockStream):
    """The asynchronous one."""

    def __init__(self, sent: list[bytes]) -> None:
        super().__init__([REPLY])
        self._sent = sent

    async def write(self, buffer: bytes, **_: object) -> None:
        self._sent += [buffer] if buffer else []


def _writes(method: str, body: bytes | None) -> list[bytes]:
    sent = list[bytes]()
    with httpx2.Client() as client:
        transport: Any = client._transport
        transport._pool._network_backend = SimpleNamespace(
            connect_tcp=lambda *_, **__: _Stream(sent), connect_unix_socket=None, sleep=None
        )
        track_connections(client)
        assert client.request(method, "http://a/", content=body).text == "ok"
    return sent


def _awrites(method: str, body: bytes | None) -> list[bytes]:
    sent = list[bytes]()

    async def connect(*_: object, **__: object) -> _AsyncStream:
        return _AsyncStream(sent)

    async def request() -> None:
        async with httpx2.AsyncClient() as client:
            transport: Any = client._transport
            transport._pool._network_backend = SimpleNamespace(
                connect_tcp=connect, connect_unix_socket=None, sleep=None
            )
            track_async_connections(client)
            assert (await client.request(method, "http://a/", content=body)).text == "ok"

    asyncio.run(request())
    return sent


@pytest.mark.parametrize("writes", [_writes, _awrites])
@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("POST", b"{}"),
        ("POST", b"ends\r\n\r\n"),
        ("POST", b"POST / HTTP/1.1\r\n\r\n"),
        ("POST", b""),
        ("POST", None),
        ("GET", None),
    ],
)
def test_a_request_is_sent_at_once(writes: Any, method: str, body: bytes | None) -> None:
    """Its head and body are one packet, whatever the body is, and if there is none."""
    (sent,) = writes(method, body)
    head, _, rest = sent.partition(b"\r\n\r\n")
    assert head.startswith(method.encode())
    assert rest == (body or b"")


def test_a_head_is_sent_before_a_read() -> None:
    """A connection waits for no body that its user does not write."""
    head = b"POST / HTTP/1.1\r\nHost: a\r\n\r\n"
    with connected() as (connection, theirs):
        theirs.sendall(b"ok")
        connection.write(head)
        assert connection.read(2, timeout=10) == b"ok"
        assert theirs.recv(1 << 16) == head
        connection.write(head)
        connection.write(b"body")
        assert theirs.recv(1 << 16) == head + b"body"
        connection.write(b"more")
        assert theirs.recv(1 << 16) == b"more"


@pytest.fixture
def unix_server(tmp_path: Path) -> Iterator[str]:
    """The path of a socket whose server answers every connection once."""
    path = str(tmp_path / "s")
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(path)
        server.listen()

        def serve() -> None:
            with suppress(OSError):
                while True:
                    theirs, _ = server.accept()
                    theirs.recv(1 << 16)
                    theirs.sendall(REPLY)
                    theirs.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield path
        server.shutdown(socket.SHUT_RDWR)
        thread.join(60)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="Windows has no such sockets.")
def test_sockets_of_this_machine_are_connections_as_well(unix_server: str) -> None:
    """Both kinds of clients reach a server by its path; a cancelled call does not connect."""
    with httpx2.Client(transport=httpx2.HTTPTransport(uds=unix_server)) as client:
        track_connections(client)
        track_connections(client)
        assert client.post("http://a/", content=b"{}").text == "ok"
        scope = CancelScope()
        scope.cancel()
        with scope.entered(), pytest.raises(Abandoned):
            client.post("http://a/", content=b"{}")

    async def post() -> str:
        transport = httpx2.AsyncHTTPTransport(uds=unix_server)
        async with httpx2.AsyncClient(transport=transport) as client:
            track_async_connections(client)
            return (await client.post("http://a/", content=b"{}")).text

    assert asyncio.run(post()) == "ok"


def test_a_cancelled_call_ends_its_own_connection_only() -> None:
    """A reader that waits gets the end of the stream; the next request's scope is another."""
    with httpx2.Client() as client, socket.create_server(("127.0.0.1", 0)) as server:
        track_connections(client)
        transport: Any = client._transport
        first, second = CancelScope(), CancelScope()
        connection = transport._pool._network_backend.connect_tcp(*server.getsockname())
        theirs, _ = server.accept()
        with closing(connection), closing(theirs):
            with first.entered():
                connection.write(b"one")
            with second.entered():
                connection.write(b"two")
            first.cancel()
            theirs.sendall(b"reply")
            assert connection.read(5, timeout=10) == b"reply"
            second.cancel()
            assert connection.read(5, timeout=10) == b""
            with second.entered(), pytest.raises(Abandoned):
                connection.write(b"three")
            connection.close()
            second.cancel()


def test_a_client_without_a_pool_stays_as_it_is() -> None:
    """A transport of a test or of the user has no connections to end."""
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, text="ok"))
    with httpx2.Client(transport=transport) as client:
        track_connections(client)
        assert client.get("http://a/").text == "ok"
    track_connections(object())
