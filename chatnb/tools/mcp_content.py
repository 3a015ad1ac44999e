"""Conversion of what MCP servers return to content parts and messages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from chatnb.schema.content.media_data import media_file
from chatnb.schema.content.parts import encoded_part, text_part
from chatnb.schema.merging import Content
from chatnb.schema.messages import AIMessage, BaseMessage, HumanMessage


def content_from_mcp(blocks: Sequence[Any], structured: Any = None) -> Content:
    parts = [_part(block) for block in blocks]
    if not parts and structured is not None:
        return json.dumps(structured, ensure_ascii=False)
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return [*parts]


def _part(block: Any) -> dict[str, Any]:
    match block.type:
        case "text":
            return text_part(block.text)
        case "image" | "audio":
            return _media_part(block)
        case "resource":
            return resource_part(block.resource)
        case "resource_link":
            return text_part(f"{block.title or block.name}: {block.uri}")
        case _:
            return text_part(block.model_dump_json(by_alias=True, exclude_none=True))


def _media_part(block: Any) -> dict[str, Any]:
    """Return a picture or sound; its name alone, if a provider would refuse the whole request."""
    try:
        mime, data = media_file(block.mime_type, block.data)
    except ValueError:
        mime, data = "", ""
    if not mime.startswith(f"{block.type}/"):
        return text_part(
            f"[{block.type} of the type {block.mime_type:.100}, which is not readable]"
        )
    return encoded_part(mime, data, block.type)


def resource_part(resource: Any) -> dict[str, Any]:
    text = getattr(resource, "text", None)
    if text is not None:
        return text_part(text)
    name = str(resource.uri).rpartition("/")[2] or "resource"
    return encoded_part(resource.mime_type or "application/octet-stream", resource.blob, name)


def message_from_mcp(message: Any) -> BaseMessage:
    content = content_from_mcp([message.content])
    return AIMessage(content) if message.role == "assistant" else HumanMessage(content)
