"""chatnb itself."""

from __future__ import annotations

import asyncio
import resource
import time
from typing import Any

from clients.page_client import PageClient

from chatnb.chat_models import BaseChatModel, ChatOpenAI
from chatnb.output_parsers import StrOutputParser
from chatnb.prompts import ChatPromptTemplate
from chatnb.schema import AIMessage, AIMessageChunk, BaseMessage, RunLogPatch
from chatnb.schema.prices import get_price
from chatnb.schema.usage import UsageMetadata


class FixedChatModel(BaseChatModel):
    model_name = "fixed"

    def _generate(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        return AIMessage("Hello.")


class Client(PageClient):
    def new_chat(self, model: str) -> Any:
        return ChatOpenAI(model, openai_api_key="none", base_url=f"{self._server}/v1")

    def chain(self) -> Any:
        prompt = ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "{input}")])
        return prompt | FixedChatModel() | StrOutputParser()

    def chunk(self, **said: Any) -> Any:
        return AIMessageChunk(**said)

    def patch(self, op: dict[str, Any]) -> Any:
        return RunLogPatch(op)

    def generate(self, calls: int) -> float:
        chat = self.chat("reply-20")
        chat.invoke("Hi", model="reply-0")
        started = time.perf_counter()
        chat.generate([["Hi"]] * calls, max_concurrency=64)
        return (time.perf_counter() - started) / calls

    def own_batch(self, calls: int) -> float:
        """The CPU time of each call; the model takes none."""
        chat, inputs = FixedChatModel(), ["Hi"] * calls
        chat.batch(inputs)
        started = time.process_time()
        chat.batch(inputs)
        return (time.process_time() - started) / calls

    def own_generate(self, calls: int) -> float:
        chat, prompts = FixedChatModel(), [["Hi"]] * calls
        chat.generate(prompts)
        started = time.process_time()
        chat.generate(prompts)
        return (time.process_time() - started) / calls

    def prices(self, calls: int) -> float:
        counts = [(100 + number % 7, number) for number in range(calls)]
        usages = [
            UsageMetadata(input_tokens=i, output_tokens=o, total_tokens=i + o) for i, o in counts
        ]
        get_price("openai", "gpt-4o-mini", usages[0])  # Loading the price list takes 0.2 s.
        started = time.process_time()
        for usage in usages:
            get_price("openai", "gpt-4o-mini", usage)
        return (time.process_time() - started) / calls

    def streams(self, chunks: int) -> float:
        return self._runner.run(self._streams(chunks))

    async def _streams(self, chunks: int) -> float:
        chat = self.chat(f"stream-{chunks}")
        await chat.ainvoke("Hi", model="reply-0")

        async def read() -> None:
            async for chunk in chat.astream("Hi"):
                chunk.content  # noqa: B018

        started = time.perf_counter()
        await asyncio.gather(*(read() for _ in range(200)))
        return time.perf_counter() - started

    def memory(self, chunks: int) -> float:
        """The bytes that a stream adds to the most that the process ever took."""
        for _ in self.chat("stream-100000").stream("Hi"):
            pass
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in self.chat(f"stream-{chunks}").stream("Hi"):
            pass
        return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
