"""Results of tools: values as content of messages, messages that tools return, and their cut."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeGuard, cast

from chatnb.langchain_objects import is_langchain, load_adapter
from chatnb.schema.merging import Content, ContentPart
from chatnb.schema.messages import ToolMessage

_PART_TYPES = frozenset({"text", "image_url", "input_audio", "file"})


def content_from_value(value: Any) -> Content:
    """Return a value as the content of a message: text and content parts as they are, else JSON."""
    if isinstance(value, str):
        return value
    if _is_content_parts(value):
        return value
    from pydantic_core import PydanticSerializationError, to_json

    try:
        return to_json(value).decode()
    except PydanticSerializationError:
        return str(value)


def _is_content_parts(value: Any) -> TypeGuard[list[ContentPart]]:
    if not isinstance(value, list):
        return False
    items = cast("list[Any]", value)
    return bool(items) and all(isinstance(i, dict) and i.get("type") in _PART_TYPES for i in items)  # pyright: ignore[reportUnknownMemberType]


def cut_result(message: ToolMessage, limit: int | None) -> ToolMessage:
    """Cut the text of a tool's result to a number of characters, with a note for the model."""
    total = len(message.text)
    if limit is None or total <= limit:
        return message
    note = f"[The result was cut: these are the first {limit} of its {total} characters.]"
    if isinstance(message.content, str):
        return replace(message, content=f"{message.content[:limit]}\n{note}")
    return replace(message, content=[*_cut_parts(message.content, limit), note])


def _cut_parts(parts: list[ContentPart], limit: int) -> list[ContentPart]:
    kept = list[ContentPart]()
    for part in parts:
        if isinstance(part, str):
            part, limit = part[:limit], max(0, limit - len(part))
        elif isinstance(part.get("text"), str):
            text = part["text"]
            part, limit = {**part, "text": text[:limit]}, max(0, limit - len(text))
        kept.append(part)
    return kept


def messages_from_value(value: Any) -> list[ToolMessage]:
    """Return the messages that a function returned as its result; none if it is another value."""
    values = cast("list[Any]", value) if isinstance(value, list) else [value]
    if not all(isinstance(v, ToolMessage) or is_langchain(v, "ToolMessage") for v in values):
        return []
    return [
        message
        if isinstance(message, ToolMessage)
        else load_adapter("messages", "message_from_langchain")(message)
        for message in values
    ]
