"""langchain-openai and langchain-core."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI

AT_ONCE: Any = {"max_concurrency": 64}


class FixedChatModel(BaseChatModel):
    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage("Hello."))])

    @property
    def _llm_type(self) -> str:
        return "fixed"


class Client:
    def __init__(self, server: str) -> None:
        self._server = server
        self._runner = asyncio.Runner()

    def _chat(self, path: str) -> ChatOpenAI:
        url = f"{self._server}/{path}/v1"
        return ChatOpenAI(model="m", api_key="none", base_url=url, stream_usage=True)

    def stream(self, chunks: int) -> float:
        chat = self._chat(f"stream-{chunks}")
        started = time.perf_counter()
        for chunk in chat.stream("Hi"):
            chunk.content  # noqa: B018
        return (time.perf_counter() - started) / chunks

    def astream(self, chunks: int) -> float:
        return self._runner.run(self._astream(chunks))

    async def _astream(self, chunks: int) -> float:
        chat = self._chat(f"stream-{chunks}")
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
        started = time.perf_counter()
        chat.batch(["Hi"] * calls, AT_ONCE)
        return (time.perf_counter() - started) / calls

    def abatch(self, calls: int) -> float:
        return self._runner.run(self._abatch(calls))

    async def _abatch(self, calls: int) -> float:
        chat = self._chat("reply-20")
        started = time.perf_counter()
        await chat.abatch(["Hi"] * calls, AT_ONCE)
        return (time.perf_counter() - started) / calls

    def sum_chunks(self, count: int) -> float:
        first, *rest = [AIMessageChunk(content=" word", id="c") for _ in range(count)]
        started = time.perf_counter()
        assert len(sum(rest, start=first).content) == 5 * count
        return (time.perf_counter() - started) / count

    def add_chunks(self, count: int) -> float:
        first, *rest = [AIMessageChunk(content=" word", id="c") for _ in range(count)]
        started, full = time.perf_counter(), first
        for chunk in rest:
            full = full + chunk
        assert len(full.content) == 5 * count
        return (time.perf_counter() - started) / count

    def add_tool_chunks(self, count: int) -> float:
        pieces = ['{"a": "', *["word "] * (count - 2), '"}']
        calls: list[Any] = [{"name": None, "args": p, "id": None, "index": 0} for p in pieces]
        calls[0].update(name="f", id="c")
        chunks = [AIMessageChunk(content="", tool_call_chunks=[call]) for call in calls]
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
