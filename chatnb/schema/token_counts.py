"""Estimate the tokens of messages: text, images, audio, files, tool calls and their results."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any

from chatnb.schema.content.blocks import (
    Block,
    calls_of,
    decoded_text,
    is_image,
    media_option,
    plain_text,
    spoken_text,
)
from chatnb.schema.message_types import AIMessage, BaseMessage

CountText = Callable[[str], int]

_CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 3
# OpenAI's for one of 1024 x 1024 pixels; other providers and sizes are near.
# Source: https://platform.openai.com/docs/guides/images-vision
_TOKENS_PER_IMAGE = 765
_TOKENS_PER_SMALL_IMAGE = 85
_TOKENS_PER_PAGE = 1_500
_BYTES_PER_PAGE = 50_000
_PDF_PAGE = re.compile(rb"/Type\s*/Page\b")
_TOKENS_PER_SECOND = {"audio": 10, "video": 260}
_BYTES_PER_SECOND = {"audio": 16_000, "video": 250_000}
_UNKNOWN_SECONDS = 60  # Of media behind a URL or an id.
_CALLS = ("tool_call", "invalid_tool_call", "server_tool_call")
# Providers do not count what they thought before, or count it where no request shows it.
_NOT_COUNTED = ("reasoning",)


def count_tokens_approximately(
    messages: Iterable[BaseMessage], *, tools: Sequence[Any] | None = None
) -> int:
    """Estimate the tokens of messages, without any model's tokenizer.

    Args:
        messages: The messages.
        tools: Tools that are sent along, as `bind_tools` takes them.

    Returns:
        One token for four characters of text, of tool calls and of their results, what images,
        audio and files take about, and three for each message.

    Raises:
        TypeError: If an item of `tools` describes no tool.

    Example:
        >>> count_tokens_approximately([AIMessage("12345678")])
        5
    """
    counts = (
        _TOKENS_PER_MESSAGE + message_tokens(message, _approximate_count) for message in messages
    )
    return sum(counts) + (_tool_tokens(tools) if tools else 0)


def _tool_tokens(tools: Sequence[Any]) -> int:
    # Tools are runnables, which are made of this package's messages; those who pass some have it.
    written = import_module("chatnb.tools.openai_schema").to_openai_tools(tools)
    return _approximate_count("".join(json.dumps(tool, default=str) for tool in written))


def message_tokens(message: BaseMessage, count_text: CountText) -> int:
    """Return the tokens of a message, with a function that counts those of a text."""
    text = message.name or ""
    if isinstance(message, AIMessage):
        text += "".join(_call_text(call) for call in calls_of(message))
    if isinstance(message.content, str):
        spoken = spoken_text(message) if isinstance(message, AIMessage) else ""
        return count_text(message.content + spoken + text)
    blocks = [block for block in message.content_blocks if block["type"] not in _CALLS]
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    others = (_block_tokens(block, count_text) for block in blocks if block["type"] != "text")
    return count_text("".join(texts) + text) + sum(others)


def _approximate_count(text: str) -> int:
    return -(-len(text) // _CHARACTERS_PER_TOKEN)


def _call_text(call: Any) -> str:
    args = call["args"]
    written = args if isinstance(args, str) else json.dumps(args, ensure_ascii=False, default=str)
    return f"{call['name'] or ''}{written}"


def _block_tokens(block: Block, count_text: CountText) -> int:
    type_ = block["type"]
    if type_ in _NOT_COUNTED:
        return 0
    if is_image(block):
        is_small = media_option(block, "detail") == "low"
        return _TOKENS_PER_SMALL_IMAGE if is_small else _TOKENS_PER_IMAGE
    if type_ in _TOKENS_PER_SECOND:
        size = len(_data(block))
        seconds = size / _BYTES_PER_SECOND[type_] if size else _UNKNOWN_SECONDS
        return max(1, round(seconds * _TOKENS_PER_SECOND[type_]))
    if type_ == "text-plain":
        return count_text(plain_text(block))
    if type_ == "file":
        return _file_tokens(block, count_text)
    return count_text(json.dumps(block, ensure_ascii=False, default=str))


def _file_tokens(block: Block, count_text: CountText) -> int:
    text = decoded_text(block)
    if text is not None:
        return count_text(text)
    data = _data(block)
    pages = len(_PDF_PAGE.findall(data)) or len(data) // _BYTES_PER_PAGE
    return max(1, pages) * _TOKENS_PER_PAGE


def _data(block: Block) -> bytes:
    try:
        return base64.b64decode(block.get("base64") or "")
    except (binascii.Error, TypeError, ValueError):
        return b""
