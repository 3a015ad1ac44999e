"""OpenAI's chat completions on the wire: pure functions between JSON and messages.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import jiter

from chatnb.chat_models.openai_errors import refusal
from chatnb.chat_models.sse import SSEDecoder
from chatnb.errors import MalformedReplyError, StreamInterruptedError
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage, as_chunk
from chatnb.schema.surrogates import SurrogateJoiner
from chatnb.schema.usage import UsageMetadata

Payload = Mapping[str, Any]

_ROLES = {"human": "user", "ai": "assistant", "AIMessageChunk": "assistant", "system": "system"}


def message_to_openai(message: BaseMessage) -> dict[str, Any]:
    """Write a message as OpenAI's dict.

    Raises:
        ValueError: If OpenAI has no role for this kind of message.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> message_to_openai(HumanMessage("Hi", name="ada"))
        {'role': 'user', 'content': 'Hi', 'name': 'ada'}
    """
    role = _ROLES.get(message.type)
    if role is None:
        raise ValueError(f"OpenAI has no role for a {type(message).__name__}")
    written: dict[str, Any] = {"role": role, "content": message.content}
    if message.name:
        written["name"] = message.name
    return written


def request_body(messages: Sequence[BaseMessage], params: Payload) -> dict[str, Any]:
    """Write a request: the messages and every parameter that is set.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> request_body([HumanMessage("Hi")], {"model": "m", "seed": None})
        {'messages': [{'role': 'user', 'content': 'Hi'}], 'model': 'm'}
    """
    body: dict[str, Any] = {"messages": [message_to_openai(message) for message in messages]}
    body.update((name, value) for name, value in params.items() if value is not None)
    return body


def usage_from_openai(usage: Payload | None) -> UsageMetadata | None:
    """Read the token counts of a reply.

    Example:
        >>> usage_from_openai({"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4})
        {'input_tokens': 3, 'output_tokens': 1, 'total_tokens': 4}
    """
    if not usage:
        return None
    read_in, read_out = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    counts = UsageMetadata(
        input_tokens=read_in,
        output_tokens=read_out,
        total_tokens=usage.get("total_tokens") or read_in + read_out,
    )
    cached = _part(usage, "prompt_tokens_details").get("cached_tokens")
    if cached:
        counts["input_token_details"] = {"cached": cached}
    reasoning = _part(usage, "completion_tokens_details").get("reasoning_tokens")
    if reasoning:
        counts["output_token_details"] = {"reasoning": reasoning}
    return counts


def message_from_openai(payload: Payload) -> AIMessage:
    """Read a whole reply.

    Raises:
        MalformedReplyError: If the payload holds no reply.
        ModelError: If it holds an error.
    """
    _raise_error_in(payload)
    try:
        choice = payload["choices"][0]
        content = choice["message"].get("content") or ""
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise _malformed(json.dumps(payload, default=str)) from error
    return AIMessage(
        content,
        response_metadata=_metadata(payload, choice),
        id=payload.get("id"),
        usage_metadata=usage_from_openai(payload.get("usage")),
    )


def chunk_from_openai(payload: Payload) -> AIMessageChunk:
    """Read one chunk of a streamed reply.

    Raises:
        MalformedReplyError: If the payload is no chunk.
        ModelError: If the provider sends an error in mid-stream.
    """
    _raise_error_in(payload)
    try:
        choices: Sequence[Payload] = payload["choices"]
        choice: Payload = choices[0] if choices else {}
        content = _part(choice, "delta").get("content") or ""
    except (KeyError, TypeError, AttributeError) as error:
        raise _malformed(json.dumps(payload, default=str)) from error
    return AIMessageChunk(
        content,
        response_metadata=_metadata(payload, choice),
        id=payload.get("id"),
        usage_metadata=usage_from_openai(payload.get("usage")),
    )


def _part(payload: Payload, name: str) -> Payload:
    """A part that providers leave out, or send as null."""
    return payload.get(name) or {}


def _metadata(payload: Payload, choice: Payload) -> dict[str, Any]:
    if not choice.get("finish_reason"):
        return {}
    said = {"finish_reason": choice["finish_reason"], "model_name": payload.get("model")}
    return {name: value for name, value in said.items() if value is not None}


class ReplyDecoder:
    """Turns the bytes of a streamed reply into chunks and knows whether the reply is whole.

    Example:
        >>> decoder = ReplyDecoder()
        >>> delta = b'data: {"choices": [{"delta": {"content": "Hi"}}]}\\n\\n'
        >>> list(decoder.decode(delta))
        [AIMessageChunk(content='Hi')]
    """

    def __init__(self) -> None:
        self._events = SSEDecoder()
        self._joiner = SurrogateJoiner()
        self._texts: list[str] = []
        self._whole: list[bytes] | None = None
        self._finished = False

    @property
    def partial(self) -> AIMessage | None:
        """What has arrived of the reply, or None if nothing has."""
        text = "".join(self._texts)
        return AIMessage(text) if text else None

    def begin(self, content_type: str) -> None:
        """Say what comes: anything but an event stream is read to its end as one reply."""
        if content_type and not content_type.startswith("text/event-stream"):
            self._whole = []

    def decode(self, received: bytes) -> Iterator[AIMessageChunk]:
        """Take the next bytes and give the chunks that they complete.

        Raises:
            MalformedReplyError: If an event is not JSON of a chunk.
            ModelError: If the provider sends an error in mid-stream.
        """
        if self._whole is not None:
            self._whole.append(received)
            return
        for event in self._events.decode(received):
            if event.data == "[DONE]":
                self._finished = True
                continue
            chunk = chunk_from_openai(parse_json(event.data))
            self._finished = self._finished or "finish_reason" in chunk.response_metadata
            if isinstance(chunk.content, str):
                chunk.content = self._joiner.push(chunk.content)
                self._texts.append(chunk.content)
            yield chunk

    def end(self) -> Iterator[AIMessageChunk]:
        """End the reply: what was still held back.

        Raises:
            StreamInterruptedError: If the bytes ended before the reply did.
        """
        if self._whole is not None:
            whole = b"".join(self._whole).decode("utf-8", "replace")
            yield as_chunk(message_from_openai(parse_json(whole)))
            return
        rest = self._joiner.flush()
        if rest:
            yield AIMessageChunk(rest)
        if not self._finished:
            raise StreamInterruptedError(
                "The reply broke off: the connection ended before the model did.",
                hint="Run it again.",
            )


def parse_json(text: str) -> Payload:
    """Parse the JSON object of an event.

    jiter refuses half a surrogate pair, which a server may send when it cuts an emoji in two;
    the standard library takes it.

    Raises:
        MalformedReplyError: If the text is not a JSON object.
    """
    try:
        parsed: object = jiter.from_json(text.encode("utf-8", "surrogatepass"))
    except ValueError:
        try:
            parsed = json.loads(text)
        except ValueError as error:
            raise _malformed(text) from error
    if isinstance(parsed, dict):
        return cast("dict[str, Any]", parsed)
    raise _malformed(text)


def _raise_error_in(payload: Payload) -> None:
    if payload.get("error"):
        raise refusal(None, payload)


def _malformed(text: str) -> MalformedReplyError:
    start = text if len(text) <= 200 else text[:200] + "…"
    return MalformedReplyError(
        f"The provider sent something that is not a chat completion: {start}",
        hint="Check that base_url points to an OpenAI-compatible API (it often ends in /v1).",
    )
