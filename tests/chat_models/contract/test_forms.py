"""Replies in forms and on connections that servers should not use."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from chatnb import errors
from chatnb.runnables.batches.backoff import MAX_RETRY_AFTER
from tests.chat_models.contract.providers import PROVIDERS, Provider
from tests.support.loopback import Exchange, LoopbackServer, Script

WIRES = [each for each in PROVIDERS if each.name in ("openai", "openai-responses", "anthropic")]
each_wire = pytest.mark.parametrize("provider", WIRES, ids=lambda each: each.name)

TYPES = [None, "text/plain", "Text/Event-Stream; charset=utf-8", "application/json", "text/html"]
Ask = Callable[[Any], str]


def stream(chat: Any) -> str:
    return "".join(chunk.text for chunk in chat.stream("Hi"))


def astream(chat: Any) -> str:
    async def read() -> str:
        return "".join([chunk.text async for chunk in chat.astream("Hi")])

    return asyncio.run(read())


def invoke(chat: Any) -> str:
    return chat.invoke("Hi").text


def ainvoke(chat: Any) -> str:
    return asyncio.run(chat.ainvoke("Hi")).text


ASK = [stream, astream, invoke, ainvoke]


def answering(data: bytes, content_type: str | None, step: int) -> Script:
    """Send a body under a content type, cut into pieces."""

    async def script(_: Exchange) -> AsyncIterator[bytes]:
        declared = "" if content_type is None else f"Content-Type: {content_type}\r\n"
        yield f"HTTP/1.1 200 OK\r\n{declared}connection: close\r\n\r\n".encode()
        for start in range(0, len(data), step):
            yield data[start : start + step]
            await asyncio.sleep(0)

    return script


@each_wire
def test_a_body_is_what_its_bytes_are(loopback: LoopbackServer, provider: Provider) -> None:
    """An event stream or a whole reply, under any content type, to any request."""
    wire = provider.wire
    events = wire.start + wire.text("Hello") + wire.end("Hello")
    whole = json.dumps(wire.whole("Hello")).encode()
    chat = provider.model(loopback.base_url)
    bodies = [events, b"\n\n" + events, b": comment\n\n" + events, whole, b"\xef\xbb\xbf" + events]
    for number, (body, content_type) in enumerate((b, t) for b in bodies for t in TYPES):
        loopback.plays(answering(body, content_type, 3 if number % 2 else 1000))
        assert ASK[number % len(ASK)](chat) == "Hello", (body[:20], content_type)
        assert ASK[(number + 1) % len(ASK)](chat) == "Hello", (body[:20], content_type)


def breaking_off(*sent: bytes) -> Script:
    async def script(exchange: Exchange) -> AsyncIterator[bytes]:
        for piece in sent:
            yield piece
        exchange.torn = True

    return script


@each_wire
@pytest.mark.parametrize("ask", ASK)
def test_a_server_that_was_reached_is_not_called_unreachable(
    loopback: LoopbackServer, provider: Provider, ask: Ask
) -> None:
    """A connection that breaks off after the request says that the attempt may be charged."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    cuts = [
        [],
        [b"HTTP/1.1 20"],
        [head],
        [head + b"content-length: 999\r\n\r\n", b'{"id'],
        [head + b"\r\n"],
    ]
    chat = provider.model(loopback.base_url)
    for sent in cuts:
        loopback.plays(breaking_off(*sent))
        with pytest.raises(errors.ModelError) as caught:
            ask(chat)
        assert "could not be reached" not in str(caught.value), sent
        if not isinstance(caught.value, errors.MalformedReplyError):
            assert "may charge" in str(caught.value), sent


LONG_WAITS = ["inf", "1e400", "86400", "Fri, 31 Dec 2999 23:59:59 GMT", str(10**400)]
NO_WAITS = ["nan", "-5", "soon", "Fri, 31 Dec 1999 23:59:59 GMT"]


@each_wire
@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_a_wait_that_is_too_long_is_an_error_at_once(
    loopback: LoopbackServer, provider: Provider, status: str
) -> None:
    """From the model, a retry and a batch alike; the error says so, and nothing is sent again."""
    chat = provider.model(loopback.base_url, max_retries=3)
    calls: list[Callable[[], Any]] = [
        lambda: chat.invoke("Hi"),
        lambda: ainvoke(chat),
        lambda: chat.with_retry().invoke("Hi"),
        lambda: chat.batch(["Hi"], progress=False),
    ]
    for number, wait in enumerate(LONG_WAITS):
        loopback.plays(provider.wire.refusal(status, "busy", retry_after=wait))
        with pytest.raises((errors.RateLimitError, errors.ServerError)) as caught:
            calls[number % len(calls)]()
        assert f"longer than the {MAX_RETRY_AFTER:g} s" in str(caught.value)
        assert len(loopback.exchanges) == 1, wait


@pytest.mark.usefixtures("short_pauses")
@each_wire
def test_a_wait_that_is_none_is_not_waited_for(
    loopback: LoopbackServer, provider: Provider
) -> None:
    """The call is tried again after the usual pause."""
    chat = provider.model(loopback.base_url, max_retries=1)
    for wait in NO_WAITS:
        refusal = provider.wire.refusal("429 Too Many Requests", "busy", retry_after=wait)
        loopback.plays(refusal, provider.wire.reply("Hello"))
        assert chat.invoke("Hi").text == "Hello"
