"""A chat model that says what it is told to, for tests and demos."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from chatnb.chat_models.base import BaseChatModel
from chatnb.chat_models.cache import ReplyCache
from chatnb.chat_models.rate_limiter import RateLimiter
from chatnb.schema.merging import Content
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage, ToolCallChunk, as_chunk
from chatnb.schema.tool_calls import tool_call_chunk
from chatnb.schema.usage import UsageMetadata

Response: TypeAlias = str | AIMessage | BaseException | Sequence[str | BaseException]

_WORD = re.compile(r"\s*\S+|\s+\Z")
_ARGUMENT_BIT = re.compile(r"\W*\w+|\W+")


class ScriptedChatModel(BaseChatModel):
    """Replies from a list, streamed word by word, with no model behind it.

    Args:
        responses: The replies in turn, from the start again after the last. A string is streamed
            in words, a list of strings in just these chunks, a message in words, its tool calls in
            pieces, with its usage, id and metadata; an error is raised where it stands.
        usage: The usage of each reply in turn, where the responses carry none.
        ids: The id of each reply in turn, likewise.
        delay: Seconds before each chunk.
        model_name: The name it goes by.
        cache: Where replies are kept; False for nowhere.
        rate_limiter: What spaces the calls out.

    Raises:
        ValueError: If there are no responses.

    Example:
        >>> chat = ScriptedChatModel(["Hello there."])
        >>> list(chat.stream("Hi"))
        [AIMessageChunk(content='Hello'), AIMessageChunk(content=' there.')]
    """

    def __init__(
        self,
        responses: Sequence[Response],
        *,
        usage: Sequence[UsageMetadata] = (),
        ids: Sequence[str] = (),
        delay: float = 0.0,
        model_name: str = "scripted",
        cache: ReplyCache | Literal[False] | None = None,
        rate_limiter: RateLimiter | None = None,
    ) -> None:
        if not responses or isinstance(responses, str):
            raise ValueError('Give at least one response, in a list: responses=["Hello."]')
        self.responses = responses
        self.usage = usage
        self.ids = ids
        self.delay = delay
        self.model_name = model_name
        self.cache = cache
        self.rate_limiter = rate_limiter
        self._turns = 0
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"ScriptedChatModel({len(self.responses)} responses)"

    def _stream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> Iterator[AIMessageChunk]:
        for piece in self._script():
            time.sleep(self.delay)
            yield _spoken(piece)

    async def _astream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AsyncGenerator[AIMessageChunk, None]:
        for piece in self._script():
            await asyncio.sleep(self.delay)
            yield _spoken(piece)

    def _script(self) -> list[AIMessageChunk | BaseException]:
        with self._lock:
            turn, self._turns = self._turns, self._turns + 1
        pieces = _pieces(self.responses[turn % len(self.responses)])
        last = next((p for p in reversed(pieces) if isinstance(p, AIMessageChunk)), None)
        if last is None:
            return pieces
        last.response_metadata.setdefault("model_name", self.model_name)
        if last is pieces[-1]:
            reason = "tool_calls" if last.tool_call_chunks else "stop"
            last.response_metadata.setdefault("finish_reason", reason)
        if self.usage and last.usage_metadata is None:
            last.usage_metadata = self.usage[turn % len(self.usage)]
        if self.ids and last.id is None:
            last.id = self.ids[turn % len(self.ids)]
        return pieces


def _pieces(response: Response) -> list[AIMessageChunk | BaseException]:
    if isinstance(response, BaseException):
        return [response]
    if isinstance(response, AIMessage):
        return [*_words(response)]
    if isinstance(response, str):
        return [*_words(AIMessage(response))]
    return [AIMessageChunk(p) if isinstance(p, str) else p for p in response]


def _words(message: AIMessage) -> list[AIMessageChunk]:
    """A message word by word and call by call; the last chunk has all that is neither."""
    whole = as_chunk(message)
    calls = [piece for call in whole.tool_call_chunks for piece in _call_pieces(call)]
    texts: list[Content] = [message.content]
    if isinstance(message.content, str):
        texts = [*_WORD.findall(message.content)]
    said = [AIMessageChunk(text) for text in texts]
    said += [AIMessageChunk("", tool_call_chunks=[piece]) for piece in calls]
    last = said.pop() if said else AIMessageChunk("")
    rest = replace(whole, content=last.content, tool_call_chunks=last.tool_call_chunks)
    return [*said, rest]


def _call_pieces(call: ToolCallChunk) -> list[ToolCallChunk]:
    """A call as models stream it: its name and id first, then its arguments bit by bit."""
    index, bits = call["index"], _ARGUMENT_BIT.findall(call["args"] or "")
    return [{**call, "args": ""}, *(tool_call_chunk(args=bit, index=index) for bit in bits)]


def _spoken(piece: AIMessageChunk | BaseException) -> AIMessageChunk:
    if isinstance(piece, BaseException):
        raise piece
    return piece
