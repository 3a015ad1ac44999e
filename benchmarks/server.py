"""A model's server that costs its client nothing: prebuilt bytes over raw asyncio.

    python benchmarks/server.py

prints its address and serves until its standard input ends. The name of the model says what comes
back: `stream-4000` streams 4,000 chunks, `tools-2000` the pieces of one tool call, and `reply-20`
sends a whole reply after 20 ms. `each-4000` streams 4,000 chunks, each in an HTTP chunk of its own,
as providers send them.
"""

from __future__ import annotations

import asyncio
import json
import sys
from functools import cache

WORD = " word"
BLOCK = 64 * 1024
"""The bytes of one HTTP chunk: large, so that what is measured is the reading of events."""
ABOUT = {
    "id": "chatcmpl-AbCdEfGhIjKlMnOpQrStUvWxYz012",
    "created": 1_790_000_000,
    "model": "gpt-4o-mini-2024-07-18",
    "service_tier": "default",
    "system_fingerprint": "fp_0123456789",
}
COUNTS = {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}


class Connection(asyncio.Protocol):
    """Answers one request after another, each with bytes that are there already."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, ended, body = self._received.partition(b"\r\n\r\n")
        if not ended or len(body) < _content_length(head):
            return
        self._received = b""
        kind, _, number = _model(body).partition("-")
        if kind == "reply":
            loop = asyncio.get_running_loop()
            loop.call_later(int(number) / 1000, self._send, whole_reply())
        else:
            self._send(streamed_reply(kind, int(number)))

    def _send(self, response: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(response)


def _content_length(head: bytes) -> int:
    _, _, after = head.lower().partition(b"content-length:")
    return int(after.split(b"\r\n", 1)[0] or 0)


def _model(body: bytes) -> str:
    _, _, after = body.partition(b'"model"')
    return after.split(b'"', 2)[1].decode()


@cache
def whole_reply() -> bytes:
    message = {"role": "assistant", "content": WORD * 12, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    body = {**ABOUT, "object": "chat.completion", "choices": [choice], "usage": COUNTS}
    sent = json.dumps(body).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(sent)}"
    return head.encode() + b"\r\n\r\n" + sent


@cache
def streamed_reply(kind: str, chunks: int) -> bytes:
    delta = tool_delta if kind == "tools" else text_delta
    events = [event({"role": "assistant", "content": ""})]
    events += [event(delta(number)) for number in range(chunks)]
    events += [event({}, finish="tool_calls" if kind == "tools" else "stop"), b"data: [DONE]\n\n"]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(block), block) for block in _blocks(kind, events))
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked"
    return head + b"\r\n\r\n" + framed + b"0\r\n\r\n"


def _blocks(kind: str, events: list[bytes]) -> list[bytes]:
    if kind == "each":
        return events
    sent = b"".join(events)
    return [sent[start : start + BLOCK] for start in range(0, len(sent), BLOCK)]


def text_delta(number: int) -> dict[str, object]:
    return {"content": WORD}


def tool_delta(number: int) -> dict[str, object]:
    if number == 0:
        call = {
            "id": "call_0",
            "type": "function",
            "function": {"name": "f", "arguments": '{"a": "'},
        }
    else:
        call = {"function": {"arguments": "word "}}
    return {"tool_calls": [{"index": 0, **call}]}


def event(delta: dict[str, object], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    payload = {**ABOUT, "object": "chat.completion.chunk", "choices": [choice]}
    return b"data: " + json.dumps(payload, separators=(",", ":")).encode() + b"\n\n"


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=512)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
