"""Files that come with a message: as parts of its content, and as the panel shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chatnb.notebook.views.chat_panel_item import Limits, ShownAttachment
from chatnb.notebook.views.chat_panel_requests import Attached
from chatnb.schema.base_message import BaseMessage
from chatnb.schema.content import image_part, text_part
from chatnb.schema.merging import Content, ContentPart

_MEGABYTE = 1024 * 1024
LIMITS = Limits(
    attachment_bytes=5 * _MEGABYTE,
    attachments_bytes=20 * _MEGABYTE,
    types=["image/png", "image/jpeg", "image/gif", "image/webp", "text/*", "application/json"],
)
"""What a panel takes."""
_SHOWN_BYTES = 200_000
"""Larger images are not sent back to the browser."""

Files = dict[str, dict[str, Any]]
"""Name, type and size of each file, by the number of the part that it became; for the store, since
providers refuse parts that say more than they know."""


def content_of(text: str, attachments: Sequence[Attached]) -> tuple[Content, Files]:
    """What a message says with the files that come with it.

    Args:
        text: What was typed.
        attachments: The files.

    Returns:
        The text alone where there are no files, else parts: text files are fenced, under their
        name; and which of the parts are files.

    Raises:
        ValueError: If a file is too large or of a kind that is not taken; it says which.

    Example:
        >>> content, files = content_of("Why?", [Attached("a.py", "text/x-python", b"1/0")])
        >>> content[1]["text"]
        'a.py:\\n```py\\n1/0\\n```'
        >>> files
        {'1': {'name': 'a.py', 'mime': 'text/x-python', 'size': 3}}
    """
    _check_sizes(attachments)
    if not attachments:
        return text, {}
    parts: list[ContentPart] = [text_part(text)] if text else []
    files = Files()
    for attached in attachments:
        part, mime = _part(attached)
        files[str(len(parts))] = {
            "name": attached.name,
            "mime": mime,
            "size": len(attached.data),
        }
        parts.append(part)
    return parts, files


def with_text(message: BaseMessage, files: Mapping[str, Any], text: str) -> tuple[Content, Files]:
    """A message that says something else, with the same files.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> with_text(HumanMessage("Why?"), {}, "How?")
        ('How?', {})
    """
    kept = [(index, part) for index, part in _parts(message) if _is_file(index, part, files)]
    if not kept:
        return text, {}
    parts: list[ContentPart] = [text_part(text)] if text else []
    first = len(parts)
    parts += [part for _, part in kept]
    numbered = enumerate((index for index, _ in kept), first)
    return parts, {str(new): files[old] for new, old in numbered if old in files}


def shown_text(message: BaseMessage, files: Mapping[str, Any]) -> str:
    """What a message says, without the text of its files.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> content, files = content_of("Why?", [Attached("a.txt", "", b"no")])
        >>> shown_text(HumanMessage(content), files)
        'Why?'
    """
    typed = [part for index, part in _parts(message) if not _is_file(index, part, files)]
    return "".join(part if isinstance(part, str) else str(part.get("text", "")) for part in typed)


def shown_attachments(message: BaseMessage, files: Mapping[str, Any]) -> list[ShownAttachment]:
    """The files of a message, small images with their data.

    Args:
        message: The message.
        files: What is known of its files; parts that are no text are files too.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> content, files = content_of("Why?", [Attached("a.txt", "", b"no")])
        >>> shown_attachments(HumanMessage(content), files)
        [{'name': 'a.txt', 'mime': 'text/plain', 'size': 2}]
    """
    shown, room = list[ShownAttachment](), _SHOWN_BYTES
    for index, part in _parts(message):
        if not _is_file(index, part, files):
            continue
        attachment = _shown(part, files.get(index))
        room -= attachment["size"] if "data" in attachment else 0
        if room < 0:
            attachment.pop("data", None)
        shown.append(attachment)
    return shown


def _check_sizes(attachments: Sequence[Attached]) -> None:
    for each in attachments:
        if len(each.data) > LIMITS["attachment_bytes"]:
            raise ValueError(_too_large(each.name, len(each.data), LIMITS["attachment_bytes"]))
    together = sum(len(each.data) for each in attachments)
    if together > LIMITS["attachments_bytes"]:
        what = "What is attached together"
        raise ValueError(_too_large(what, together, LIMITS["attachments_bytes"]))


def _too_large(name: str, size: int, most: int) -> str:
    return (
        f"{name} has {size / _MEGABYTE:.1f} MB; the most is {most // _MEGABYTE} MB. "
        "Nothing was sent."
    )


def _part(attached: Attached) -> tuple[dict[str, Any], str]:
    """The part that a file becomes, and its type by its bytes; its browser's word is not taken."""
    try:
        part = image_part(attached.data)
    except ValueError:
        return text_part(_fenced(attached)), _text_type(attached.mime)
    return part, part["image_url"]["url"].removeprefix("data:").partition(";")[0]


def _text_type(mime: str) -> str:
    return mime if mime.startswith("text/") or mime == "application/json" else "text/plain"


def _fenced(attached: Attached) -> str:
    try:
        text = attached.data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ValueError(
            f"{attached.name} is neither an image (PNG, JPEG, GIF, WebP) nor a text file in "
            "UTF-8; nothing else can be attached. Nothing was sent."
        )
    fence = "```"
    while fence in text:
        fence += "`"
    _, dot, ending = attached.name.rpartition(".")
    language = ending if dot and ending.isascii() and ending.isalnum() else ""
    return f"{attached.name}:\n{fence}{language}\n{text.rstrip()}\n{fence}"


def _parts(message: BaseMessage) -> list[tuple[str, ContentPart]]:
    content = message.content
    parts = [content] if isinstance(content, str) else content
    return [(str(index), part) for index, part in enumerate(parts)]


def _is_file(index: str, part: ContentPart, files: Mapping[str, Any]) -> bool:
    return index in files or (isinstance(part, dict) and part.get("type") not in ("text", None))


def _shown(part: ContentPart, said: Mapping[str, Any] | None) -> ShownAttachment:
    mime, data = _image_data(part)
    size = len(data) * 3 // 4
    shown = ShownAttachment(
        name=_kind(part), mime=mime, size=size, **({"data": data} if data else {})
    )
    if said:
        shown |= ShownAttachment(name=said["name"], mime=said["mime"], size=said["size"])
    if size > _SHOWN_BYTES:
        shown.pop("data", None)
    return shown


def _kind(part: ContentPart) -> str:
    kind = "file" if isinstance(part, str) else str(part.get("type") or "file")
    return {"image_url": "image", "input_audio": "audio"}.get(kind, kind)


def _image_data(part: ContentPart) -> tuple[str, str]:
    """The type and the base64 of an image that a part holds itself."""
    image = part.get("image_url") if isinstance(part, dict) else None
    url = image.get("url") if isinstance(image, dict) else None
    if not isinstance(url, str) or not url.startswith("data:image/") or ";base64," not in url:
        return "", ""
    mime, _, data = url.removeprefix("data:").partition(";base64,")
    return mime, data
