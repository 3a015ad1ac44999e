"""The output items of a reply: those kept in its message, and those sent back.

Source: https://platform.openai.com/docs/guides/conversation-state
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Sequence
from typing import Any

from chatnb.chat_models.openai.response_blocks import (
    CUSTOM_CALL,
    FUNCTION_CALL,
    Item,
    items_in,
    message_item,
    output_text,
)
from chatnb.schema.content.blocks import calls_of, spoken_text
from chatnb.schema.content.reply_blocks import OUTPUT_ITEMS as ITEMS
from chatnb.schema.message_types import AIMessage
from chatnb.schema.tool_calls import CUSTOM_INPUT, InvalidToolCall, ToolCall, tool_call

SEPARATOR = "\n\n"
"""Separates two summaries, or two messages, of one reply."""

CALLS = (FUNCTION_CALL, CUSTOM_CALL)
_BROKEN_OFF = ("stopped", "failed")
# The fields of items that a message has in its own fields, or that say nothing.
_PLAIN_FIELDS = {
    "message": {"type", "id", "status", "role", "content"},
    FUNCTION_CALL: {"type", "id", "status", "call_id", "name", "arguments"},
}


def reply_text(items: Iterable[Item], phase: str | None = None) -> str:
    """Return the text of a reply's messages, or of those of one phase."""
    texts = (
        "".join(part["text"] or "" for part in _parts(item) if part.get("type") == "output_text")
        for item in items
        if item["type"] == "message" and phase in (None, item.get("phase"))
    )
    return SEPARATOR.join(text for text in texts if text)


def message_parts(items: Iterable[Item]) -> list[Item]:
    """Return the content parts of a reply's messages."""
    return [part for item in items if item["type"] == "message" for part in _parts(item)]


def given_items(output: Iterable[Item]) -> list[dict[str, Any]]:
    """Return items without their fields that are null, which the API would reject."""
    return [{k: v for k, v in item.items() if v is not None} for item in output]


def kept_items(output: Iterable[Item]) -> list[dict[str, Any]]:
    """Return the items to keep, in order; none where the message's text and calls say it all."""
    items = given_items(output)
    if _is_plain(items):
        return []
    messages = [item for item in items if item["type"] == "message"]
    parts = message_parts(messages)
    if len(messages) == len(parts) == 1 and not parts[0].get("annotations"):
        # The message's content has the only text of a reply already.
        messages[0]["content"] = [{k: v for k, v in parts[0].items() if k != "text"}]
    return items


def sent_items(
    message: AIMessage, *, stored: bool = True, custom_tools: Container[str | None] = ()
) -> list[dict[str, Any]]:
    """Return a reply's items: as they came, unless the message was changed since."""
    calls = {call["id"]: call for call in calls_of(message)}
    kept: Sequence[Item] = () if _broke_off(message) else message.additional_kwargs.get(ITEMS) or ()
    if kept or isinstance(message.content, str):
        texts = _text_items(message, kept)
    else:
        kept = list(items_in(message.content))
        texts = {n: [dict(item)] for n, item in enumerate(kept) if item["type"] == "message"}
    items = list[dict[str, Any]]()
    for position, item in enumerate(kept):
        if item["type"] == "message":
            items += texts.pop(position, [])
        elif item["type"] in CALLS:
            call = calls.pop(item["call_id"], None)
            items += [_kept_call(item, call, custom_tools)] if call else []
        elif stored or item["type"] != "reasoning" or "encrypted_content" in item:
            # A server that stores nothing knows reasoning only by its encrypted content.
            items.append(dict(item))
    rest = [_call_item(call, custom_tools) for call in calls.values()]
    return [*items, *texts.get(len(kept), []), *rest]


def custom_call(item: Item) -> ToolCall:
    """Return the call of a custom tool, whose input is text."""
    return tool_call(name=item["name"], args={CUSTOM_INPUT: item["input"]}, id=item["call_id"])


def _parts(item: Item) -> Sequence[Item]:
    return item.get("content") or ()


def _is_plain(items: Sequence[Item]) -> bool:
    """Return whether one text, and calls after it, are all that the items hold."""
    parts = message_parts(items)
    return (
        all(item.keys() <= _PLAIN_FIELDS.get(item["type"], set()) for item in items)
        and all(item["type"] != "message" for item in items[1:])
        and len(parts) < 2
        and not any(part.get("annotations") for part in parts)
    )


def _text_items(message: AIMessage, kept: Sequence[Item]) -> dict[int, list[dict[str, Any]]]:
    """Return the items of a message's text, by their positions among the kept items."""
    came = {
        position: {**item, "content": [_with_text(part, message.text) for part in _parts(item)]}
        for position, item in enumerate(kept)
        if item["type"] == "message"
    }
    if came and reply_text(came.values()) == message.text:
        return {position: [item] for position, item in came.items() if _has_content(item)}
    written = _written_parts(message)
    if not written:
        return {}
    position = max(came, default=len(kept))
    return {position: [{**came.get(position, {}), **message_item(written)}]}


def _with_text(part: Item, text: str) -> Item:
    return {**part, "text": text} if part["type"] == "output_text" and "text" not in part else part


def _has_content(item: Item) -> bool:
    return any(part.get("text") or part.get("refusal") for part in _parts(item))


def _written_parts(message: AIMessage) -> list[Item]:
    """Return the content parts of a message's text and refusal."""
    text = message.text or spoken_text(message)
    written: list[Item] = [output_text(text)] if text else []
    refusal = message.additional_kwargs.get("refusal")
    return [*written, {"type": "refusal", "refusal": refusal}] if refusal else written


def _kept_call(
    item: Item, call: ToolCall | InvalidToolCall, custom_tools: Container[str | None]
) -> dict[str, Any]:
    """Return the item of a call as it came, unless the message's call is another."""
    if "name" not in item and "arguments" not in item:
        return {**item, **_call_item(call, custom_tools)}
    if item["type"] == CUSTOM_CALL:
        return {**item, **_call_item(call, (call["name"],))}
    if call["name"] == item.get("name") and _is_same(item.get("arguments"), call["args"]):
        return dict(item)
    return {**item, **_call_item(call)}


def _broke_off(message: AIMessage) -> bool:
    """Return whether the stream of a reply ended before the reply: the API refuses its items."""
    reason = message.response_metadata.get("finish_reason")
    is_response = (message.id or "").startswith("resp_")
    return reason in _BROKEN_OFF or (reason is None and is_response)


def _is_same(arguments: str | None, args: object) -> bool:
    try:
        parsed = json.loads(args) if isinstance(args, str) else args
        return arguments == args or json.loads(arguments or "null") == parsed
    except (TypeError, ValueError):
        return False


def _call_item(
    call: ToolCall | InvalidToolCall, custom_tools: Container[str | None] = ()
) -> dict[str, Any]:
    name, args = call["name"] or "", call["args"]
    written = args if isinstance(args, str) else json.dumps(args or {}, ensure_ascii=False)
    if name not in custom_tools:
        fields = {"call_id": call["id"], "name": name, "arguments": written}
        return {"type": FUNCTION_CALL, **fields}
    text = args.get(CUSTOM_INPUT, written) if isinstance(args, dict) else written
    return {"type": CUSTOM_CALL, "call_id": call["id"], "name": name, "input": text}
