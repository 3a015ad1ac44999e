"""The parts of messages as Markdown: media named, sources linked, and tool calls as code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote as percent_encoded

from chatnb.markdown.safe_markdown import plain_markdown
from chatnb.schema.content.blocks import Reply, standard_blocks
from chatnb.schema.content.reply_parts import Media, ReplyParts, Source, reply_parts
from chatnb.schema.merging import Content, ContentPart
from chatnb.terminal import replace_control_characters

_MAX_SOURCES = 50
_MAX_TITLE = 200
_MAX_MIME = 100
_ENDS_LINKS = re.compile(r"[()\[\]|$]")


def content_paragraphs(content: Content) -> list[str]:
    """Return the texts of a content, and names of what is no text: `*[image, image/png]*`."""
    parts = [content] if isinstance(content, str) else content
    return [text for part in parts for text in _part_paragraphs(part)]


def reply_paragraphs(reply: Reply) -> list[str]:
    """Return the texts of a reply, with all its other parts named, linked or written as code."""
    parts, texts = reply_parts(reply), content_paragraphs(reply.content)
    if not isinstance(reply.content, str):  # The content names its media and calls.
        return [*texts, *parts_paragraphs(parts._replace(media=(), calls=()))]
    calls = list[str]()
    for call in parts.calls:
        calls.append(call_markdown(call.name, call.args))
        calls += [quote(call.result)] if call.result else []
    return [*calls, *texts, *parts_paragraphs(parts)]


def parts_paragraphs(parts: ReplyParts) -> list[str]:
    """Return the transcript of a reply, the names of its media, and links to its sources."""
    named = map(media_markdown, parts.media)
    sources = "\n".join(_source_lines(parts)) if parts.sources else ""
    return [text for text in (parts.transcript, *named, sources) if text]


def media_markdown(media: Media) -> str:
    """Name a picture, sound or file, with a link where only its address is known."""
    return _link(media.type, media.url) if media.url else f"*[{_escaped_name(media)}]*"


def media_name(media: Media) -> str:
    """Write the type and size of a picture, sound or file: `image, image/png, 12.0 KB`."""
    size = f"{media.size / 1000:,.1f} KB" if media.size else ""
    mime = replace_control_characters(media.mime_type[:_MAX_MIME])
    return ", ".join(fact for fact in (media.type, mime, size) if fact)


def _escaped_name(media: Media) -> str:
    return plain_markdown(media_name(media))


def _source_lines(parts: ReplyParts) -> Iterator[str]:
    """Write the sources of a reply as a numbered list of links."""
    yield "**Sources**\n"
    for number, source in enumerate(parts.sources[:_MAX_SOURCES], 1):
        yield f"{number}. {_source_markdown(source)}"
    more = len(parts.sources) - _MAX_SOURCES
    if more > 0:
        yield f"\nand {more:,} more"


def _source_markdown(source: Source) -> str:
    title = source.title[:_MAX_TITLE]
    return _link(title, source.url) if source.url else plain_markdown(title)


def _link(title: str, url: str) -> str:
    # What could end the link, or open a formula in it.
    address = _ENDS_LINKS.sub(lambda found: percent_encoded(found[0]), url)
    return f"[{plain_markdown(title)}]({address})"


def _part_paragraphs(part: ContentPart) -> list[str]:
    if isinstance(part, str) or part.get("text"):
        return [part if isinstance(part, str) else str(part["text"])]
    blocks = [block for block in standard_blocks(part) if block["type"] != "reasoning"]
    return [_block_name(block, str(part.get("type") or "part")) for block in blocks]


def _block_name(block: dict[str, Any], type_: str) -> str:
    """Name a block that Markdown does not show: `*[image, image/png, 12.0 KB]*`."""
    if block["type"] not in ("image", "audio", "video", "file"):
        return f"*[{type_}]*"
    data, mime = str(block.get("base64") or ""), str(block.get("mime_type") or "")
    return f"*[{_escaped_name(Media(block['type'], mime, data))}]*"


def quote(text: str) -> str:
    """Return a text as a quotation."""
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def call_markdown(name: str, args: dict[str, object]) -> str:
    """Return a tool call as a block of code."""
    call = f"{name}({json.dumps(args, ensure_ascii=False, default=str)})"
    return f"```\n{call.replace('```', '` ` `')}\n```"
