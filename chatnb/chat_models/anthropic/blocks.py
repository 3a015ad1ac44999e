"""Content parts of every known form, written as blocks of Anthropic's Messages API.

Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any, TypeAlias, cast

from chatnb.schema.content.blocks import (
    calls_of,
    decoded_text,
    file_name,
    is_image,
    media_option,
    spoken_text,
    standard_blocks,
)
from chatnb.schema.content.openai_parts import is_sent
from chatnb.schema.content.reply_blocks import ANTHROPIC_BLOCKS, filled_blocks
from chatnb.schema.content.unsupported import media_name, unsupported, unwrapped
from chatnb.schema.merging import Content, ContentPart
from chatnb.schema.messages import AIMessage, ToolMessage
from chatnb.schema.tool_calls import InvalidToolCall, ToolCall

Block: TypeAlias = dict[str, Any]

_TAKER = "Anthropic's models take"
_DOCUMENT_OPTIONS = ("context", "citations")
_CALLS = ("tool_use", "tool_call", "function_call")
_NATIVE = (
    *("container_upload", "document", "mcp_tool_use", "redacted_thinking", "search_result"),
    *("server_tool_use", "tool_result"),
)
# LangChain's fields of a text.
_NOT_IN_REQUESTS = frozenset({"annotations", "extras", "id", "index", "phase"})
_CALL_ID = re.compile(r"[a-zA-Z0-9_-]+")
_NOT_IN_CALL_IDS = re.compile(r"[^a-zA-Z0-9_-]")
_FROM_ELSEWHERE = ("refusal", "input_json_delta")


def content_blocks(content: Content) -> list[Block]:
    """Return the blocks of a message's content; raise UnsupportedContentError for other parts."""
    parts: list[ContentPart] = [content] if isinstance(content, str) else content
    return [block for part in parts for block in _blocks(part)]


def reply_blocks(message: AIMessage) -> list[Block]:
    """Return the blocks of a reply: those kept unchanged, the text, and the calls."""
    kept: list[Block] = message.additional_kwargs.get(ANTHROPIC_BLOCKS) or []
    content = message.content
    parts: list[ContentPart] = [*kept, *content] if isinstance(content, list) else []
    if isinstance(content, str):
        parts += filled_blocks(kept, content or spoken_text(message))
    calls = {call["id"]: call for call in calls_of(message) if call["name"]}
    blocks = list[Block]()
    for part in parts:
        id = isinstance(part, dict) and (part.get("call_id") or part.get("id"))
        if isinstance(part, dict) and part.get("type") in _CALLS and isinstance(id, str):
            call = calls.pop(id, None)
            blocks += [_call(call)] if call else []
        else:
            unchanged = [block for block in kept if block is part]
            blocks += unchanged or _blocks(part)
    return [*blocks, *map(_call, calls.values())]


def result_blocks(message: ToolMessage) -> list[Block]:
    """Return the block of a tool's result, or those that its content has already."""
    if isinstance(message.content, str):
        return [_result(message, message.content)]
    blocks = content_blocks(message.content)
    results = [block for block in blocks if isinstance(block.get("tool_use_id"), str)]
    if results:
        return [{**block, "tool_use_id": call_id(block["tool_use_id"])} for block in results]
    # A breakpoint of the cache is set on the result, and not within it.
    cached = [block.pop("cache_control") for block in blocks if "cache_control" in block]
    return [_result(message, blocks) | ({"cache_control": cached[-1]} if cached else {})]


def _result(message: ToolMessage, content: str | list[Block]) -> Block:
    failed: Block = {"is_error": True} if message.status == "error" else {}
    id = call_id(message.tool_call_id)
    return {"type": "tool_result", "tool_use_id": id, "content": content, **failed}


def call_id(id: str | None) -> str | None:
    """Return a call's id, without characters of other providers' ids that Anthropic rejects."""
    if not id or _CALL_ID.fullmatch(id):
        return id
    # A digest keeps ids apart that differ in such characters only.
    return f"{_NOT_IN_CALL_IDS.sub('_', id)}_{sha256(id.encode()).hexdigest()[:8]}"


def _call(call: ToolCall | InvalidToolCall) -> Block:
    # A call that could not be parsed shows the model its own text.
    args = call["args"]
    input = args if isinstance(args, dict) else {"invalid_json": args or ""}
    return {
        "type": "tool_use",
        "id": call_id(call["id"]),
        "name": call["name"],
        "input": dict(input),
    }


def _blocks(part: ContentPart) -> Iterator[Block]:
    block = _native(part) if isinstance(part, dict) else None
    if block is not None:
        yield block
        return
    for standard in standard_blocks(part):
        if standard["type"] == "reasoning":
            yield from _thinking(standard)
        elif is_sent(standard) and (written := _WRITERS[standard["type"]](standard)):
            cached = media_option(standard, "cache_control")
            yield {**written, "cache_control": cached} if cached else written


def _native(part: Block) -> Block | None:
    """Return a block that has Anthropic's form, without fields that it rejects, else None."""
    type_ = str(part.get("type"))
    if type_ == "text":
        is_native = bool(part.get("text")) and part.keys().isdisjoint(_NOT_IN_REQUESTS)
    elif type_ == "image":
        is_native = "source" in part
    else:
        is_native = type_ in _NATIVE or type_.endswith("_tool_result")
    if not is_native:
        return None
    block = {name: value for name, value in part.items() if name != "index" and value is not None}
    if type_ == "text" and isinstance(part.get("citations"), list):
        block["citations"] = [_without_none(citation) for citation in part["citations"]]
    return block


def _without_none(citation: Any) -> Any:
    # Null fields are in replies only.
    if not isinstance(citation, dict):
        return citation
    fields = cast("Block", citation)
    return {name: value for name, value in fields.items() if value is not None}


def _thinking(block: Block) -> Iterator[Block]:
    # Without a signature, as of another provider or a reply that broke off, it is rejected.
    signature = media_option(block, "signature")
    if signature:
        yield {"type": "thinking", "thinking": block["reasoning"], "signature": signature}


def _write_text(block: Block) -> Block | None:
    # The API rejects empty text.
    return {"type": "text", "text": block["text"]} if block["text"] else None


def _write_plain_text(block: Block) -> Block:
    source = {"type": "text", "media_type": "text/plain", "data": block["text"]}
    return _document(block, source)


def _write_file(block: Block) -> Block:
    if is_image(block):
        return _write_image(block)
    text = decoded_text(block)
    if text is not None:
        return _write_plain_text({**block, "text": text})
    if block.get("base64") and block.get("mime_type") != "application/pdf":
        raise unsupported(_TAKER, media_name(block))
    return _document(block, _source(block))


def _document(block: Block, source: Block) -> Block:
    options = {name: value for name in _DOCUMENT_OPTIONS if (value := media_option(block, name))}
    title = file_name(block)
    return {"type": "document", "source": source, **options, **({"title": title} if title else {})}


def _write_image(block: Block) -> Block:
    if block.get("base64") and not block.get("mime_type"):
        raise unsupported(_TAKER, media_name(block))
    return {"type": "image", "source": _source(block)}


def _source(block: Block) -> Block:
    if block.get("base64"):
        return {"type": "base64", "media_type": block["mime_type"], "data": block["base64"]}
    if block.get("file_id"):
        return {"type": "file", "file_id": block["file_id"]}
    url = str(block["url"])
    if url.startswith("data:"):
        raise unsupported(_TAKER, f"data: URL but in base64, not as {url[:40]!r}")
    if not url.startswith(("https://", "http://")):
        raise unsupported(_TAKER, f"{block['type']} by the URL {url[:40]!r}")
    return {"type": "url", "url": url}


def _refuse(block: Block) -> Block:
    raise unsupported(_TAKER, media_name(block))


def _write_unknown(block: Block) -> Block | None:
    part = unwrapped(block, _TAKER)
    return None if part.get("type") in _FROM_ELSEWHERE else part


_WRITERS: Mapping[str, Callable[[Block], Block | None]] = {
    "audio": _refuse,
    "file": _write_file,
    "image": _write_image,
    "non_standard": _write_unknown,
    "text": _write_text,
    "text-plain": _write_plain_text,
    "video": _refuse,
}
