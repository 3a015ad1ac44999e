"""The parts of messages as Markdown: media named, reasoning quoted, and tool calls as code."""

from __future__ import annotations

import json
from typing import Any

from chatnb.schema.content.blocks import standard_blocks
from chatnb.schema.merging import Content, ContentPart


def content_paragraphs(content: Content) -> list[str]:
    """Return the texts of a content, and names of what is no text: `*[image, image/png]*`."""
    parts = [content] if isinstance(content, str) else content
    return [text for part in parts for text in _part_paragraphs(part)]


def _part_paragraphs(part: ContentPart) -> list[str]:
    if isinstance(part, str) or part.get("text"):
        return [part if isinstance(part, str) else str(part["text"])]
    blocks = [block for block in standard_blocks(part) if block["type"] != "reasoning"]
    return [_block_name(block, str(part.get("type") or "part")) for block in blocks]


def _block_name(block: dict[str, Any], type_: str) -> str:
    """Name a block that Markdown does not show: `*[image, image/png, 12.0 KB]*`."""
    if block["type"] not in ("image", "audio", "video", "file"):
        return f"*[{type_}]*"
    size = len(block.get("base64") or "") * 3 // 4
    facts = (block["type"], str(block.get("mime_type") or ""), size and f"{size / 1000:,.1f} KB")
    return f"*[{', '.join(str(fact) for fact in facts if fact)}]*"


def quote(text: str) -> str:
    """Return a text as a quotation."""
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def call_markdown(name: str, args: dict[str, object]) -> str:
    """Return a tool call as a block of code."""
    call = f"{name}({json.dumps(args, ensure_ascii=False, default=str)})"
    return f"```\n{call.replace('```', '` ` `')}\n```"
