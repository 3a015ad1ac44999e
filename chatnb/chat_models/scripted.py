"""A chat model that replies from a script, for tests and demos."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple, TypeAlias

from chatnb.chat_models.base import BaseChatModel
from chatnb.chat_models.cache import ReplyCache
from chatnb.chat_models.rate_limiter import RateLimiter
from chatnb.concurrency.cancellation import pause
from chatnb.concurrency.locks import Lock
from chatnb.schema.merging import Content
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage, ToolCallChunk, as_chunk
from chatnb.schema.tool_calls import tool_call_chunk
from chatnb.schema.usage import UsageMetadata

Response: TypeAlias = str | AIMessage | BaseException | Sequence[str | BaseException]

_WORD = re.compile(r"\s*\S+|\s+\Z")
_MAX_REQUESTS = 10_000
_ARGUMENT_TOKEN = re.compile(r"\W*\w+|\W+")


class ScriptedRequest(NamedTuple):
    """A request that a `ScriptedChatModel` got.

    Args:
        messages: The messages.
        stop: The stop sequences of the call.
        params: The other parameters of the call, such as `temperature` and `tools`.

    Example:
        >>> chat = ScriptedChatModel(["Fine."])
        >>> _ = chat.invoke("How are you?", temperature=0)
        >>> chat.requests[0].messages, chat.requests[0].params
        ([HumanMessage(content='How are you?')], {'temperature': 0})
    """

    messages: list[BaseMessage]
    stop: list[str] | None
    params: dict[str, Any]


class ScriptedChatModel(BaseChatModel):
    """A chat model that gives the replies of a list, streamed word by word.

    Args:
        responses: The replies in turn; after the last the first again. A string is streamed in
            words, a list of strings in these chunks, and a message in words and tool call chunks,
            with its usage, id and metadata; an error is raised in its place.
        usage: The usage of each reply in turn, if the responses have none.
        ids: The id of each reply in turn, if the responses have none.
        delay: Seconds before each chunk.
        model_name: The name of the model.
        cache: The cache of replies; False for none.
        rate_limiter: The limit on how often the model is called.

    `requests` holds what it was asked, for tests of the code that asks.

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
        self._requests = list[ScriptedRequest]()
        self._turns = 0
        self._lock = Lock()

    @property
    def requests(self) -> list[ScriptedRequest]:
        """The latest 10,000 requests, in the order in which they came."""
        return self._requests

    def __repr__(self) -> str:
        return f"ScriptedChatModel({len(self.responses)} responses)"

    def _stream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> Iterator[AIMessageChunk]:
        for item in self._next_response(ScriptedRequest([*messages], stop, params)):
            pause(self.delay)
            yield _chunk_or_raise(item)

    async def _astream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AsyncGenerator[AIMessageChunk, None]:
        for item in self._next_response(ScriptedRequest([*messages], stop, params)):
            await asyncio.sleep(self.delay)
            yield _chunk_or_raise(item)

    def _next_response(self, request: ScriptedRequest) -> list[AIMessageChunk | BaseException]:
        with self._lock:
            del self._requests[: 1 - _MAX_REQUESTS]
            self._requests.append(request)
            turn, self._turns = self._turns, self._turns + 1
        items = _split_response(self.responses[turn % len(self.responses)])
        last = next((item for item in reversed(items) if isinstance(item, AIMessageChunk)), None)
        if last is None:
            return items
        last.response_metadata.setdefault("model_name", self.model_name)
        if last is items[-1]:
            reason = "tool_calls" if last.tool_call_chunks else "stop"
            last.response_metadata.setdefault("finish_reason", reason)
        if self.usage and last.usage_metadata is None:
            last.usage_metadata = self.usage[turn % len(self.usage)]
        if self.ids and last.id is None:
            last.id = self.ids[turn % len(self.ids)]
        return items


def scripted_model(text: str, **params: Any) -> ScriptedChatModel:
    """Return the model of `scripted:TEXT`."""
    return ScriptedChatModel([text or "Hello."], **params)


def _split_response(response: Response) -> list[AIMessageChunk | BaseException]:
    if isinstance(response, BaseException):
        return [response]
    if isinstance(response, AIMessage):
        return [*_split_message(response)]
    if isinstance(response, str):
        return [*_split_message(AIMessage(response))]
    return [AIMessageChunk(item) if isinstance(item, str) else item for item in response]


def _split_message(message: AIMessage) -> list[AIMessageChunk]:
    """Split a message into words and tool call chunks; the last chunk has the other fields."""
    whole = as_chunk(message)
    calls = [chunk for call in whole.tool_call_chunks for chunk in _split_call(call)]
    texts: list[Content] = [message.content]
    if isinstance(message.content, str):
        texts = [*_WORD.findall(message.content)]
    chunks = [AIMessageChunk(text) for text in texts]
    chunks += [AIMessageChunk("", tool_call_chunks=[call]) for call in calls]
    last = chunks.pop() if chunks else AIMessageChunk("")
    rest = replace(whole, content=last.content, tool_call_chunks=last.tool_call_chunks)
    return [*chunks, rest]


def _split_call(call: ToolCallChunk) -> list[ToolCallChunk]:
    """Split a tool call as models stream it: name and id first, then its arguments."""
    index, tokens = call["index"], _ARGUMENT_TOKEN.findall(call["args"] or "")
    return [{**call, "args": ""}, *(tool_call_chunk(args=token, index=index) for token in tokens)]


def _chunk_or_raise(item: AIMessageChunk | BaseException) -> AIMessageChunk:
    if isinstance(item, BaseException):
        raise item
    return item
