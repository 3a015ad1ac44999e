"""The openai SDK by itself."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from openai import AsyncOpenAI, OpenAI

USAGE = {"include_usage": True}


def asked(model: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Hi"}]}


def streamed(model: str) -> dict[str, Any]:
    return {**asked(model), "stream": True, "stream_options": USAGE}


class Client:
    def __init__(self, server: str) -> None:
        self._runner = asyncio.Runner()
        self._create = OpenAI(api_key="none", base_url=f"{server}/v1").chat.completions.create
        self._acreate = AsyncOpenAI(api_key="none", base_url=f"{server}/v1").chat.completions.create

    def stream(self, chunks: int) -> float:
        return self._stream("stream", chunks)

    def stream_each(self, chunks: int) -> float:
        return self._stream("each", chunks)

    def _stream(self, kind: str, chunks: int) -> float:
        started = time.perf_counter()
        for chunk in self._create(**streamed(f"{kind}-{chunks}")):
            chunk.choices[0].delta.content  # noqa: B018
        return (time.perf_counter() - started) / chunks

    def astream(self, chunks: int) -> float:
        return self._runner.run(self._astream("stream", chunks))

    def astream_each(self, chunks: int) -> float:
        return self._runner.run(self._astream("each", chunks))

    async def _astream(self, kind: str, chunks: int) -> float:
        started = time.perf_counter()
        async for chunk in await self._acreate(**streamed(f"{kind}-{chunks}")):
            chunk.choices[0].delta.content  # noqa: B018
        return (time.perf_counter() - started) / chunks

    def first_chunk(self, calls: int) -> float:
        spent = 0.0
        for _ in range(calls):
            started = time.perf_counter()
            chunks = iter(self._create(**streamed("stream-10")))
            next(chunks)
            spent += time.perf_counter() - started
            list(chunks)
        return spent / calls

    def afirst_chunk(self, calls: int) -> float:
        return self._runner.run(self._afirst_chunk(calls))

    async def _afirst_chunk(self, calls: int) -> float:
        spent = 0.0
        for _ in range(calls):
            started = time.perf_counter()
            chunks = aiter(await self._acreate(**streamed("stream-10")))
            await anext(chunks)
            spent += time.perf_counter() - started
            [chunk async for chunk in chunks]
        return spent / calls

    def invoke(self, calls: int) -> float:
        started = time.perf_counter()
        for _ in range(calls):
            self._create(**asked("reply-0"))
        return (time.perf_counter() - started) / calls

    def ainvoke(self, calls: int) -> float:
        return self._runner.run(self._ainvoke(calls))

    async def _ainvoke(self, calls: int) -> float:
        started = time.perf_counter()
        for _ in range(calls):
            await self._acreate(**asked("reply-0"))
        return (time.perf_counter() - started) / calls

    def batch(self, calls: int) -> float:
        started = time.perf_counter()
        with ThreadPoolExecutor(64) as pool:
            list(pool.map(lambda _: self._create(**asked("reply-20")), range(calls)))
        return (time.perf_counter() - started) / calls

    def abatch(self, calls: int) -> float:
        return self._runner.run(self._abatch(calls))

    async def _abatch(self, calls: int) -> float:
        turn = asyncio.Semaphore(64)

        async def ask() -> object:
            async with turn:
                return await self._acreate(**asked("reply-20"))

        started = time.perf_counter()
        await asyncio.gather(*(ask() for _ in range(calls)))
        return (time.perf_counter() - started) / calls

    def streams(self, chunks: int) -> float:
        return self._runner.run(self._streams(chunks))

    async def _streams(self, chunks: int) -> float:
        async def read() -> None:
            async for chunk in await self._acreate(**streamed(f"stream-{chunks}")):
                chunk.choices[0].delta.content  # noqa: B018

        started = time.perf_counter()
        await asyncio.gather(*(read() for _ in range(200)))
        return time.perf_counter() - started
