"""Files that go with a message: as parts of its content, and as items of the panel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypeAlias, TypedDict

from chatnb.schema.characters import replace_surrogates
from chatnb.schema.content.blocks import standard_blocks
from chatnb.schema.content.outputs import shown_media
from chatnb.schema.content.parts import (
    audio_part,
    file_part,
    image_part,
    media_type_of,
    text_part,
)
from chatnb.schema.content.reply_parts import reply_parts
from chatnb.schema.merging import Content, ContentPart
from chatnb.schema.message_types import AIMessage, BaseMessage


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a message; the bytes decide its type, and not its name."""

    name: str
    mime: str
    data: bytes


class Limits(TypedDict):
    """The limits of attachments: bytes of a file, bytes of a message, and MIME types."""

    attachment_bytes: int
    attachments_bytes: int
    types: list[str]


class ItemAttachment(TypedDict):
    """A file of a message; `data` is a small image, or what a reply shows, in base64."""

    name: str
    mime: str
    size: int
    data: NotRequired[str]


Files: TypeAlias = dict[str, dict[str, Any]]
"""Name, type and size of each file by the index of its part. They are kept in the store, since
providers reject parts with additional fields."""

_MEGABYTE = 1024 * 1024
LIMITS = Limits(
    attachment_bytes=5 * _MEGABYTE,
    attachments_bytes=20 * _MEGABYTE,
    types=[
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "audio/wav",
        "audio/x-wav",
        "audio/mp3",
        "audio/mpeg",
        "application/pdf",
        "text/*",
        "application/json",
    ],
)
_MAX_SHOWN_BYTES = 200_000
"""Larger images are not sent back to the browser."""


def content_with_attachments(text: str, attachments: Sequence[Attachment]) -> tuple[Content, Files]:
    """Return the content of a message with its files, and which parts are files."""
    _check_sizes(attachments)
    if not attachments:
        return text, {}
    parts: list[ContentPart] = [text_part(text)] if text else []
    files = Files()
    for attachment in attachments:
        part, mime = _part_from_file(attachment)
        size = len(attachment.data)
        files[str(len(parts))] = {"name": attachment.name, "mime": mime, "size": size}
        parts.append(part)
    return parts, files


def content_with_other_text(message: BaseMessage, files: Files, text: str) -> tuple[Content, Files]:
    """Return the content of a message with its files and another text, and its files."""
    kept = [(index, part) for index, part in _parts(message) if _is_file(index, part, files)]
    if not kept:
        return text, {}
    parts: list[ContentPart] = [text_part(text)] if text else []
    first = len(parts)
    parts += [part for _, part in kept]
    numbered = enumerate((index for index, _ in kept), first)
    return parts, {str(new): files[old] for new, old in numbered if old in files}


def typed_text(message: BaseMessage, files: Mapping[str, Any]) -> str:
    """Return the text of a message without the text of its files."""
    typed = [part for index, part in _parts(message) if not _is_file(index, part, files)]
    return "".join(part if isinstance(part, str) else str(part.get("text", "")) for part in typed)


def item_attachments(message: BaseMessage, files: Mapping[str, Any]) -> list[ItemAttachment]:
    """Return the files of a message with small images, and the media of a reply with their data."""
    if isinstance(message, AIMessage):
        return _reply_media(message)
    attachments, budget = list[ItemAttachment](), _MAX_SHOWN_BYTES
    for index, part in _parts(message):
        if not _is_file(index, part, files):
            continue
        attachment = _item_attachment(part, files.get(index))
        budget -= attachment["size"] if "data" in attachment else 0
        if budget < 0:
            attachment.pop("data", None)
        attachments.append(attachment)
    return attachments


def _reply_media(reply: AIMessage) -> list[ItemAttachment]:
    return [
        ItemAttachment(name=media.type, mime=media.mime_type, size=media.size, data=media.data)
        for media in shown_media(reply_parts(reply))
    ]


def _check_sizes(attachments: Sequence[Attachment]) -> None:
    for attachment in attachments:
        _check_size(attachment.name, len(attachment.data), LIMITS["attachment_bytes"])
    total = sum(len(attachment.data) for attachment in attachments)
    _check_size("What is attached together", total, LIMITS["attachments_bytes"])


def _check_size(name: str, size: int, limit: int) -> None:
    if size > limit:
        raise ValueError(f"{name} {excess(size, limit)}. Nothing was sent.")


def excess(size: int, limit: int) -> str:
    """Write that a file is too large."""
    return f"has {size / _MEGABYTE:.1f} MB; the most is {limit // _MEGABYTE} MB"


def _part_from_file(attachment: Attachment) -> tuple[dict[str, Any], str]:
    # Browsers guess MIME types, so the bytes decide.
    mime = media_type_of(attachment.data) or ""
    if mime.startswith("image/"):
        return image_part(attachment.data), mime
    if mime.startswith("audio/"):
        return audio_part(attachment.data), mime
    if mime == "application/pdf":
        return file_part(attachment.data, filename=attachment.name), mime
    return text_part(_fenced_text(attachment)), _text_mime(attachment.mime)


def _text_mime(mime: str) -> str:
    return mime if mime.startswith("text/") or mime == "application/json" else "text/plain"


def _fenced_text(attachment: Attachment) -> str:
    try:
        text = attachment.data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ValueError(
            f"{attachment.name} is no image (PNG, JPEG, GIF, WebP), no sound (WAV, MP3), no PDF "
            "file and no text file in UTF-8; nothing else can be attached. Nothing was sent."
        )
    _, dot, suffix = attachment.name.rpartition(".")
    language = suffix if dot and suffix.isascii() and suffix.isalnum() else ""
    return f"{attachment.name}:\n{fenced(text, language)}"


def fenced(text: str, language: str = "") -> str:
    """Return a text as a code block, whatever fences are in it."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def sized_part(name: str, text: str) -> tuple[ContentPart, int]:
    """Return a text as a part of a message, with its bytes, unless it is too long for a file."""
    text = replace_surrogates(text)
    size = len(text.encode())
    _check_size(name, size, LIMITS["attachment_bytes"])
    return text_part(text), size


def _parts(message: BaseMessage) -> Iterator[tuple[str, ContentPart]]:
    content = message.content
    parts = [content] if isinstance(content, str) else content
    return ((str(index), part) for index, part in enumerate(parts))


def _is_file(index: str, part: ContentPart, files: Mapping[str, Any]) -> bool:
    return index in files or (isinstance(part, dict) and part.get("type") not in ("text", None))


def _item_attachment(part: ContentPart, file: Mapping[str, Any] | None) -> ItemAttachment:
    mime, data = _image_data(part)
    size = len(data) * 3 // 4
    attachment = ItemAttachment(name=_type_name(part), mime=mime, size=size)
    if data and size <= _MAX_SHOWN_BYTES:
        attachment["data"] = data
    if file:
        attachment |= ItemAttachment(name=file["name"], mime=file["mime"], size=file["size"])
    return attachment


def _type_name(part: ContentPart) -> str:
    name = "file" if isinstance(part, str) else str(part.get("type") or "file")
    return {"image_url": "image", "input_image": "image", "input_audio": "audio"}.get(name, name)


def _image_data(part: ContentPart) -> tuple[str, str]:
    """Return the MIME type and the base64 data of an image that a part contains."""
    block = standard_blocks(part)[0]
    if block["type"] != "image" or not block.get("base64"):
        return "", ""
    return str(block.get("mime_type") or ""), block["base64"]
