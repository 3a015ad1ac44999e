"""Message content as the blocks of Anthropic's Messages API: pure functions.

Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

from chatnb.schema.merging import Content, ContentPart
from chatnb.schema.messages import AIMessage, ToolMessage
from chatnb.schema.tool_calls import InvalidToolCall

Block: TypeAlias = dict[str, Any]

KEPT_BLOCKS = "anthropic_blocks"
"""Where `additional_kwargs` keep the blocks of a reply that must be sent back as they came."""

_DATA_URL = re.compile(r"data:([^;,]+);base64,(.*)", re.DOTALL)


def content_blocks(content: Content) -> list[Block]:
    """Write the content of a message.

    Args:
        content: Text, or parts in OpenAI's form or Anthropic's; the latter stay as they are.

    Returns:
        The blocks; empty text, which the API refuses, is left out.

    Raises:
        ValueError: If the API has no block for a part.

    Example:
        >>> content_blocks(["Look:", {"type": "image_url", "image_url": {"url": "https://a.b/c"}}])[1]
        {'type': 'image', 'source': {'type': 'url', 'url': 'https://a.b/c'}}
    """
    parts: list[ContentPart] = [content] if isinstance(content, str) else content
    blocks = [_block(part) for part in parts]
    return [block for block in blocks if block.get("type") != "text" or block.get("text")]


def reply_blocks(message: AIMessage) -> list[Block]:
    """Write a reply: what the API wants back unchanged, the text, and the calls.

    Args:
        message: What the model said.

    Returns:
        The blocks. A call that could not be parsed shows the model what it wrote.

    Example:
        >>> reply_blocks(AIMessage("", tool_calls=[{"name": "now", "args": {}, "id": "c1"}]))
        [{'type': 'tool_use', 'id': 'c1', 'name': 'now', 'input': {}}]
    """
    kept: list[Block] = message.additional_kwargs.get(KEPT_BLOCKS) or []
    calls = [_call(call["id"], call["name"], call["args"]) for call in message.tool_calls]
    calls += [_invalid_call(call) for call in message.invalid_tool_calls if call["name"]]
    return [*kept, *content_blocks(message.content), *calls]


def result_block(message: ToolMessage) -> Block:
    """Write what a tool answered.

    Args:
        message: The tool's message.

    Returns:
        The block; `is_error` says that the tool failed.

    Raises:
        ValueError: If the API has no block for a part of the answer.

    Example:
        >>> result_block(ToolMessage("4", tool_call_id="c1"))
        {'type': 'tool_result', 'tool_use_id': 'c1', 'content': '4'}
    """
    text = message.content if isinstance(message.content, str) else None
    block: Block = {
        "type": "tool_result",
        "tool_use_id": message.tool_call_id,
        "content": content_blocks(message.content) if text is None else text,
    }
    if message.status == "error":
        block["is_error"] = True
    return block


def _call(id: str | None, name: str, args: Mapping[str, Any]) -> Block:
    return {"type": "tool_use", "id": id, "name": name, "input": dict(args)}


def _invalid_call(call: InvalidToolCall) -> Block:
    return _call(call["id"], call["name"] or "", {"invalid_json": call["args"] or ""})


def _block(part: ContentPart) -> Block:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    write = _WRITERS.get(part.get("type", ""))
    if write is None:
        return part
    kept = {"cache_control": part["cache_control"]} if "cache_control" in part else {}
    return {**write(part), **kept}


def _image(part: Block) -> Block:
    image: Any = part["image_url"]
    url = str(cast("Mapping[str, Any]", image)["url"] if isinstance(image, Mapping) else image)
    return {"type": "image", "source": _source(url)}


def _document(part: Block) -> Block:
    file: Mapping[str, Any] = part["file"]
    if file.get("file_id"):
        return {"type": "document", "source": {"type": "file", "file_id": file["file_id"]}}
    titled = {"title": file["filename"]} if file.get("filename") else {}
    return {"type": "document", "source": _source(str(file["file_data"])), **titled}


def _source(url: str) -> Block:
    if not url.startswith("data:"):
        return {"type": "url", "url": url}
    written = _DATA_URL.fullmatch(url)
    if written is None:
        raise ValueError(f"A data: URL for Anthropic is written in base64, not as {url[:40]!r}")
    return {"type": "base64", "media_type": written[1], "data": written[2]}


def _audio(_part: Block) -> Block:
    raise ValueError("Anthropic's models take no audio")


_WRITERS: Mapping[str, Callable[[Block], Block]] = {
    "image_url": _image,
    "file": _document,
    "input_audio": _audio,
}
"""How the parts that only OpenAI has are written."""
