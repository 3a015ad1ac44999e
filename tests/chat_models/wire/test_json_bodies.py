"""Whole replies whose JSON has ended, from servers that do not end the body or the connection."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest

from chatnb.chat_models import BaseChatModel
from chatnb.chat_models.wire.json_bodies import end_with_json
from tests.chat_models.contract.providers import PROVIDERS, Provider
from tests.support.hangs import ends
from tests.support.loopback import Exchange, LoopbackServer, Script

WIRES = [each for each in PROVIDERS if each.name in ("openai", "openai-responses", "anthropic")]
TEXT = 'Say {"a": 1'
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
ENDS = ("open", "torn", "closed", "spaces", "more")


def script(provider: Provider, framing: str, end: str) -> Script:
    """Send a whole reply in two parts, in a body that does not end."""
    body = json.dumps(provider.wire.whole(TEXT)).encode()
    half = len(body) // 2

    async def answer(exchange: Exchange) -> AsyncIterator[bytes]:
        if framing == "chunked":
            part = b"%x\r\n%b\r\n"
            yield HEAD + b"transfer-encoding: chunked\r\n\r\n" + part % (half, body[:half])
            yield part % (len(body) - half, body[half:])
        else:
            length = b"" if framing == "none" else b"content-length: %d\r\n" % (len(body) + 9_000)
            yield HEAD + length + b"\r\n" + body[:half]
            yield body[half:]
        await asyncio.sleep(0.05)
        exchange.torn = end == "torn"
        while end in ("open", "spaces", "more"):
            sent = {"open": b"", "spaces": b" ", "more": b'{"error": 1}'}[end]
            yield b"%x\r\n%b\r\n" % (len(sent), sent) if framing == "chunked" and sent else sent
            await asyncio.sleep(0.02)

    return answer


def invoke(chat: BaseChatModel) -> str:
    return chat.invoke("x").text


def ainvoke(chat: BaseChatModel) -> str:
    async def ask() -> str:
        return (await chat.ainvoke("x")).text

    return asyncio.run(ask())


@pytest.mark.parametrize("ask", [invoke, ainvoke])
@pytest.mark.parametrize("framing", ["none", "length", "chunked"])
@pytest.mark.parametrize("provider", WIRES, ids=lambda each: each.name)
def test_a_reply_is_whole_when_its_json_is(provider: Provider, framing: str, ask: Any) -> None:
    """The call ends then, and not by its timeout, whatever the server does after it."""
    server = LoopbackServer()
    try:
        chat = provider.model(server.base_url, timeout=60)
        for end in ENDS:
            server.plays(script(provider, framing, end))
            assert ends(lambda: ask(chat), 30) == TEXT
            assert server.exchanges[0].closed.wait(30)
    finally:
        server.close()


class Parts(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._parts)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part


def read(method: str, headers: dict[str, str], parts: list[bytes]) -> bytes:
    """Return a body of such parts, as a client with the hook reads it."""
    respond = httpx2.MockTransport(
        lambda _: httpx2.Response(200, headers=headers, stream=Parts(parts))
    )
    with httpx2.Client(transport=respond, event_hooks={"response": [end_with_json]}) as client:
        return client.request(method, "http://a/").content


@pytest.mark.parametrize(
    ("method", "headers", "parts"),
    [
        ("GET", {"content-type": "application/json"}, [b'{"a": 1}\n', b'{"a": 2}\n']),
        ("POST", {"content-type": "application/x-ndjson"}, [b'{"a": 1}\n', b'{"a": 2}\n']),
        ("POST", {"content-type": "text/event-stream"}, [b"data: {}", b"\n\n"]),
        ("POST", {"content-type": "application/json"}, [b'{"a": {}', b', "b": "}', b' x"}', b""]),
        ("POST", {"content-type": "application/json"}, [b'{"a": "\xe2\x82', b"\xac}", b'"}']),
        ("POST", {"content-type": "application/json"}, [b"}", b"[{}", b", {}", b"]"]),
        ("POST", {}, [b"data: {}", b"\n\ndata: {}"]),
        ("POST", {}, [b"{" * 9_000 + b"}", b"}" * 9_000]),
    ],
)
def test_other_bodies_are_read_to_their_ends(
    method: str, headers: dict[str, str], parts: list[bytes]
) -> None:
    """Files of lines, streams, and objects whose parts seem to be the last."""
    assert read(method, headers, parts) == b"".join(parts)


def test_a_compressed_body_is_read_to_its_end() -> None:
    """Its brackets are not those of the JSON."""
    body = gzip.compress(b'{"a": 1}')
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    assert read("POST", headers, [body[:9], body[9:]]) == b'{"a": 1}'


def test_what_follows_the_json_is_ignored() -> None:
    """The reply is the first object."""
    headers = {"content-type": "application/json; charset=utf-8"}
    assert read("POST", headers, [b'{"a": ', b"1}\n", b'{"error": "late"}']) == b'{"a": 1}\n'


def test_parts_that_all_seem_to_be_the_last_are_not_all_read_anew() -> None:
    """The work grows with the length of the body."""
    parts = [b'{"a":[{}', *[b",{}"] * 300_000, b"]}"]
    assert len(read("POST", {}, parts)) == sum(map(len, parts))
