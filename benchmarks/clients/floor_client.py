"""The floor: httpx2's raw bytes, split at blank lines, each event parsed by jiter."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import jiter

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
POOL = httpx2.Limits(max_connections=1000)


def events_in(blocks: list[bytes], received: bytes) -> Iterator[object]:
    *events, rest = (b"".join(blocks) + received).split(b"\n\n")
    blocks[:] = [rest]
    for event in events:
        if event != b"data: [DONE]":
            yield jiter.from_json(event[6:])


class Client:
    def __init__(self, server: str) -> None:
        self._server = server
        self._runner = asyncio.Runner()
        self._client = httpx2.Client(limits=POOL)

    def _url(self, path: str) -> str:
        return f"{self._server}/{path}/v1/chat/completions"

    def stream(self, chunks: int) -> float:
        started, blocks = time.perf_counter(), [b""]
        with self._client.stream("POST", self._url(f"stream-{chunks}"), json=BODY) as response:
            for received in response.iter_raw():
                for _ in events_in(blocks, received):
                    pass
        return (time.perf_counter() - started) / chunks

    def astream(self, chunks: int) -> float:
        return self._runner.run(self._astream(chunks))

    async def _astream(self, chunks: int) -> float:
        async with httpx2.AsyncClient() as client:
            started, blocks = time.perf_counter(), [b""]
            url = self._url(f"stream-{chunks}")
            async with client.stream("POST", url, json=BODY) as response:
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
        return jiter.from_json(self._client.post(self._url("reply-20"), json=BODY).content)

    def abatch(self, calls: int) -> float:
        return self._runner.run(self._abatch(calls))

    async def _abatch(self, calls: int) -> float:
        turn = asyncio.Semaphore(64)
        async with httpx2.AsyncClient(limits=POOL) as client:

            async def ask() -> object:
                async with turn:
                    response = await client.post(self._url("reply-20"), json=BODY)
                    return jiter.from_json(response.content)

            started = time.perf_counter()
            await asyncio.gather(*(ask() for _ in range(calls)))
            return (time.perf_counter() - started) / calls
