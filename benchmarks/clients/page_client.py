"""The interface of the page, which chatnb and LangChain have in common."""

from __future__ import annotations

import asyncio
import time
from typing import Any

AT_ONCE: Any = {"max_concurrency": 64}


class PageClient:
    def __init__(self, server: str) -> None:
        self._server = server
        self._runner = asyncio.Runner()
        self._chats: dict[str, Any] = {}

    def chat(self, model: str) -> Any:
        """A model behind the server, which keeps its connections, as every client does."""
        if model not in self._chats:
            self._chats[model] = self.new_chat(model)
        return self._chats[model]

    def new_chat(self, model: str) -> Any:
        """A model behind the server, without connections."""
        raise NotImplementedError

    def chain(self) -> Any:
        """A prompt, a model that answers at once, and a parser."""
        raise NotImplementedError

    def chunk(self, **said: Any) -> Any:
        """A piece of a message."""
        raise NotImplementedError

    def stream(self, chunks: int) -> float:
        return self._stream("stream", chunks)

    def stream_each(self, chunks: int) -> float:
        return self._stream("each", chunks)

    def _stream(self, kind: str, chunks: int) -> float:
        chat = self.chat(f"{kind}-{chunks}")
        chat.invoke("Hi", model="reply-0")
        started = time.perf_counter()
        for chunk in chat.stream("Hi"):
            chunk.content  # noqa: B018
        return (time.perf_counter() - started) / chunks

    def astream(self, chunks: int) -> float:
        return self._runner.run(self._astream("stream", chunks))

    def astream_each(self, chunks: int) -> float:
        return self._runner.run(self._astream("each", chunks))

    async def _astream(self, kind: str, chunks: int) -> float:
        chat = self.chat(f"{kind}-{chunks}")
        await chat.ainvoke("Hi", model="reply-0")
        started = time.perf_counter()
        async for chunk in chat.astream("Hi"):
            chunk.content  # noqa: B018
        return (time.perf_counter() - started) / chunks

    def first_chunk(self, calls: int) -> float:
        chat, spent = self.chat("stream-10"), 0.0
        chat.invoke("Hi", model="reply-0")
        for _ in range(calls):
            started = time.perf_counter()
            chunks = chat.stream("Hi")
            next(chunks)
            spent += time.perf_counter() - started
            list(chunks)
        return spent / calls

    def afirst_chunk(self, calls: int) -> float:
        return self._runner.run(self._afirst_chunk(calls))

    async def _afirst_chunk(self, calls: int) -> float:
        chat, spent = self.chat("stream-10"), 0.0
        await chat.ainvoke("Hi", model="reply-0")
        for _ in range(calls):
            started = time.perf_counter()
            chunks = chat.astream("Hi")
            await anext(chunks)
            spent += time.perf_counter() - started
            [chunk async for chunk in chunks]
        return spent / calls

    def invoke(self, calls: int) -> float:
        chat = self.chat("reply-0")
        chat.invoke("Hi")
        started = time.perf_counter()
        for _ in range(calls):
            chat.invoke("Hi")
        return (time.perf_counter() - started) / calls

    def ainvoke(self, calls: int) -> float:
        return self._runner.run(self._ainvoke(calls))

    async def _ainvoke(self, calls: int) -> float:
        chat = self.chat("reply-0")
        await chat.ainvoke("Hi")
        started = time.perf_counter()
        for _ in range(calls):
            await chat.ainvoke("Hi")
        return (time.perf_counter() - started) / calls

    def batch(self, calls: int) -> float:
        chat = self.chat("reply-20")
        chat.invoke("Hi", model="reply-0")
        started = time.perf_counter()
        chat.batch(["Hi"] * calls, AT_ONCE)
        return (time.perf_counter() - started) / calls

    def abatch(self, calls: int) -> float:
        return self._runner.run(self._abatch(calls))

    async def _abatch(self, calls: int) -> float:
        chat = self.chat("reply-20")
        await chat.ainvoke("Hi", model="reply-0")
        started = time.perf_counter()
        await chat.abatch(["Hi"] * calls, AT_ONCE)
        return (time.perf_counter() - started) / calls

    def sum_chunks(self, count: int) -> float:
        first, *rest = [self.chunk(content=" word", id="c") for _ in range(count)]
        started = time.perf_counter()
        whole: Any = sum(rest, start=first)
        assert len(whole.content) == 5 * count
        return (time.perf_counter() - started) / count

    def add_chunks(self, count: int) -> float:
        full, *rest = [self.chunk(content=" word", id="c") for _ in range(count)]
        started = time.perf_counter()
        for chunk in rest:
            full = full + chunk
        assert len(full.content) == 5 * count
        return (time.perf_counter() - started) / count

    def add_tool_chunks(self, count: int) -> float:
        pieces = ['{"a": "', *["word "] * (count - 2), '"}']
        calls: list[Any] = [{"name": None, "args": p, "id": None, "index": 0} for p in pieces]
        calls[0].update(name="f", id="c")
        full, *rest = [self.chunk(content="", tool_call_chunks=[call]) for call in calls]
        started = time.perf_counter()
        for chunk in rest:
            full = full + chunk
        assert len(full.tool_calls[0]["args"]["a"]) == 5 * (count - 2)
        return (time.perf_counter() - started) / count

    def astream_log(self, chunks: int) -> float:
        return self._runner.run(self._astream_log(chunks))

    async def _astream_log(self, chunks: int) -> float:
        chat = self.chat(f"each-{chunks}")
        await chat.ainvoke("Hi", model="reply-0")
        started = time.perf_counter()
        async for patch in chat.astream_log("Hi"):
            patch.ops  # noqa: B018
        return (time.perf_counter() - started) / chunks

    def patches(self, count: int) -> list[Any]:
        """The patches of a run that streamed so many chunks."""
        state = {"id": "r", "streamed_output": [], "final_output": None, "logs": {}}
        patches = [self.patch({"op": "replace", "path": "", "value": state})]
        for _ in range(count):
            value = self.chunk(content=" word", id="c")
            patches.append(self.patch({"op": "add", "path": "/streamed_output/-", "value": value}))
        return patches

    def patch(self, op: dict[str, Any]) -> Any:
        """A patch of a log."""
        raise NotImplementedError

    def fold(self, count: int) -> float:
        first, *rest = self.patches(count)
        started, log = time.perf_counter(), first
        for patch in rest:
            log = log + patch
        assert len(log.state["streamed_output"]) == count
        return time.perf_counter() - started

    def fold_each(self, count: int) -> float:
        first, *rest = self.patches(count)
        started, log, read = time.perf_counter(), first, 0
        for patch in rest:
            log = log + patch
            read += len(log.state["streamed_output"])
        assert read == count * (count + 1) / 2
        return time.perf_counter() - started

    def chains(self, calls: int) -> float:
        chain, asked = self.chain(), {"input": "Hi"}
        chain.invoke(asked)
        started = time.perf_counter()
        for _ in range(calls):
            chain.invoke(asked)
        return (time.perf_counter() - started) / calls
