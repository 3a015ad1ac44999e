"""Write requests to OpenAI's chat completions and read the replies: pure functions.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chatnb.chat_models.openai.custom_tools import write_custom_tools
from chatnb.chat_models.openai.errors import malformed, parse_json
from chatnb.chat_models.wire.finish_reasons import finish_reason, raise_bad_ending
from chatnb.chat_models.wire.payloads import (
    ARGUMENTS,
    INDEX,
    LABEL,
    NAME,
    OBJECT,
    TEXT,
    USAGE,
    Payload,
    Shape,
    content_of,
    list_of,
    object_of,
    optional,
    reads,
)
from chatnb.chat_models.wire.token_usage import usage_from_openai
from chatnb.schema.chunks import COMPLETE_REASONS, bare_chunk
from chatnb.schema.content.openai_parts import without_tool_results
from chatnb.schema.conversion import message_to_openai, read_tool_calls
from chatnb.schema.message_types import BaseMessage
from chatnb.schema.messages import AIMessage, AIMessageChunk, ToolCallChunk
from chatnb.schema.usage import UsageMetadata

# The fields of a message that go into additional_kwargs, and their names there.
_ADDITIONAL = {
    "annotations": "annotations",
    "audio": "audio",
    "citations": "citations",
    "extra_content": "extra_content",
    "function_call": "function_call",
    "images": "images",
    "reasoning": "reasoning_content",
    "reasoning_content": "reasoning_content",
    "refusal": "refusal",
    "search_results": "search_results",
}
_MESSAGE: Shape = {
    "annotations": optional(list_of()),
    "audio": optional(OBJECT),
    "content": content_of({"type": TEXT, "text": TEXT}),
    "function_call": object_of({"name": NAME, "arguments": ARGUMENTS}),
    "images": optional(list_of()),
    "reasoning": optional(TEXT),
    "reasoning_content": optional(TEXT),
    "refusal": TEXT,
    "tool_calls": list_of(
        {
            "index": optional(INDEX),
            "id": NAME,
            "function": object_of({"name": NAME, "arguments": ARGUMENTS}),
            "custom": object_of({"name": NAME, "input": TEXT}),
        }
    ),
}
COMPLETION: Shape = {
    "id": LABEL,
    "model": LABEL,
    "system_fingerprint": LABEL,
    "service_tier": NAME,
    "usage": USAGE,
    "choices": list_of(
        {
            "index": optional(INDEX),
            "finish_reason": NAME,
            "delta": object_of(_MESSAGE),
            "message": object_of(_MESSAGE),
            "logprobs": optional(OBJECT),
        }
    ),
}


def request_body(messages: Sequence[BaseMessage], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request's JSON; parameters that are None are left out."""
    written = [message_to_openai(message) for message in without_tool_results(messages)]
    body: dict[str, Any] = {"messages": written}
    body.update((name, value) for name, value in params.items() if value is not None)
    if body.get("tools"):
        write_custom_tools(body)
    return body


def read_chunks(payload: Payload) -> list[tuple[int, AIMessageChunk]]:
    """Return a chunk with its index for each candidate; fields of the call are on the first."""
    choices: Sequence[Payload] = payload.get("choices") or ()
    usage = _usage(payload)
    if not choices and usage is None and "choices" not in payload:
        return []  # A ping, or an event that says nothing.
    chunks = [(choice.get("index") or 0, _chunk(payload, choice)) for choice in choices or ({},)]
    if usage is not None:
        chunks[0][1].usage_metadata = usage
    return chunks


@reads(COMPLETION, malformed)
def chunks_from_openai(payload: Payload) -> list[tuple[int, AIMessageChunk]]:
    """Return the chunks of an event's JSON, as `read_chunks` does."""
    return read_chunks(payload)


@reads(COMPLETION, malformed)
def messages_from_openai(payload: Payload) -> list[AIMessage]:
    """Return the candidates of a whole reply; the usage of the call is on the first."""
    choices = sorted(payload["choices"], key=lambda choice: choice.get("index") or 0)
    messages = [_message(payload, choice) for choice in choices]
    messages[0].usage_metadata = _usage(payload)
    return messages


def replies_in(body: bytes, parse: Callable[[bytes], Payload] = parse_json) -> list[AIMessage]:
    """Return the candidates of a response's body; raise the error of one that ended badly."""
    messages = messages_from_openai(parse(body))
    for message in messages:
        raise_bad_ending(message)
    return messages


def _message(payload: Payload, choice: Payload) -> AIMessage:
    reply: Payload = choice["message"]
    finished = finish_reason(choice.get("finish_reason")) in COMPLETE_REASONS
    calls, invalid = read_tool_calls(reply.get("tool_calls"), finished=finished)
    return AIMessage(
        reply.get("content") or "",
        additional_kwargs=_additional(reply),
        response_metadata=_metadata(payload, choice),
        id=payload.get("id"),
        tool_calls=calls,
        invalid_tool_calls=invalid,
    )


def _chunk(payload: Payload, choice: Payload) -> AIMessageChunk:
    delta: Payload = choice.get("delta") or {}
    chunk = bare_chunk(delta.get("content") or "", payload.get("id"))
    if additional := _additional(delta):
        chunk.additional_kwargs = additional
    if metadata := _metadata(payload, choice):
        chunk.response_metadata = metadata
    calls: Sequence[Payload] | None = delta.get("tool_calls")
    if calls:
        chunk.tool_call_chunks = [_call_chunk(*position) for position in enumerate(calls)]
    return chunk


def _call_chunk(position: int, call: Payload) -> ToolCallChunk:
    function: Payload = call.get("function") or {}
    index = call.get("index")
    return ToolCallChunk(
        name=function.get("name"),
        args=function.get("arguments"),
        id=call.get("id"),
        index=position if index is None else index,
        type="tool_call_chunk",
    )


def _additional(message: Payload) -> dict[str, Any]:
    return {
        _ADDITIONAL[name]: value for name, value in message.items() if value and name in _ADDITIONAL
    }


def _usage(payload: Payload) -> UsageMetadata | None:
    return usage_from_openai(payload.get("usage"), service_tier=payload.get("service_tier"))


def _metadata(payload: Payload, choice: Payload) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    error = choice.get("error")  # OpenRouter's, for a provider that failed within the reply.
    reason = "error" if error else finish_reason(choice.get("finish_reason"))
    if reason:
        fields = {
            "finish_reason": reason,
            "error": error or None,
            "model_name": payload.get("model"),
            "system_fingerprint": payload.get("system_fingerprint"),
            "service_tier": payload.get("service_tier"),
        }
        metadata = {name: value for name, value in fields.items() if value is not None}
    if choice.get("logprobs"):
        metadata["logprobs"] = choice["logprobs"]
    return metadata
