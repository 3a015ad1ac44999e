"""The two ways to ask OpenAI: where to post, how to write it, and how to read what comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from chatnb.chat_models.openai_replies import replies_in
from chatnb.chat_models.openai_requests import request_body
from chatnb.chat_models.openai_responses import responses_body
from chatnb.chat_models.openai_responses_replies import replies_in_response
from chatnb.chat_models.openai_responses_stream import ResponseDecoder
from chatnb.chat_models.openai_stream import ReplyDecoder
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage


class Decoder(Protocol):
    """What turns the bytes of one streamed reply into chunks."""

    @property
    def partial(self) -> AIMessage | None: ...

    def begin(self, content_type: str) -> None: ...

    def decode(self, received: bytes) -> Iterator[AIMessageChunk]: ...

    def end(self) -> Iterator[AIMessageChunk]: ...

    def close(self) -> None: ...


class Endpoint(NamedTuple):
    """An address below `base_url`, and the wire that is spoken there.

    Args:
        path: What follows the base address.
        body: Writes messages and parameters as the request's JSON.
        replies: Reads the body of a whole reply.
        decoder: Makes what reads one streamed reply.

    Example:
        >>> CHAT_COMPLETIONS.path, RESPONSES.path
        ('/chat/completions', '/responses')
    """

    path: str
    body: Callable[[Sequence[BaseMessage], Mapping[str, Any]], dict[str, Any]]
    replies: Callable[[bytes], list[AIMessage]]
    decoder: Callable[[], Decoder]


CHAT_COMPLETIONS = Endpoint("/chat/completions", request_body, replies_in, ReplyDecoder)
RESPONSES = Endpoint("/responses", responses_body, replies_in_response, ResponseDecoder)
