"""A server on loopback that speaks OpenAI's wire and misbehaves as it is told to."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any
from weakref import WeakSet

Script = Callable[["Exchange"], AsyncIterator[bytes]]


@dataclass
class Exchange:
    """One request, and what became of its connection."""

    headers: dict[str, str]
    body: dict[str, Any]
    path: str = ""
    torn: bool = False
    closed: threading.Event = field(default_factory=threading.Event)


def event(payload: dict[str, Any] | str) -> bytes:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return f"data: {text}\n\n".encode()


def delta(text: str | None, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return event({"id": "chatcmpl-1", "model": "loopback-1", "choices": [choice]})


def usage(prompt: int, completion: int) -> bytes:
    counts = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    return event({"id": "chatcmpl-1", "model": "loopback-1", "choices": [], "usage": counts})


def head(status: str = "200 OK", kind: str = "text/event-stream", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-type: {kind}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def refusal(status: str, message: str, code: str = "", **headers: str) -> Script:
    async def script(_: Exchange) -> AsyncIterator[bytes]:
        body = json.dumps({"error": {"message": message, "code": code}})
        yield head(status, "application/json", **headers) + body.encode()

    return script


def saying(*pieces: bytes) -> Script:
    """Send these bytes, each in a packet of its own."""

    async def script(_: Exchange) -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
            await asyncio.sleep(0)

    return script


def whole(text: str) -> Script:
    """A reply that is not streamed."""
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    counts = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    reply = {"id": "chatcmpl-1", "model": "loopback-1", "choices": [choice], "usage": counts}
    return saying(head(kind="application/json") + json.dumps(reply).encode())


def reset(*pieces: bytes) -> Script:
    """Send these bytes, then tear the connection down without a goodbye."""

    async def script(exchange: Exchange) -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
            await asyncio.sleep(0.01)
        exchange.torn = True

    return script


def endless(text: str = "word ") -> Script:
    """A stream that ends only when the other side hangs up."""

    async def script(_: Exchange) -> AsyncIterator[bytes]:
        yield head()
        while True:
            yield delta(text)
            await asyncio.sleep(0.01)

    return script


class LoopbackServer:
    """Answers the Nth request with the Nth script, the last one for all that follow."""

    def __init__(self, tls: SSLContext | None = None) -> None:
        self._tls = tls
        self.scripts: list[Script] = []
        self.exchanges: list[Exchange] = []
        self._writers = WeakSet[asyncio.StreamWriter]()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        starting = asyncio.run_coroutine_threadsafe(self._listen(), self._loop)
        self._server = starting.result(10)
        port = self._server.sockets[0].getsockname()[1]
        self.base_url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/v1"

    def plays(self, *scripts: Script) -> None:
        self.scripts, self.exchanges = list(scripts), []

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    async def _hang_up(self) -> None:
        self._server.close()
        answering = asyncio.all_tasks() - {asyncio.current_task()}
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)
        writers = list(self._writers)
        for writer in writers:
            writer.transport.abort()
        # Only then they have let go of their sockets.
        await asyncio.gather(*(w.wait_closed() for w in writers), return_exceptions=True)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._answer, "127.0.0.1", 0, ssl=self._tls)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            exchange = await self._read(reader)
            await self._play(exchange, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The client hung up first, which is what some tests are about.
        except asyncio.CancelledError:
            pass  # The server is closed; asyncio would print a traceback.
        finally:
            writer.close()

    async def _play(
        self, exchange: Exchange, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        hung_up = asyncio.ensure_future(reader.read(1))
        try:
            async for piece in self._script()(exchange):
                if hung_up.done():
                    break
                writer.write(piece)
                await writer.drain()
        finally:
            hung_up.cancel()
            if exchange.torn:
                writer.transport.abort()
            writer.close()
            exchange.closed.set()

    def _script(self) -> Script:
        return self.scripts[min(len(self.exchanges), len(self.scripts)) - 1]

    async def _read(self, reader: asyncio.StreamReader) -> Exchange:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        headers = {
            name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        exchange = Exchange(headers, json.loads(body or "{}"), path=first.split(" ")[1])
        self.exchanges.append(exchange)
        return exchange
