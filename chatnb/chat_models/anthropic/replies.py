"""Read whole replies of Anthropic's Messages API into messages: pure functions.

Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from chatnb.chat_models.anthropic.errors import malformed, parse_json
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
    list_of,
    object_of,
    optional,
    reads,
)
from chatnb.chat_models.wire.token_usage import (
    INPUT_DETAILS,
    OUTPUT_DETAILS,
    add_terms,
    details_from,
    usage_from_counts,
)
from chatnb.schema.chunks import COMPLETE_REASONS
from chatnb.schema.content.reply_blocks import ANTHROPIC_BLOCKS
from chatnb.schema.messages import AIMessage, InvalidToolCall, ToolCall
from chatnb.schema.tool_calls import parse_tool_call, tool_call
from chatnb.schema.usage import UsageMetadata

_BLOCK: Shape = {
    "type": TEXT,
    "text": TEXT,
    "thinking": optional(TEXT),
    "signature": optional(TEXT),
    "id": NAME,
    "name": NAME,
    "citations": optional(list_of()),
}
_ENDING: Shape = {
    "id": LABEL,
    "model": LABEL,
    "stop_reason": NAME,
    "stop_sequence": LABEL,
    "stop_details": optional(OBJECT),
    "usage": USAGE,
}
MESSAGE: Shape = {
    **_ENDING,
    "type": TEXT,
    "content": list_of(_BLOCK),
    "index": INDEX,
    "message": object_of(_ENDING),
    "content_block": object_of(_BLOCK),
    "delta": object_of(
        {**_BLOCK, **_ENDING, "partial_json": ARGUMENTS, "citation": optional(OBJECT)}
    ),
}
_CACHE_LIFETIMES = {"ephemeral_1h_input_tokens": "cache_creation_1h"}


def usage_from_anthropic(usage: Payload | None) -> UsageMetadata | None:
    """Return the token counts under `usage`, or None if there are none."""
    if not usage:
        return None
    details = details_from(usage, "", INPUT_DETAILS)
    # Anthropic's input_tokens leave out those that were read from the cache or written to it.
    counts = usage_from_counts(
        (usage.get("input_tokens") or 0) + sum(details.values()),
        usage.get("output_tokens"),
        None,
        {**details, **details_from(usage, "cache_creation", _CACHE_LIFETIMES)},
        details_from(usage, "output_tokens_details", OUTPUT_DETAILS),
    )
    return add_terms(counts, usage)


def metadata_from_anthropic(ending: Payload) -> dict[str, Any]:
    """Return the metadata of a reply's end, with the finish reason in OpenAI's terms; {} before."""
    reason = ending.get("stop_reason")
    if not reason:
        return {}
    usage: Payload = ending.get("usage") or {}
    metadata = {
        "finish_reason": finish_reason(reason),
        "stop_reason": reason,
        "stop_sequence": ending.get("stop_sequence"),
        "stop_details": ending.get("stop_details"),
        "model_name": ending.get("model"),
        "service_tier": usage.get("service_tier"),
    }
    return {name: value for name, value in metadata.items() if value is not None}


@reads(MESSAGE, malformed)
def message_from_anthropic(payload: Payload) -> AIMessage:
    """Return the message of a reply's JSON, with blocks to send back in `additional_kwargs`."""
    return _message(payload, payload["content"] or ())


def replies_in(body: bytes) -> list[AIMessage]:
    """Return the one message of a response's body; raise the error of one that ended badly."""
    message = message_from_anthropic(parse_json(body))
    raise_bad_ending(message)
    return [message]


class KeptBlocks:
    """The blocks of a reply to send back, in the order in which they come.

    Calls and texts are written again from the message. Where they stand before other blocks, or
    cite sources, a block without its text keeps their place.
    """

    def __init__(self) -> None:
        self._waiting: list[dict[str, Any]] = []
        self._is_ordered = False

    def add(self, block: Payload, chars: int) -> list[dict[str, Any]]:
        """Add a block with this number of characters; return the blocks to keep by now."""
        match block["type"]:
            case "text" if chars:
                cited = block.get("citations")
                self._is_ordered = self._is_ordered or bool(cited)
                more = {"citations": cited} if cited else {}
                self._waiting.append({"type": "text", "chars": chars, **more})
            case "tool_use":
                self._waiting.append({"type": "tool_use", "id": block["id"]})
            case "thinking" if not block.get("signature"):
                pass  # As of a reply that broke off; it would be rejected.
            case "text":
                pass
            case _:
                self._is_ordered = self._is_ordered or bool(self._waiting)
                return [*self._take(), dict(block)]
        return []

    def end(self) -> list[dict[str, Any]]:
        """Return the blocks to keep at the end of the reply."""
        return self._take() if self._is_ordered else []

    def _take(self) -> list[dict[str, Any]]:
        waiting, self._waiting = self._waiting, []
        return waiting


def _message(payload: Payload, blocks: Sequence[Payload]) -> AIMessage:
    metadata = metadata_from_anthropic(payload)
    finished = metadata.get("finish_reason") in COMPLETE_REASONS
    calls = [_call(block, finished) for block in blocks if block["type"] == "tool_use"]
    return AIMessage(
        "".join(block["text"] or "" for block in blocks if block["type"] == "text"),
        additional_kwargs=_additional(blocks),
        response_metadata=metadata,
        id=payload.get("id"),
        usage_metadata=usage_from_anthropic(payload.get("usage")),
        tool_calls=[call for call in calls if "error" not in call],
        invalid_tool_calls=[call for call in calls if "error" in call],
    )


def _call(block: Payload, finished: bool) -> ToolCall | InvalidToolCall:
    args: object = block["input"]
    if args is not None and not isinstance(args, str | Mapping):
        args = json.dumps(args)
    if isinstance(args, str):
        return parse_tool_call(block["name"], args, block["id"], finished=finished)
    return tool_call(name=block["name"], args=cast("Payload", args or {}), id=block["id"])


def _additional(blocks: Sequence[Payload]) -> dict[str, Any]:
    thoughts = [block["thinking"] for block in blocks if block["type"] == "thinking"]
    fields = {
        "reasoning_content": "\n\n".join(thought for thought in thoughts if thought),
        "citations": [
            citation
            for block in blocks
            if block["type"] == "text"
            for citation in block.get("citations") or ()
        ],
        ANTHROPIC_BLOCKS: _kept(blocks),
    }
    return {name: value for name, value in fields.items() if value}


def _kept(blocks: Sequence[Payload]) -> list[dict[str, Any]]:
    kept = KeptBlocks()
    added = [kept.add(block, len(block.get("text") or "")) for block in blocks]
    return [block for some in (*added, kept.end()) for block in some]
