"""OpenAI's replies, whole and in pieces, read into messages: pure functions.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chatnb.chat_models.openai_payloads import Payload, malformed, parse_json, raise_error_in
from chatnb.errors import ContentFilterError
from chatnb.schema.messages import AIMessage, AIMessageChunk, ToolCallChunk
from chatnb.schema.openai_dicts import read_tool_calls
from chatnb.schema.usage import UsageMetadata

_WHOLE = ("stop", "tool_calls", "function_call")
"""The finish reasons of a reply that is complete."""
_KEPT = {
    "annotations": "annotations",
    "audio": "audio",
    "extra_content": "extra_content",
    "function_call": "function_call",
    "reasoning": "reasoning_content",
    "reasoning_content": "reasoning_content",
    "refusal": "refusal",
}
"""What goes into `additional_kwargs`, and its name there."""
_INPUT_DETAILS = {"cached_tokens": "cached", "audio_tokens": "audio"}
_OUTPUT_DETAILS = {
    "reasoning_tokens": "reasoning",
    "audio_tokens": "audio",
    "accepted_prediction_tokens": "accepted_prediction",
    "rejected_prediction_tokens": "rejected_prediction",
}


def usage_from_openai(usage: Payload | None) -> UsageMetadata | None:
    """Read the token counts of a reply.

    Args:
        usage: What stands under `usage`.

    Returns:
        The counts, or None if there are none.

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
    input_details = _details(usage, "prompt_tokens_details", _INPUT_DETAILS)
    if input_details:
        counts["input_token_details"] = input_details
    output_details = _details(usage, "completion_tokens_details", _OUTPUT_DETAILS)
    if output_details:
        counts["output_token_details"] = output_details
    return counts


def messages_from_openai(payload: Payload) -> list[AIMessage]:
    """Read all candidates of a whole reply.

    Args:
        payload: The reply's JSON.

    Returns:
        A message a candidate, in the provider's order; the usage, which is that of the whole
        call, is on the first.

    Raises:
        MalformedReplyError: If the payload holds no reply.
        ModelError: If it holds an error.

    Example:
        >>> choices = [{"index": n, "message": {"content": text}} for n, text in enumerate("ab")]
        >>> messages_from_openai({"choices": choices})
        [AIMessage(content='a'), AIMessage(content='b')]
    """
    raise_error_in(payload)
    try:
        choices = sorted(payload["choices"], key=lambda choice: choice.get("index") or 0)
        messages = [_message(payload, choice) for choice in choices]
        messages[0].usage_metadata = usage_from_openai(payload.get("usage"))
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise malformed(json.dumps(payload, default=str)) from error
    return messages


def replies_in(body: bytes, parse: Callable[[bytes], Payload] = parse_json) -> list[AIMessage]:
    """Read the candidates of a whole reply.

    Args:
        body: The body of the response.
        parse: Reads it as OpenAI's JSON.

    Returns:
        A message a candidate.

    Raises:
        MalformedReplyError: If the body holds no reply.
        ContentFilterError: If the model or the provider refused to answer.
        ModelError: If it holds an error.

    Example:
        >>> replies_in(b'{"choices": [{"message": {"content": "Hello."}}]}')
        [AIMessage(content='Hello.')]
    """
    messages = messages_from_openai(parse(body))
    raise_if_refused(messages[0])
    return messages


def chunks_from_openai(payload: Payload) -> list[tuple[int, AIMessageChunk]]:
    """Read one event of a streamed reply.

    Args:
        payload: The event's JSON.

    Returns:
        The number of a candidate and its chunk, for each that the event says something of; what
        is said of the whole call is on the first.

    Raises:
        MalformedReplyError: If the payload is no chunk.
        ModelError: If the provider sends an error in mid-stream.

    Example:
        >>> chunks_from_openai({"choices": [{"index": 1, "delta": {"content": "Hi"}}]})
        [(1, AIMessageChunk(content='Hi'))]
    """
    raise_error_in(payload)
    try:
        choices: Sequence[Payload] = payload["choices"]
        chunks = [
            (choice.get("index") or 0, _chunk(payload, choice)) for choice in choices or ({},)
        ]
        usage = payload.get("usage")
        if usage:
            chunks[0][1].usage_metadata = usage_from_openai(usage)
    except (KeyError, TypeError, AttributeError) as error:
        raise malformed(json.dumps(payload, default=str)) from error
    return chunks


def plain_text(payload: Payload) -> str | None:
    """The text of an event in which the first candidate goes on and nothing else is said.

    Nearly all events of a stream are of this kind.

    Args:
        payload: The event's JSON.

    Returns:
        The text; None for any other event, and for what is none.

    Example:
        >>> plain_text({"choices": [{"index": 0, "delta": {"content": "Hi"}}]})
        'Hi'
    """
    try:
        (choice,) = payload["choices"]
        delta = choice["delta"]
        text = delta["content"]
        if len(delta) > 1 and (len(delta) > 2 or "role" not in delta):
            return None
        if choice.get("index") or choice.get("finish_reason") or choice.get("logprobs"):
            return None
        if payload.get("usage") or payload.get("error"):
            return None
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
    return text if text and isinstance(text, str) else None


def raise_if_refused(message: AIMessage) -> None:
    """Raise an error for a reply that is none.

    Args:
        message: A whole reply.

    Raises:
        ContentFilterError: If the provider's filter ended it, or the model only refused; with
            what there is of the reply as `partial`.

    Example:
        >>> raise_if_refused(AIMessage("Hello."))
    """
    declined = message.additional_kwargs.get("refusal")
    if message.response_metadata.get("finish_reason") == "content_filter":
        reason = "The provider's content filter ended the reply."
    elif declined and not message.content and not message.tool_calls:
        reason = f"The model refused to answer: {declined}"
    else:
        return
    raise ContentFilterError(reason, hint="Rephrase the prompt.", partial=message)


def _message(payload: Payload, choice: Payload) -> AIMessage:
    said: Payload = choice["message"]
    finished = choice.get("finish_reason") in _WHOLE
    calls, invalid = read_tool_calls(said.get("tool_calls"), finished=finished)
    return AIMessage(
        said.get("content") or "",
        additional_kwargs=_additional(said),
        response_metadata=_metadata(payload, choice),
        id=payload.get("id"),
        tool_calls=calls,
        invalid_tool_calls=invalid,
    )


def _chunk(payload: Payload, choice: Payload) -> AIMessageChunk:
    delta: Payload = choice.get("delta") or {}
    chunk = AIMessageChunk(
        delta.get("content") or "",
        additional_kwargs=_additional(delta),
        response_metadata=_metadata(payload, choice),
        id=payload.get("id"),
    )
    calls: Sequence[Payload] | None = delta.get("tool_calls")
    if calls:
        chunk.tool_call_chunks = [_call_chunk(*place) for place in enumerate(calls)]
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


def _additional(said: Payload) -> dict[str, Any]:
    return {_KEPT[name]: value for name, value in said.items() if value and name in _KEPT}


def _metadata(payload: Payload, choice: Payload) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    if choice.get("finish_reason"):
        said = {
            "finish_reason": choice["finish_reason"],
            "model_name": payload.get("model"),
            "system_fingerprint": payload.get("system_fingerprint"),
        }
        metadata = {name: value for name, value in said.items() if value is not None}
    if choice.get("logprobs"):
        metadata["logprobs"] = choice["logprobs"]
    return metadata


def _details(usage: Payload, part: str, names: Mapping[str, str]) -> dict[str, int]:
    counts: Payload = usage.get(part) or {}
    return {name: counts[theirs] for theirs, name in names.items() if counts.get(theirs)}
