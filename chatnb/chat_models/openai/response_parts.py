"""Content parts of every known form, written for OpenAI's Responses API.

Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias

from chatnb.schema.content.blocks import (
    data_url,
    is_image,
    media_option,
    plain_text,
    standard_blocks,
)
from chatnb.schema.content.openai_parts import is_sent, kept_fields, named_file, provider_part
from chatnb.schema.content.unsupported import media_name, unsupported
from chatnb.schema.merging import Content, ContentPart

Block: TypeAlias = dict[str, Any]

_TAKER = "The Responses API takes"
_NATIVE = ("input_text", "input_file")


def input_content(content: Content) -> str | list[Block]:
    """Return a message's content for a request; raise UnsupportedContentError for what it lacks."""
    if isinstance(content, str):
        return content
    return [written for part in content for written in _written(part)]


def _written(part: ContentPart) -> Iterator[Block]:
    if isinstance(part, dict) and part.get("type") in _NATIVE:
        yield part
    elif isinstance(part, dict) and _is_chat_file(part):
        yield {"type": "input_file", **part["file"], **kept_fields(part)}
    else:
        for block in standard_blocks(part):
            if is_sent(block):
                yield {**_WRITERS[block["type"]](block), **kept_fields(block)}


def _is_chat_file(part: Block) -> bool:
    return part.get("type") == "file" and isinstance(part.get("file"), Mapping)


def _write_text(block: Block) -> Block:
    return {"type": "input_text", "text": block["text"]}


def _write_plain_text(block: Block) -> Block:
    return {"type": "input_text", "text": plain_text(block)}


def _write_image(block: Block) -> Block:
    url, id = data_url(block), block.get("file_id")
    if not (url or id):
        raise unsupported(_TAKER, media_name(block))
    image: Block = {"image_url": url} if url else {"file_id": id}
    return {"type": "input_image", **image, "detail": media_option(block, "detail") or "auto"}


def _write_file(block: Block) -> Block:
    if is_image(block):
        return _write_image(block)
    if block.get("file_id"):
        return {"type": "input_file", "file_id": block["file_id"]}
    if block.get("url"):
        return {"type": "input_file", "file_url": block["url"]}
    data = data_url(block)
    if data is None:
        raise unsupported(_TAKER, media_name(block))
    return {"type": "input_file", **named_file(block, data)}


def _refuse(block: Block) -> Block:
    raise unsupported(_TAKER, media_name(block))


_WRITERS: Mapping[str, Callable[[Block], Block]] = {
    "audio": _refuse,
    "file": _write_file,
    "image": _write_image,
    "non_standard": partial(provider_part, taker=_TAKER),
    "text": _write_text,
    "text-plain": _write_plain_text,
    "video": _refuse,
}
