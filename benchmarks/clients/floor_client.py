"""The floor: httpx2's raw bytes, split at blank lines, each event parsed by jiter."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import jiter

POOL = httpx2.Limits(max_connections=1000)


def body(model: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Hi"}]}


def events_in(blocks: list[bytes], received: bytes) -> Iterator[object]:
    *events, rest = (b"".join(blocks) + received).split(b"\n\n")
    blocks[:] = [rest]
    for event in events:
        if event != b"data: [DONE]":
            yield jiter.from_json(event[6:])


class Client:
    def __init__(self, server: str) -> None:
        self._url = f"{server}/v1/chat/completions"
        self._runner = asyncio.Runner()
        self._client = httpx2.Client(limits=POOL)
        self._aclient = httpx2.AsyncClient(limits=POOL)

    def stream(self, chunks: int) -> float:
        return self._stream("stream", chunks)

    def stream_each(self, chunks: int) -> float:
        return self._stream("each", chunks)

    def _stream(self, kind: str, chunks: int) -> float:
        started, blocks = time.perf_counter(), [b""]
        asked = body(f"{kind}-{chunks}")
        with self._client.stream("POST", self._url, json=asked) as response:
            for received in response.iter_raw():
                for _ in events_in(blocks, received):
                    pass
        return (time.perf_counter() - started) / chunks

    def astream(self, chunks: int) -> float:
        return self._runner.run(self._astream("stream", chunks))

    def astream_each(self, chunks: int) -> float:
        return self._runner.run(self._astream("each", chunks))

    async def _astream(self, kind: str, chunks: int) -> float:
        started, blocks = time.perf_counter(), [b""]
        asked = body(f"{kind}-{chunks}")
        async with self._aclient.stream("POST", self._url, json=asked) as response:
            async for received in response.aiter_raw():
                for _ in events_in(blocks, received):
                    pass
        return (time.perf_counter() - started) / chunks

    def batch(self, calls: int) -> float:
        started = time.perf_counter()
        with ThreadPoolExecutor(64) as pool:
            list(pool.map(lambda _: self._ask(), range(calls)))
        return (time.perf_counter() - started) / calls

    def _ask(self) -> object:
        return jiter.from_json(self._client.post(self._url, json=body("reply-20")).content)

    def abatch(self, calls: int) -> float:
        return self._runner.run(self._abatch(calls))

    async def _abatch(self, calls: int) -> float:
        turn = asyncio.Semaphore(64)

        async def ask() -> object:
            async with turn:
                response = await self._aclient.post(self._url, json=body("reply-20"))
                return jiter.from_json(response.content)

        started = time.perf_counter()
        await asyncio.gather(*(ask() for _ in range(calls)))
        return (time.perf_counter() - started) / calls
