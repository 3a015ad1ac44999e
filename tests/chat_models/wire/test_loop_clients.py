from __future__ import annotations

import asyncio
import gc
import socketserver
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx2
import pytest

from chatnb.chat_models import ChatOpenAI
from chatnb.chat_models.wire.loop_clients import LoopClients
from tests.support.loopback import LoopbackServer, delta, event, whole


class Client:
    def __init__(self, closed: list[Client]) -> None:
        self._closed = closed

    async def post(self, **request: Any) -> Any:
        raise NotImplementedError

    async def close(self) -> None:
        self._closed.append(self)


def test_calls_at_once_share_the_client_of_their_loop() -> None:
    """Sixteen first calls on one event loop get one client, which ends with the loop."""
    closed: list[Client] = []
    clients = LoopClients()

    def make() -> Client:
        return Client(closed)

    async def ask() -> set[Any]:
        return set(await asyncio.gather(*(clients.of_this_loop(make) for _ in range(16))))

    (first,) = asyncio.run(ask())
    assert closed == [first]
    (second,) = asyncio.run(ask())
    assert closed == [first, second]
    assert second is not first


def test_each_event_loop_keeps_its_client() -> None:
    """Loops that run at the same time do not close each other's; each closes its own at its end."""
    closed: list[Client] = []
    clients = LoopClients()
    runners = [asyncio.Runner() for _ in range(3)]

    def make() -> Client:
        return Client(closed)

    async def ask() -> Any:
        return await clients.of_this_loop(make)

    made = [runner.run(ask()) for runner in runners]
    gc.collect()
    assert [runner.run(ask()) for runner in runners] == made
    assert closed == []
    for runner in runners:
        runner.close()
    assert closed == made


class ReusableLine(BaseHTTPRequestHandler):
    """Streams replies, and ends each body some time after the reply."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        data = delta("Hello", "stop") + event("[DONE]")
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        threading.Event().wait(0.01)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:
        pass


class CountingServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    connections = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with CountingServer(("127.0.0.1", 0), ReusableLine) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def test_a_stream_leaves_its_connection_to_the_next(
    server: CountingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of the body is read behind the end of the reply, sync and async."""
    # A busy machine takes longer to send it than the tenth of a second that calls wait.
    monkeypatch.setattr("chatnb.chat_models.wire.loop_clients._REST_SECONDS", 30.0)
    chat = ChatOpenAI("m", api_key="k", base_url=server.base_url)
    assert ["".join(chunk.text for chunk in chat.stream("Hi")) for _ in range(3)] == ["Hello"] * 3
    assert server.connections == 1

    async def stream() -> list[str]:
        return ["".join([chunk.text async for chunk in chat.astream("Hi")]) for _ in range(3)]

    assert asyncio.run(stream()) == ["Hello"] * 3
    assert server.connections == 2


class ReadyBytes(httpx2.AsyncByteStream):
    """A body that has come with its head: to read it never waits."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield delta("a")

    async def aclose(self) -> None:
        self.closed.set()


@pytest.mark.parametrize("error", [None, GeneratorExit, asyncio.CancelledError])
def test_a_stream_that_is_left_at_once_is_closed(error: type[BaseException] | None) -> None:
    """Its connection is, also where nothing has been waited for between its start and its end."""

    async def leave_early() -> None:
        body = ReadyBytes()
        transport = httpx2.MockTransport(lambda _: httpx2.Response(200, stream=body))
        async with httpx2.AsyncClient(transport=transport) as client:
            chat = ChatOpenAI("m", api_key="k", http_async_client=client, use_responses_api=False)
            chunks = chat.astream("Hi")
            assert (await anext(chunks)).text == "a"
            if error is None:
                await chunks.aclose()
            else:
                with pytest.raises(error):
                    await chunks.athrow(error())
            await asyncio.wait_for(body.closed.wait(), 60)

    asyncio.run(leave_early())


@pytest.mark.thorough
def test_dropped_models_leave_the_calls_of_others_alone(
    server: CountingServer, without_gc: None
) -> None:
    """Sockets get the numbers of dropped ones, whose late closing must not take them for theirs."""

    models, outer = list[ChatOpenAI](), set[Any]()

    async def read(chat: ChatOpenAI) -> None:
        assert "".join([chunk.text async for chunk in chat.astream("Hi")]) == "Hello"

    async def calls() -> list[asyncio.Task[None]]:
        chat = ChatOpenAI("m", api_key="k", base_url=server.base_url)
        vars(chat)["itself"] = chat  # So that only the garbage collector drops it.
        models.append(chat)
        await read(chat)
        return [asyncio.create_task(read(chat)) for _ in range(16)]

    async def collect_after(steps: int) -> None:
        await asyncio.gather(*await calls())
        others = await calls()
        for _ in range(steps):
            await asyncio.sleep(0)
        del models[:-1]
        gc.collect()
        await asyncio.gather(*others)
        # The client of the dropped model may still be closing.
        await asyncio.gather(*asyncio.all_tasks() - outer)

    async def collect_while_connecting() -> None:
        outer.update(asyncio.all_tasks())
        for steps in range(8):
            await collect_after(steps)

    asyncio.run(asyncio.wait_for(collect_while_connecting(), 120))


@pytest.fixture
def without_gc() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_certificates_are_read_once(
    loopback: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All models share one SSL context, until a variable names other certificates."""
    read = list[object]()
    create = ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", lambda *a, **k: read.append(a) or create())
    loopback.plays(whole("Hi"))

    def ask() -> int:
        before = len(read)
        model = ChatOpenAI("m", api_key="sk-for-loopback", base_url=loopback.base_url)
        assert model.invoke("Hi").text == asyncio.run(model.ainvoke("Hi")).text == "Hi"
        return len(read) - before

    ask()
    assert ask() == 0
    monkeypatch.setenv("SSL_CERT_FILE", "ours.pem")
    assert [ask(), ask()] == [1, 0]
