"""The parts of replies as outputs of a notebook: pictures, sounds, and Markdown for the rest."""

from __future__ import annotations

from collections.abc import Iterable

from chatnb.markdown.media import is_shown, media_mimebundle
from chatnb.markdown.mimebundle import Mimebundle
from chatnb.schema.content.markdown import media_name, parts_paragraphs
from chatnb.schema.content.reply_parts import Media, ReplyParts

MAX_MEDIA_BYTES = 5 * 1024 * 1024
"""The most bytes of one reply's media that are shown, and kept in a notebook file."""

_NOT_SHOWN = "*Not shown here: `content_blocks` of the message has it.*"


def shown_media(parts: ReplyParts) -> list[Media]:
    """Return the media that are shown: of types that are safe, as many as fit."""
    shown, budget = list[Media](), MAX_MEDIA_BYTES
    for media in parts.media:
        if is_shown(media.mime_type, media.data) and media.size <= budget:
            budget -= media.size
            shown.append(media)
    return shown


def media_outputs(shown: Iterable[Media]) -> list[Mimebundle]:
    """Return media as outputs of their own."""
    return [media_mimebundle(one.mime_type, one.data, media_name(one)) for one in shown]


def rest_markdown(parts: ReplyParts, *, shows_media: bool = True) -> str:
    """Write the parts that are not shown as media: transcript, names, and sources as links."""
    shown = {id(media) for media in shown_media(parts)} if shows_media else set[int]()
    rest = [media for media in parts.media if id(media) not in shown]
    paragraphs = parts_paragraphs(parts._replace(media=rest))
    if any(media.data for media in rest):
        paragraphs.append(_NOT_SHOWN)
    return "\n\n".join(paragraphs)
