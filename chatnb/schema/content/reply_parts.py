"""The parts of a reply beside its text: media, sources, and the calls of its provider's tools."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeAlias, cast
from urllib.parse import quote as percent_encoded
from urllib.parse import urlsplit

from chatnb.schema.characters import replace_surrogates
from chatnb.schema.content.blocks import (
    Block,
    Reply,
    data_url,
    reply_content_blocks,
    spoken_text,
    standard_blocks,
)
from chatnb.schema.content.media_data import media_file
from chatnb.schema.content.reply_blocks import ANTHROPIC_BLOCKS, OUTPUT_ITEMS
from chatnb.terminal import replace_control_characters

Part: TypeAlias = Mapping[str, Any]

_MEDIA = ("image", "audio", "video", "file")
# The fields of additional_kwargs that hold parts.
_FIELDS = (
    *("annotations", "audio", "citations", "images", "search_results"),
    *(OUTPUT_ITEMS, ANTHROPIC_BLOCKS),
)
_MAX_ADDRESS = 2_000
_MAX_RESULT = 20_000
_MAX_DEPTH = 20
# All that addresses are made of, except for quotation marks and what could end a link.
_IN_ADDRESSES = "%:/?#@!$&()*+,;=~[]"


class Media(NamedTuple):
    """A picture, sound, video or file, by its base64 or by its address."""

    type: str
    mime_type: str
    data: str = ""
    url: str = ""

    @property
    def size(self) -> int:
        """The number of bytes, 0 where only the address is known."""
        return len(self.data.rstrip("=")) * 3 // 4


class Source(NamedTuple):
    """A cited page or document; the address is empty for a document."""

    title: str
    url: str = ""


class ProviderCall(NamedTuple):
    """A call of a tool that the provider ran, with its result as text."""

    name: str
    args: dict[str, Any]
    result: str = ""
    failed: bool = False


class ReplyParts(NamedTuple):
    """The parts of one reply or several.

    Args:
        media: Pictures, sounds and files.
        sources: The cited sources, each once.
        calls: The calls of the provider's tools.
        transcript: The text of a spoken reply, which has no other text.
    """

    media: Sequence[Media] = ()
    sources: Sequence[Source] = ()
    calls: Sequence[ProviderCall] = ()
    transcript: str = ""


def reply_parts(reply: Reply) -> ReplyParts:
    """Return the parts of a reply beside its text.

    Example:
        >>> from chatnb.schema import AIMessage
        >>> note = {"type": "url_citation", "url": "https://example.org", "title": "Example"}
        >>> reply_parts(AIMessage("Yes.", additional_kwargs={"annotations": [note]})).sources
        (Source(title='Example', url='https://example.org'),)
    """
    kwargs = reply.additional_kwargs
    if isinstance(reply.content, str) and not any(kwargs.get(name) for name in _FIELDS):
        return ReplyParts()  # Nearly all replies.
    blocks = reply_content_blocks(reply)
    results = {b["tool_call_id"]: b for b in blocks if b["type"] == "server_tool_result"}
    drawn = (media for result in results.values() for media in _drawn(result.get("output")))
    found = (_media(block) for block in blocks if block["type"] in _MEDIA)
    sources = (*_cited(blocks), *_listed(kwargs))
    calls = (block for block in blocks if block["type"] == "server_tool_call")
    return ReplyParts(
        (*found, *drawn),
        _unique(sources),
        tuple(_call(call, results.get(call.get("id") or "")) for call in calls),
        spoken_text(reply),
    )


def joined_parts(parts: Iterable[ReplyParts]) -> ReplyParts:
    """Return the parts of several replies as those of one."""
    found = list(parts)
    return ReplyParts(
        tuple(media for some in found for media in some.media),
        _unique(source for some in found for source in some.sources),
        tuple(call for some in found for call in some.calls),
        "\n\n".join(some.transcript for some in found if some.transcript),
    )


def _unique(sources: Iterable[Source]) -> tuple[Source, ...]:
    by_address = dict[str, Source]()
    for source in sources:
        by_address.setdefault(source.url or source.title, source)
    return tuple(by_address.values())


def _media(block: Block) -> Media:
    data, mime = str(block.get("base64") or ""), str(block.get("mime_type") or "")
    if data:
        with suppress(ValueError):  # What is no base64 is named, and not shown.
            mime, data = media_file(mime, data)
    return Media(block["type"], mime, data, "" if data else _web_address(data_url(block)))


def _drawn(output: object) -> Iterator[Media]:
    """Yield the pictures and sounds in a result, as those that code has drawn."""
    for item in cast("list[object]", output) if isinstance(output, list) else ():
        blocks = standard_blocks(dict(cast("Part", item))) if isinstance(item, Mapping) else ()
        yield from (_media(block) for block in blocks if block["type"] in _MEDIA)


def _cited(blocks: Iterable[Block]) -> Iterator[Source]:
    for block in blocks:
        notes: Iterable[Part] = block.get("annotations") or ()
        for note in notes:
            yield from _source(note)


def _listed(kwargs: Part) -> Iterator[Source]:
    """Yield the sources that chat completions list beside a reply."""
    for found in (kwargs.get("search_results"), kwargs.get("citations")):
        for one in cast("list[object]", found) if isinstance(found, list) else ():
            if isinstance(one, str):
                yield from _source({"url": one})
            elif isinstance(one, Mapping):
                yield from _source(cast("Part", one))


def _source(note: Part) -> Iterator[Source]:
    url = _web_address(note.get("url"))
    names = (note.get(name) for name in ("title", "document_title", "filename"))
    titles = (_one_line(name) for name in names if isinstance(name, str))
    title = next(filter(None, titles), "")
    if url or title:
        yield Source(title or url, url)


def _one_line(text: str) -> str:
    # A page that is cited chooses its title: it could turn the text around.
    return replace_control_characters(" ".join(replace_surrogates(text).split()))


def _web_address(url: object) -> str:
    """Return an address of the web, escaped as in a browser's bar; nothing for any other."""
    if not isinstance(url, str) or len(url) > _MAX_ADDRESS:
        return ""
    try:
        scheme, host, *_ = urlsplit(url)
    except ValueError:  # Half an IPv6 address.
        return ""
    if scheme not in ("http", "https") or not host:
        return ""
    return percent_encoded(replace_surrogates(url.strip()), safe=_IN_ADDRESSES)


def _call(call: Block, result: Block | None) -> ProviderCall:
    args: dict[str, Any] = call.get("args") or {}
    shown = {name: value for name, value in args.items() if value and name != "type"}
    called = ProviderCall(call["name"] or "", shown)
    if result is None:
        return called
    extras: Part = call.get("extras") or {}
    text = _result_text(result.get("output") or extras.get("error"))[:_MAX_RESULT]
    return called._replace(result=text, failed=result.get("status") == "error")


def _result_text(output: object, depth: int = 0) -> str:
    """Write a result for people: the pages that were found, the texts, and what code printed."""
    if isinstance(output, list):
        texts = (_result_text(item, depth + 1) for item in cast("list[object]", output))
        return "\n".join(filter(None, texts)) if depth < _MAX_DEPTH else "…"
    if not isinstance(output, Mapping):
        return "" if output is None else str(output)
    found = cast("Part", output)
    if isinstance(found.get("content"), list):  # Anthropic's.
        return "\n".join(filter(None, (_printed(found), _result_text(found["content"], depth))))
    media = next((b for b in standard_blocks(dict(found)) if b["type"] in _MEDIA), None)
    if media:
        return f"[{media['type']}]"
    return _printed(found) or _found(found) or json.dumps(found, ensure_ascii=False, default=str)


def _printed(output: Part) -> str:
    texts = (output.get(name) for name in ("logs", "stdout", "stderr", "error_code"))
    return "\n".join(text.strip("\n") for text in texts if isinstance(text, str) and text)


def _found(output: Part) -> str:
    url, text = output.get("url"), output.get("text")
    fields = (output.get("filename"), output.get("title"), url, text)
    return " · ".join(" ".join(field.split()) for field in fields if isinstance(field, str))
