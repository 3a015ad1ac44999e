"""The openai SDK by itself."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from openai import AsyncOpenAI, OpenAI

ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
STREAMED: dict[str, Any] = {**ASKED, "stream": True, "stream_options": {"include_usage": True}}


class Client:
    def __init__(self, server: str) -> None:
        self._server = server
        self._runner = asyncio.Runner()

    def _client(self, path: str) -> OpenAI:
        return OpenAI(api_key="none", base_url=f"{self._server}/{path}/v1")

    def _async_client(self, path: str) -> AsyncOpenAI:
        return AsyncOpenAI(api_key="none", base_url=f"{self._server}/{path}/v1")

    def stream(self, chunks: int) -> float:
        client = self._client(f"stream-{chunks}")
        started = time.perf_counter()
        for chunk in client.chat.completions.create(**STREAMED):
            chunk.choices[0].delta.content  # noqa: B018
        return (time.perf_counter() - started) / chunks

    def astream(self, chunks: int) -> float:
        return self._runner.run(self._astream(chunks))

    async def _astream(self, chunks: int) -> float:
        async with self._async_client(f"stream-{chunks}") as client:
            started = time.perf_counter()
            async for chunk in await client.chat.completions.create(**STREAMED):
                chunk.choices[0].delta.content  # noqa: B018
            return (time.perf_counter() - started) / chunks

    def first_chunk(self, calls: int) -> float:
        client, spent = self._client("stream-10"), 0.0
        for number in range(calls + 1):
            started = time.perf_counter()
            with client.chat.completions.create(**STREAMED) as chunks:
                next(iter(chunks))
                spent += (time.perf_counter() - started) if number else 0
                list(chunks)
        return spent / calls

    def afirst_chunk(self, calls: int) -> float:
        return self._runner.run(self._afirst_chunk(calls))

    async def _afirst_chunk(self, calls: int) -> float:
        spent = 0.0
        async with self._async_client("stream-10") as client:
            for number in range(calls + 1):
                started = time.perf_counter()
                async with await client.chat.completions.create(**STREAMED) as chunks:
                    await anext(aiter(chunks))
                    spent += (time.perf_counter() - started) if number else 0
                    [chunk async for chunk in chunks]
        return spent / calls

    def invoke(self, calls: int) -> float:
        client = self._client("reply-0")
        client.chat.completions.create(**ASKED)
        started = time.perf_counter()
        for _ in range(calls):
            client.chat.completions.create(**ASKED)
        return (time.perf_counter() - started) / calls

    def ainvoke(self, calls: int) -> float:
        return self._runner.run(self._ainvoke(calls))

    async def _ainvoke(self, calls: int) -> float:
        async with self._async_client("reply-0") as client:
            await client.chat.completions.create(**ASKED)
            started = time.perf_counter()
            for _ in range(calls):
                await client.chat.completions.create(**ASKED)
            return (time.perf_counter() - started) / calls

    def batch(self, calls: int) -> float:
        client = self._client("reply-20")
        started = time.perf_counter()
        with ThreadPoolExecutor(64) as pool:
            list(pool.map(lambda _: client.chat.completions.create(**ASKED), range(calls)))
        return (time.perf_counter() - started) / calls

    def abatch(self, calls: int) -> float:
        return self._runner.run(self._abatch(calls))

    async def _abatch(self, calls: int) -> float:
        turn = asyncio.Semaphore(64)
        async with self._async_client("reply-20") as client:

            async def ask() -> object:
                async with turn:
                    return await client.chat.completions.create(**ASKED)

            started = time.perf_counter()
            await asyncio.gather(*(ask() for _ in range(calls)))
            return (time.perf_counter() - started) / calls

    def streams(self, chunks: int) -> float:
        return self._runner.run(self._streams(chunks))

    async def _streams(self, chunks: int) -> float:
        async with self._async_client(f"stream-{chunks}") as client:

            async def read() -> None:
                async for chunk in await client.chat.completions.create(**STREAMED):
                    chunk.choices[0].delta.content  # noqa: B018

            started = time.perf_counter()
            await asyncio.gather(*(read() for _ in range(200)))
            return time.perf_counter() - started
