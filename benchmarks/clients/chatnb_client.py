"""chatnb itself."""

from __future__ import annotations

import asyncio
import resource
import time
from typing import Any

from chatnb.chat_models import BaseChatModel, ChatOpenAI
from chatnb.output_parsers import StrOutputParser
from chatnb.prompts import ChatPromptTemplate
from chatnb.schema import AIMessage, AIMessageChunk, BaseMessage


class FixedChatModel(BaseChatModel):
    model_name = "fixed"

    def _generate(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        return AIMessage("Hello.")


class Client:
    def __init__(self, server: str) -> None:
        self._server = server
        self._runner = asyncio.Runner()

    def _chat(self, path: str) -> ChatOpenAI:
        return ChatOpenAI("m", openai_api_key="none", base_url=f"{self._server}/{path}/v1")

    def stream(self, chunks: int) -> float:
        chat = self._chat(f"stream-{chunks}")
        chat._client()
        started = time.perf_counter()
        for chunk in chat.stream("Hi"):
            chunk.content  # noqa: B018
        return (time.perf_counter() - started) / chunks

    def astream(self, chunks: int) -> float:
        return self._runner.run(self._astream(chunks))

    async def _astream(self, chunks: int) -> float:
        chat = self._chat(f"stream-{chunks}")
        await chat._async_client()
        started = time.perf_counter()
        async for chunk in chat.astream("Hi"):
            chunk.content  # noqa: B018
        return (time.perf_counter() - started) / chunks

    def first_chunk(self, calls: int) -> float:
        chat, spent = self._chat("stream-10"), 0.0
        for number in range(calls + 1):
            started = time.perf_counter()
            chunks = chat.stream("Hi")
            next(chunks)
            spent += (time.perf_counter() - started) if number else 0
            list(chunks)
        return spent / calls

    def afirst_chunk(self, calls: int) -> float:
        return self._runner.run(self._afirst_chunk(calls))

    async def _afirst_chunk(self, calls: int) -> float:
        chat, spent = self._chat("stream-10"), 0.0
        for number in range(calls + 1):
            started = time.perf_counter()
            chunks = chat.astream("Hi")
            await anext(chunks)
            spent += (time.perf_counter() - started) if number else 0
            [chunk async for chunk in chunks]
        return spent / calls

    def invoke(self, calls: int) -> float:
        chat = self._chat("reply-0")
        chat.invoke("Hi")
        started = time.perf_counter()
        for _ in range(calls):
            chat.invoke("Hi")
        return (time.perf_counter() - started) / calls

    def ainvoke(self, calls: int) -> float:
        return self._runner.run(self._ainvoke(calls))

    async def _ainvoke(self, calls: int) -> float:
        chat = self._chat("reply-0")
        await chat.ainvoke("Hi")
        started = time.perf_counter()
        for _ in range(calls):
            await chat.ainvoke("Hi")
        return (time.perf_counter() - started) / calls

    def batch(self, calls: int) -> float:
        chat = self._chat("reply-20")
        chat._client()
        started = time.perf_counter()
        chat.batch(["Hi"] * calls)
        return (time.perf_counter() - started) / calls

    def abatch(self, calls: int) -> float:
        return self._runner.run(self._abatch(calls))

    async def _abatch(self, calls: int) -> float:
        chat = self._chat("reply-20")
        await chat._async_client()
        started = time.perf_counter()
        await chat.abatch(["Hi"] * calls)
        return (time.perf_counter() - started) / calls

    def streams(self, chunks: int) -> float:
        return self._runner.run(self._streams(chunks))

    async def _streams(self, chunks: int) -> float:
        chat = self._chat(f"stream-{chunks}")
        await chat._async_client()

        async def read() -> None:
            async for chunk in chat.astream("Hi"):
                chunk.content  # noqa: B018

        started = time.perf_counter()
        await asyncio.gather(*(read() for _ in range(200)))
        return time.perf_counter() - started

    def sum_chunks(self, count: int) -> float:
        chunks = [AIMessageChunk(" word", id="c") for _ in range(count)]
        started = time.perf_counter()
        assert len(sum(chunks).content) == 5 * count
        return (time.perf_counter() - started) / count

    def add_chunks(self, count: int) -> float:
        chunks = [AIMessageChunk(" word", id="c") for _ in range(count)]
        started, full = time.perf_counter(), AIMessageChunk("")
        for chunk in chunks:
            full = full + chunk
        assert len(full.content) == 5 * count
        return (time.perf_counter() - started) / count

    def add_tool_chunks(self, count: int) -> float:
        pieces = ['{"a": "', *["word "] * (count - 2), '"}']
        calls = [{"name": None, "args": piece, "id": None, "index": 0} for piece in pieces]
        calls[0].update(name="f", id="c")
        chunks = [AIMessageChunk("", tool_call_chunks=[call]) for call in calls]
        started, full = time.perf_counter(), chunks[0]
        for chunk in chunks[1:]:
            full = full + chunk
        assert len(full.tool_calls[0]["args"]["a"]) == 5 * (count - 2)
        return (time.perf_counter() - started) / count

    def chain(self, calls: int) -> float:
        prompt = ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "{input}")])
        chain = prompt | FixedChatModel() | StrOutputParser()
        asked = {"input": "Hi"}
        chain.invoke(asked)
        started = time.perf_counter()
        for _ in range(calls):
            chain.invoke(asked)
        return (time.perf_counter() - started) / calls

    def memory(self, chunks: int) -> float:
        """The megabytes that a stream adds to the process at its highest, after a short one."""
        for _ in self._chat("stream-20000").stream("Hi"):
            pass
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in self._chat(f"stream-{chunks}").stream("Hi"):
            pass
        return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
