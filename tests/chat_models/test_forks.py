"""Forks of a process whose models have open connections."""

from __future__ import annotations

import json
import multiprocessing
import os
import socketserver
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from chatnb.chat_models import BaseChatModel
from tests.chat_models.contract.providers import PROVIDERS, Provider, Wire
from tests.support.thorough import some_of

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
]
WIRES = [each for each in PROVIDERS if each.name in ("openai", "openai-responses", "anthropic")]
CHILDREN, CALLS = 2, 8
SECONDS = 60  # A child that takes so long hangs.


class Echo(BaseHTTPRequestHandler):
    """Answers with the prompt, whole or as a stream, on a connection that stays open."""

    protocol_version = "HTTP/1.1"
    wire: Wire

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        (message,) = body.get("messages") or body["input"]
        content = message["content"]
        text = content if isinstance(content, str) else content[0]["text"]
        if body.get("stream"):
            data, kind = (
                self.wire.start + self.wire.text(text) + self.wire.end(text),
                "event-stream",
            )
        else:
            data, kind = json.dumps(self.wire.whole(text)).encode(), "json"
        self.send_response(200)
        self.send_header("content-type", f"text/{kind}")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


class EchoServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64


@pytest.fixture(params=some_of(WIRES, 3), ids=lambda each: each.name)
def provider(request: pytest.FixtureRequest) -> Provider:
    return request.param


@pytest.fixture
def address(provider: Provider) -> Iterator[str]:
    handler = type("Handler", (Echo,), {"wire": provider.wire})
    with EchoServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()


def invoke(chat: BaseChatModel, text: str) -> str:
    return chat.invoke(text).text


def stream(chat: BaseChatModel, text: str) -> str:
    return "".join(chunk.text for chunk in chat.stream(text))


def ainvoke(chat: BaseChatModel, text: str) -> str:
    async def ask() -> str:
        return (await chat.ainvoke(text)).text

    from chatnb.concurrency.portal import package_portal

    return package_portal.run(ask())  # Its loop, and so its connections, outlive a call.


ASK: dict[str, Callable[[BaseChatModel, str], str]] = {
    "invoke": invoke,
    "stream": stream,
    "ainvoke": ainvoke,
}


def wrong_replies(chat: BaseChatModel, name: str) -> list[str]:
    """Make calls, each way, and return what is not the reply to them."""
    asked = [(ask, f"{name} {way} {n}") for n in range(CALLS) for way, ask in ASK.items()]
    return [text for ask, text in asked if ask(chat, text) != text]


def in_children(work: Callable[[str], list[str]]) -> tuple[list[str], list[int | None]]:
    """Do work in forked processes and here at the same time; return what it returns, and codes."""
    context = multiprocessing.get_context("fork")

    def in_child(number: int) -> None:
        os._exit(len(work(f"child {number}")))

    children = [context.Process(target=in_child, args=[n], daemon=True) for n in range(CHILDREN)]
    for child in children:
        child.start()
    wrong = work("parent")
    for child in children:
        child.join(SECONDS)
        if child.exitcode is None:
            child.kill()
    return wrong, [child.exitcode for child in children]


@pytest.fixture
def own_client() -> Iterator[Any]:
    import httpx2

    with httpx2.Client() as client:
        yield client


@pytest.mark.parametrize("is_own", [False, True], ids=["", "own client"])
def test_parent_and_children_get_their_own_replies(
    provider: Provider, address: str, own_client: Any, is_own: bool
) -> None:
    """Connections stay with the parent, those of a client that the user gave as well."""
    chat = provider.model(address, http_client=own_client if is_own else None)
    for ask in ASK.values():
        ask(chat, "warm")
    assert in_children(lambda name: wrong_replies(chat, name)) == ([], [0] * CHILDREN)


@pytest.mark.slow
def test_a_fork_while_threads_call_does_not_hang(
    provider: Provider, address: str, own_client: Any
) -> None:
    """Locks that other threads hold at that moment are free in the child."""
    chats = [provider.model(address), provider.model(address, http_client=own_client)]
    over = threading.Event()

    def call() -> None:
        for chat in chats:
            for ask in (invoke, ainvoke):
                ask(chat, "busy")

    def call_again_and_again() -> None:
        while not over.is_set():
            call()

    call()  # A child would wait for ever for a module that a thread imports at that moment.
    threads = [threading.Thread(target=call_again_and_again, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        outcome = in_children(lambda name: [text for c in chats for text in wrong_replies(c, name)])
    finally:
        over.set()
    for thread in threads:
        thread.join(SECONDS)
    assert outcome == ([], [0] * CHILDREN)


def test_a_connection_that_the_parent_closes_ends_while_a_child_lives(
    provider: Provider, own_client: Any
) -> None:
    """The child keeps no copy of it open, on which a server would go on waiting."""
    ended = threading.Event()

    class Handler(Echo):
        wire = provider.wire

        def finish(self) -> None:
            super().finish()
            ended.set()

    with EchoServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/v1"
        chunks = provider.model(address, http_client=own_client).stream("one")
        next(chunks)
        reads, writes = os.pipe()
        if (child := os.fork()) == 0:
            os.close(writes)
            os.read(reads, 1)  # Until the parent closes the pipe, or ends.
            os._exit(0)
        try:
            chunks.close()  # type: ignore[attr-defined]
            own_client.close()
            assert ended.wait(SECONDS)
        finally:
            os.close(reads)
            os.close(writes)
            os.waitpid(child, 0)
            server.shutdown()


def test_a_child_leaves_its_parents_streams_alone(provider: Provider, address: str) -> None:
    """A stream that was half read at the fork can be read on, and ends, in the parent alone."""
    chat = provider.model(address)
    chunks = chat.stream("one")
    first = next(chunks)

    def read_on(name: str) -> list[str]:
        if name == "parent":
            return []
        try:
            return [chunk.text for chunk in chunks]
        except Exception:
            return []

    assert in_children(read_on)[1] == [0] * CHILDREN
    assert first.text + "".join(chunk.text for chunk in chunks) == "one"
