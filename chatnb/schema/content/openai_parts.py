"""Content parts of every known form, written for OpenAI's chat completions.

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias, TypeGuard, cast

from chatnb.schema.content.blocks import (
    audio_format,
    data_url,
    file_name,
    is_image,
    media_option,
    plain_text,
    standard_blocks,
)
from chatnb.schema.content.unsupported import media_name, unsupported, unwrapped
from chatnb.schema.merging import Content, ContentPart
from chatnb.schema.message_types import AIMessage, BaseMessage, HumanMessage, ToolMessage

Block: TypeAlias = dict[str, Any]

# Parts of a reply that a request repeats in other fields, or does not take.
NOT_SENT = frozenset(
    {
        *("invalid_tool_call", "reasoning", "server_tool_call", "server_tool_call_chunk"),
        *("server_tool_result", "tool_call", "tool_call_chunk"),
    }
)
_PART_TYPES = ("text", "image_url", "input_audio", "file", "refusal")
_ALSO_NOT_SENT = frozenset({"input_json_delta", "redacted_thinking"})
_ANTHROPIC_ONLY = ("container_upload", "tool_result")
# The fields that a part keeps on the way from one form to another.
_KEPT = ("cache_control", "prompt_cache_breakpoint")
# The fields of text that only replies have.
_NOT_IN_REQUESTS = frozenset({"annotations", "citations", "extras", "id", "index", "phase"})
_TAKER = "OpenAI's chat completions take"


def openai_content(content: Content) -> Content:
    """Return content for chat completions; raise UnsupportedContentError for what they lack."""
    if isinstance(content, str):
        return content
    return [written for part in content for written in _written(part)]


def content_of_format(content: Content | None, text_format: str | None) -> Content | None:
    """Return content with its texts joined (`string`), or a string as one part (`block`)."""
    if text_format == "block" and isinstance(content, str) and content:
        return [{"type": "text", "text": content}]
    if text_format != "string" or not isinstance(content, list):
        return content
    parts = [{"type": "text", "text": p} if isinstance(p, str) else p for p in content]
    if all(part.get("type") == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return content


def check_part_types(content: Content | None) -> None:
    """Raise a ValueError for a part of a type that OpenAI's messages do not have."""
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and part.get("type") not in _PART_TYPES:
            known = ", ".join(_PART_TYPES)
            raise ValueError(f"A part of an OpenAI message is one of {known}, not {part!r}")


def provider_part(block: Mapping[str, Any], taker: str) -> Block:
    """Return the part within a `non_standard` block; raise an error for one of Anthropic's."""
    return unwrapped(block, taker, _ANTHROPIC_ONLY)


def is_sent(block: Mapping[str, Any]) -> bool:
    """Return whether a standard block is a part of requests."""
    value: Mapping[str, Any] = block.get("value") or {}
    return block["type"] not in NOT_SENT and str(value.get("type")) not in _ALSO_NOT_SENT


def kept_fields(block: Mapping[str, Any]) -> Block:
    """Return the fields that a part keeps in every form."""
    return {name: value for name in _KEPT if (value := media_option(block, name))}


def check_parts(messages: Iterable[Block], taken: Container[str], taker: str) -> None:
    """Raise an UnsupportedContentError if written messages have parts that are not taken."""
    for message in messages:
        content: Content = message["content"] or ""
        for part in [] if isinstance(content, str) else content:
            name = str(part.get("type")) if isinstance(part, dict) else "text"
            if name not in taken:
                shown = {"image_url": "image", "input_audio": "audio"}.get(name, name)
                raise unsupported(taker, shown)


def check_roles(messages: Iterable[Block]) -> None:
    """Raise an UnsupportedContentError for media outside of users' and models' messages."""
    # Compatible servers may take them, and OpenAI rejects them.
    for message in messages:
        if message["role"] not in ("user", "assistant"):
            check_parts([message], ("text",), f"{_TAKER} in a {message['role']} message")


def without_tool_results(messages: Iterable[BaseMessage]) -> Iterator[BaseMessage]:
    """Yield messages, and results of tools in Anthropic's form, within a message, as their own."""
    for message in messages:
        content = message.content
        if not isinstance(message, HumanMessage | ToolMessage) or isinstance(content, str):
            yield message
            continue
        results = [part for part in content if _is_result(part)]
        yield from map(_tool_message, cast("list[Block]", results))
        rest = [part for part in content if not _is_result(part)]
        if rest or not results:
            yield replace(message, content=rest) if results else message


def without_expired_audio(messages: Iterable[BaseMessage], now: float) -> Iterator[BaseMessage]:
    """Yield messages, and spoken replies whose audio OpenAI has deleted without its id."""
    for message in messages:
        audio: object = message.additional_kwargs.get("audio")
        if isinstance(message, AIMessage) and _is_expired(audio, now):
            kept = {name: value for name, value in audio.items() if name != "id"}
            yield replace(message, additional_kwargs={**message.additional_kwargs, "audio": kept})
        else:
            yield message


def _is_expired(audio: object, now: float) -> TypeGuard[Mapping[str, Any]]:
    if not isinstance(audio, Mapping):
        return False
    expires_at: object = cast("Mapping[str, object]", audio).get("expires_at")
    return isinstance(expires_at, int | float) and expires_at <= now


def _is_result(part: ContentPart) -> bool:
    if not isinstance(part, dict) or part.get("type") != "tool_result":
        return False
    content = part.get("content") or ""
    parts: list[object] = cast("list[object]", content) if isinstance(content, list) else []
    is_content = isinstance(content, str | list) and all(isinstance(p, str | dict) for p in parts)
    return is_content and isinstance(part.get("tool_use_id"), str)


def _tool_message(part: Block) -> ToolMessage:
    return ToolMessage(
        part.get("content") or "",
        tool_call_id=part["tool_use_id"],
        status="error" if part.get("is_error") else "success",
    )


def _written(part: ContentPart) -> Iterator[Block]:
    if isinstance(part, dict) and _is_native(part):
        yield part
        return
    for block in standard_blocks(part):
        if is_sent(block):
            yield {**_WRITERS[block["type"]](block), **kept_fields(block)}


def _is_native(part: Block) -> bool:
    match part.get("type"):
        case "text":
            return part.keys().isdisjoint(_NOT_IN_REQUESTS)
        case "image_url" | "input_audio" | "file":
            return isinstance(part.get(part["type"]), Mapping)
        case "video_url":
            return True  # Of vLLM and OpenRouter.
        case _:
            return False


def _write_text(block: Block) -> Block:
    return {"type": "text", "text": block["text"]}


def _write_plain_text(block: Block) -> Block:
    return {"type": "text", "text": plain_text(block)}


def _write_image(block: Block) -> Block:
    url = data_url(block)
    if url is None:
        raise unsupported(_TAKER, media_name(block))
    detail = media_option(block, "detail")
    image = {"url": url, "detail": detail} if detail else {"url": url}
    return {"type": "image_url", "image_url": image}


def _write_audio(block: Block) -> Block:
    if not (block.get("base64") and block.get("mime_type")):
        raise unsupported(_TAKER, media_name(block))
    audio = {"data": block["base64"], "format": audio_format(block["mime_type"])}
    return {"type": "input_audio", "input_audio": audio}


def _write_file(block: Block) -> Block:
    if is_image(block):
        return _write_image(block)
    if block.get("file_id"):
        return {"type": "file", "file": {"file_id": block["file_id"]}}
    url = data_url(block)
    if url is None or not block.get("base64"):
        raise unsupported(_TAKER, media_name(block))
    return {"type": "file", "file": named_file(block, url)}


def named_file(block: Block, data: str) -> Block:
    """Return a file's data and name: OpenAI rejects data without any name."""
    ending = str(block.get("mime_type")).rpartition("/")[2]
    default = f"file.{'txt' if ending == 'plain' else ending}"
    return {"filename": file_name(block) or default, "file_data": data}


def _write_video(block: Block) -> Block:
    raise unsupported(_TAKER, media_name(block))


_WRITERS: Mapping[str, Callable[[Block], Block]] = {
    "audio": _write_audio,
    "file": _write_file,
    "image": _write_image,
    "non_standard": partial(provider_part, taker=_TAKER),
    "text": _write_text,
    "text-plain": _write_plain_text,
    "video": _write_video,
}
