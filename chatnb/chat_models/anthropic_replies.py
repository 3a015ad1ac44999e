"""Anthropic's whole replies, read into messages: pure functions.

Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from chatnb.chat_models.anthropic_blocks import KEPT_BLOCKS
from chatnb.chat_models.anthropic_errors import malformed, parse_payload, raise_error_in
from chatnb.chat_models.openai_payloads import Payload
from chatnb.errors import ContentFilterError
from chatnb.schema.messages import AIMessage, InvalidToolCall, ToolCall
from chatnb.schema.tool_calls import parse_tool_call, tool_call
from chatnb.schema.usage import UsageMetadata

_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "refusal": "content_filter",
}
_WHOLE = ("stop", "tool_calls")
"""The finish reasons of a reply that is complete."""
_INPUT_DETAILS = {
    "cache_read_input_tokens": "cached",
    "cache_creation_input_tokens": "cache_creation",
}


def usage_from_anthropic(usage: Payload | None) -> UsageMetadata | None:
    """Read the token counts of a reply.

    Args:
        usage: What stands under `usage`. Its `input_tokens` are without those that were read from
            the cache or written to it.

    Returns:
        The counts, with `input_tokens` as all that was read; or None if there are none.

    Example:
        >>> counts = {"input_tokens": 3, "cache_read_input_tokens": 5, "output_tokens": 1}
        >>> usage_from_anthropic(counts)["input_tokens"]
        8
    """
    if not usage:
        return None
    details = {name: usage[theirs] for theirs, name in _INPUT_DETAILS.items() if usage.get(theirs)}
    read_in = (usage.get("input_tokens") or 0) + sum(details.values())
    read_out = usage.get("output_tokens") or 0
    counts = UsageMetadata(
        input_tokens=read_in, output_tokens=read_out, total_tokens=read_in + read_out
    )
    if details:
        counts["input_token_details"] = details
    spent: Payload = usage.get("output_tokens_details") or {}
    if spent.get("thinking_tokens"):
        counts["output_token_details"] = {"reasoning": spent["thinking_tokens"]}
    return counts


def metadata_from_anthropic(said: Payload) -> dict[str, Any]:
    """Read what is said of a reply's end.

    Args:
        said: The reply, or its end in a stream, with the model's name.

    Returns:
        `finish_reason` in OpenAI's words, `stop_reason` in Anthropic's, and what else there is;
        nothing before the end.

    Example:
        >>> metadata_from_anthropic({"stop_reason": "max_tokens", "model": "m"})
        {'finish_reason': 'length', 'stop_reason': 'max_tokens', 'model_name': 'm'}
    """
    reason = said.get("stop_reason")
    if not reason:
        return {}
    metadata = {
        "finish_reason": _FINISH_REASONS.get(reason, reason),
        "stop_reason": reason,
        "stop_sequence": said.get("stop_sequence"),
        "stop_details": said.get("stop_details"),
        "model_name": said.get("model"),
    }
    return {name: value for name, value in metadata.items() if value is not None}


def message_from_anthropic(payload: Payload) -> AIMessage:
    """Read a reply.

    Args:
        payload: The reply's JSON; the `input` of a call may be JSON that is still to be parsed.

    Returns:
        The message. Thinking is its reasoning; blocks that the API wants back unchanged are kept
        in `additional_kwargs`.

    Raises:
        MalformedReplyError: If the payload holds no reply.
        ModelError: If it holds an error.

    Example:
        >>> message_from_anthropic({"content": [{"type": "text", "text": "Hello."}]})
        AIMessage(content='Hello.')
    """
    raise_error_in(payload)
    try:
        return _message(payload, payload["content"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise malformed(json.dumps(payload, default=str)) from error


def reply_in(body: bytes) -> AIMessage:
    """Read a whole reply.

    Args:
        body: The body of the response.

    Returns:
        The message.

    Raises:
        MalformedReplyError: If the body holds no reply.
        ContentFilterError: If the model or the provider refused to answer.
        ModelError: If it holds an error.

    Example:
        >>> reply_in(b'{"content": [{"type": "text", "text": "Hello."}]}')
        AIMessage(content='Hello.')
    """
    message = message_from_anthropic(parse_payload(body))
    raise_if_refused(message)
    return message


def raise_if_refused(message: AIMessage) -> None:
    """Raise an error for a reply that a classifier ended.

    Args:
        message: A whole reply.

    Raises:
        ContentFilterError: If it is none; with what there is of the reply as `partial`.

    Example:
        >>> raise_if_refused(AIMessage("Hello."))
    """
    if message.response_metadata.get("finish_reason") != "content_filter":
        return
    details: Payload = message.response_metadata.get("stop_details") or {}
    why = f": {details['explanation']}" if details.get("explanation") else "."
    raise ContentFilterError(
        f"The model refused to answer{why}", hint="Rephrase the prompt.", partial=message
    )


def is_kept(block: Payload) -> bool:
    """Tell whether a block has to be sent back as it came.

    Text and calls are written anew from the message. Thinking without a signature, as of a reply
    that broke off, would be refused.

    Example:
        >>> is_kept({"type": "text", "text": "Hello."})
        False
    """
    if block["type"] == "thinking":
        return bool(block.get("signature"))
    return block["type"] not in ("text", "tool_use")


def _message(payload: Payload, blocks: Sequence[Payload]) -> AIMessage:
    metadata = metadata_from_anthropic(payload)
    finished = metadata.get("finish_reason") in _WHOLE
    calls = [_call(block, finished) for block in blocks if block["type"] == "tool_use"]
    return AIMessage(
        "".join(block["text"] for block in blocks if block["type"] == "text"),
        additional_kwargs=_additional(blocks),
        response_metadata=metadata,
        id=payload.get("id"),
        usage_metadata=usage_from_anthropic(payload.get("usage")),
        tool_calls=[call for call in calls if "error" not in call],
        invalid_tool_calls=[call for call in calls if "error" in call],
    )


def _call(block: Payload, finished: bool) -> ToolCall | InvalidToolCall:
    args: str | Mapping[str, Any] = block["input"]
    if isinstance(args, str):
        return parse_tool_call(block["name"], args, block["id"], finished=finished)
    return tool_call(name=block["name"], args=args, id=block["id"])


def _additional(blocks: Sequence[Payload]) -> dict[str, Any]:
    thoughts = [block["thinking"] for block in blocks if block["type"] == "thinking"]
    said = {
        "reasoning_content": "\n\n".join(thought for thought in thoughts if thought),
        "citations": [
            cited
            for block in blocks
            if block["type"] == "text"
            for cited in block.get("citations") or ()
        ],
        KEPT_BLOCKS: [dict(block) for block in blocks if is_kept(block)],
    }
    return {name: value for name, value in said.items() if value}
