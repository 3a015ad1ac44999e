"""Read whole replies of OpenAI's Responses API into messages: pure functions.

Source: https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chatnb.chat_models.openai.errors import malformed, parse_json
from chatnb.chat_models.openai.response_items import (
    CALLS,
    CUSTOM_CALL,
    FUNCTION_CALL,
    ITEMS,
    SEPARATOR,
    custom_call,
    kept_items,
    message_parts,
    reply_text,
)
from chatnb.chat_models.wire.error_responses import raise_error_in
from chatnb.chat_models.wire.finish_reasons import finish_reason, raise_bad_ending
from chatnb.chat_models.wire.payloads import (
    ARGUMENTS,
    INDEX,
    LABEL,
    NAME,
    OBJECT,
    TEXT,
    USAGE,
    Field,
    Payload,
    Shape,
    fit,
    items_of,
    list_of,
    object_of,
    optional,
    reads,
)
from chatnb.chat_models.wire.token_usage import usage_from_openai
from chatnb.errors import ServerError
from chatnb.schema.chunks import COMPLETE_REASONS
from chatnb.schema.conversion import read_tool_calls
from chatnb.schema.message_types import COMMENTARY
from chatnb.schema.messages import AIMessage, InvalidToolCall, ToolCall
from chatnb.schema.usage import UsageMetadata

_PARTS = list_of(
    {
        "type": TEXT,
        "text": TEXT,
        "refusal": TEXT,
        "annotations": optional(list_of()),
        "logprobs": optional(list_of()),
    }
)
_ANY_ITEM: Shape = {"type": TEXT, "id": LABEL}
_CALL: Shape = {**_ANY_ITEM, "call_id": NAME, "name": NAME}
_ITEMS: Mapping[object, Shape] = {
    "message": {**_ANY_ITEM, "phase": LABEL, "content": _PARTS},
    "reasoning": {**_ANY_ITEM, "content": optional(_PARTS), "summary": optional(_PARTS)},
    FUNCTION_CALL: {**_CALL, "arguments": ARGUMENTS},
    CUSTOM_CALL: {**_CALL, "input": ARGUMENTS},
}


def _item(value: object) -> dict[str, Any]:
    """Fit an output item to its type; items of other types are sent back as they came."""
    item = OBJECT.convert(value)
    return fit(item, _ITEMS.get(item.get("type"), _ANY_ITEM))


def _items(value: object) -> list[dict[str, Any]]:
    return [_item(item) for item in items_of(value)]


_RESPONSE: Shape = {
    "id": LABEL,
    "model": LABEL,
    "status": NAME,
    "service_tier": LABEL,
    "usage": USAGE,
    "incomplete_details": optional(object_of({"reason": NAME})),
    "output": Field(None, _items),
}
RESPONSE: Shape = {
    **_RESPONSE,
    "type": TEXT,
    "item_id": LABEL,
    "output_index": optional(INDEX),
    "summary_index": optional(INDEX),
    "content_index": optional(INDEX),
    "item": Field(None, _item),
    "logprobs": optional(list_of()),
    "response": object_of(_RESPONSE),
}


def usage_from_response(payload: Payload) -> UsageMetadata | None:
    """Return the token counts of a response object, or None if it has none."""
    return usage_from_openai(payload.get("usage"), service_tier=payload.get("service_tier"))


@reads(RESPONSE, malformed)
def message_from_response(payload: Payload) -> AIMessage:
    """Return the message of a response object; its id is the response's."""
    raise_failure_in(payload)
    output: Sequence[Payload] = payload["output"] or ()
    metadata = metadata_from_response(payload, output)
    finished = metadata["finish_reason"] in COMPLETE_REASONS
    calls, invalid = _calls(output, finished=finished)
    return AIMessage(
        reply_text(output),
        additional_kwargs=_additional(output),
        response_metadata=metadata,
        id=payload.get("id"),
        tool_calls=calls,
        invalid_tool_calls=invalid,
        usage_metadata=usage_from_response(payload),
    )


def replies_in_response(body: bytes) -> list[AIMessage]:
    """Return the one message of a response's body; raise the error of one that ended badly."""
    message = message_from_response(parse_json(body))
    raise_bad_ending(message)
    return [message]


def raise_failure_in(response: Payload) -> None:
    """Raise the ModelError of a response that failed."""
    raise_error_in(response)
    if response.get("status") == "failed":
        raise ServerError("The response failed, and the provider did not say why.")


def metadata_from_response(payload: Payload, output: Iterable[Payload]) -> dict[str, Any]:
    """Return a response's metadata, with the finish reason in chat completions' terms."""
    items = list(output)
    reason = "tool_calls" if any(i["type"] in CALLS for i in items) else "stop"
    status: str = payload.get("status") or "completed"
    if status != "completed":
        details: Payload = payload.get("incomplete_details") or {}
        reason = finish_reason(details.get("reason")) or status
    fields = {
        "finish_reason": reason,
        "model_name": payload.get("model"),
        "id": payload.get("id"),
        "service_tier": payload.get("service_tier"),
    }
    metadata: dict[str, Any] = {k: v for k, v in fields.items() if v is not None}
    logprobs = [entry for part in message_parts(items) for entry in part.get("logprobs") or ()]
    if logprobs:
        metadata["logprobs"] = {"content": logprobs}
    return metadata


def additional_fields(output: Sequence[Payload]) -> dict[str, Any]:
    """Return the additional fields of a reply that are complete at its end only."""
    parts = message_parts(output)
    fields = {
        "annotations": [dict(note) for part in parts for note in part.get("annotations") or ()],
        ITEMS: kept_items(output),
    }
    return {name: value for name, value in fields.items() if value}


def thoughts_in(item: Payload) -> list[str]:
    """Return the texts of a reasoning item."""
    parts = [*(item.get("summary") or ()), *(item.get("content") or ())]
    return [part["text"] for part in parts if part.get("text")]


def _additional(output: Sequence[Payload]) -> dict[str, Any]:
    thoughts = [
        text for item in output if item["type"] == "reasoning" for text in thoughts_in(item)
    ]
    refusals = (part["refusal"] for part in message_parts(output) if part["type"] == "refusal")
    fields = {
        "reasoning_content": SEPARATOR.join(thoughts),
        "refusal": "".join(refusals),
        COMMENTARY: reply_text(output, COMMENTARY),
    }
    return {k: v for k, v in fields.items() if v} | additional_fields(output)


def _calls(
    output: Iterable[Payload], *, finished: bool
) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    """Return the valid and the invalid calls of a reply, in their order."""
    valid, invalid = list[ToolCall](), list[InvalidToolCall]()
    for item in output:
        if item["type"] == CUSTOM_CALL:
            valid.append(custom_call(item))
        elif item["type"] == FUNCTION_CALL:
            # In the form of chat completions.
            call = {"id": item.get("call_id"), "function": item}
            read = read_tool_calls([call], finished=finished)
            valid += read[0]
            invalid += read[1]
    return valid, invalid
