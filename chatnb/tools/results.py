"""What a tool gives, as what a model reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeGuard, cast

from chatnb.schema.merging import Content, ContentPart
from chatnb.schema.messages import ToolMessage

_PARTS = frozenset({"text", "image_url", "input_audio", "file"})


def content_of(value: Any) -> Content:
    """Write a value for a model.

    Args:
        value: Anything. Text, and a list of content parts, stay as they are.

    Returns:
        JSON where the value can be written so, otherwise its `str`.

    Example:
        >>> content_of({"sum": 3}), content_of("three"), content_of(len)
        ('{"sum":3}', 'three', '<built-in function len>')
    """
    if isinstance(value, str):
        return value
    if _are_parts(value):
        return value
    from pydantic_core import PydanticSerializationError, to_json

    try:
        return to_json(value).decode()
    except PydanticSerializationError:
        return str(value)


def cut_result(message: ToolMessage, limit: int | None) -> ToolMessage:
    """Cut what a tool answered, and say so to the model.

    Args:
        message: The answer; its artifact stays whole.
        limit: The most characters of text to keep; None for all.

    Returns:
        The answer itself, if it is short enough.

    Example:
        >>> cut_result(ToolMessage("abcdef", tool_call_id="c1"), 2).content
        'ab\\n[The result was cut: these are the first 2 of its 6 characters.]'
    """
    total = len(message.text)
    if limit is None or total <= limit:
        return message
    note = f"[The result was cut: these are the first {limit} of its {total} characters.]"
    if isinstance(message.content, str):
        return replace(message, content=f"{message.content[:limit]}\n{note}")
    return replace(message, content=[*_first(message.content, limit), note])


def _are_parts(value: Any) -> TypeGuard[list[ContentPart]]:
    if not isinstance(value, list):
        return False
    items = cast("list[Any]", value)
    return bool(items) and all(isinstance(i, dict) and i.get("type") in _PARTS for i in items)  # pyright: ignore[reportUnknownMemberType]


def _first(parts: list[ContentPart], limit: int) -> list[ContentPart]:
    kept = list[ContentPart]()
    for part in parts:
        if isinstance(part, str):
            part, limit = part[:limit], max(0, limit - len(part))
        elif isinstance(part.get("text"), str):
            text = part["text"]
            part, limit = {**part, "text": text[:limit]}, max(0, limit - len(text))
        kept.append(part)
    return kept
