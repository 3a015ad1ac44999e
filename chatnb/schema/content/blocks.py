"""Content parts of every known form, as LangChain's standard content blocks.

The forms are OpenAI's, Anthropic's, Google's, and LangChain's before and since version 1.
Source: https://docs.langchain.com/oss/python/langchain/messages
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, cast

from chatnb.schema.characters import replace_surrogates
from chatnb.schema.content.media_data import media_file
from chatnb.schema.content.parts import media_type_of
from chatnb.schema.content.reply_blocks import (
    ANTHROPIC_BLOCKS,
    OUTPUT_ITEMS,
    REPLY_READERS,
    annotations_of,
    filled_blocks,
    is_tool_result,
    read_result,
)
from chatnb.schema.merging import Content, ContentPart
from chatnb.schema.tool_calls import InvalidToolCall, ToolCall, tool_call

Block: TypeAlias = dict[str, Any]
Part: TypeAlias = Mapping[str, Any]

_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^;,]*)*?;base64,(.*)", re.DOTALL)
# Enough of a file, in base64, to tell its format.
_MAX_HEAD = 64
# The fields of media that are not extras.
_MEDIA_FIELDS = frozenset(
    {
        *("base64", "data", "extras", "file", "file_data", "file_id", "file_uri", "file_url", "id"),
        *("image_url", "index", "input_audio", "media_type", "mime_type", "source", "source_type"),
        *("text", "type", "url", "video_url"),
    }
)
_CALLS = ("tool_call", "invalid_tool_call")
_STRINGS = (
    *("base64", "file_id", "id", "mime_type", "name", "phase", "reasoning", "text"),
    *("title", "tool_call_id", "url"),
)
_REQUIRED = {
    "server_tool_call": ("id", "name", "args"),
    "server_tool_result": ("tool_call_id",),
    "text": ("text",),
    "text-plain": ("text",),
    "tool_call": ("id", "name", "args"),
}
_STANDARD = frozenset(
    {
        *("invalid_tool_call", "server_tool_call", "server_tool_call_chunk", "server_tool_result"),
        *("text-plain", "tool_call", "tool_call_chunk"),
    }
)
_AUDIO_FORMATS = {"mpeg": "mp3", "wave": "wav", "x-wav": "wav"}


def standard_blocks(part: ContentPart) -> list[Block]:
    """Return the standard blocks of a part; one of no known form is wrapped as `non_standard`."""
    if isinstance(part, str):
        return [{"type": "text", "text": part}]
    try:
        blocks = _read(part)
    except (AttributeError, LookupError, TypeError, ValueError):
        blocks = []  # A part in another form than its type has.
    if blocks and all(map(_is_well_formed, blocks)):
        return blocks
    return [{"type": "non_standard", "value": part}]


def is_known(part: Part) -> bool:
    """Return whether parts of this type are read here, if they are well-formed."""
    type_ = part.get("type")
    return isinstance(type_, str) and any(type_ in types for types in _KNOWN)


def _read(part: Block) -> list[Block]:
    type_ = str(part.get("type") or ("text" if "text" in part else None))
    if type_ == "non_standard":
        return standard_blocks(part["value"])
    if type_ in _STANDARD:
        return [part]
    if type_ in REPLY_READERS:
        return REPLY_READERS[type_](part)
    if is_tool_result(part):
        return [read_result(part)]
    read = _MEDIA_READERS.get(type_)
    block = read(part) if read else None
    return [] if block is None else [block]


def _is_well_formed(block: Block) -> bool:
    if block["type"] == "non_standard":
        return isinstance(block["value"], dict)
    extras: object = block.get("extras", {})
    if not isinstance(extras, dict):
        return False
    metadata: object = cast("Part", extras).get("metadata") or {}
    return (
        isinstance(metadata, dict)
        and isinstance(block.get("args", {}), dict)
        and all(isinstance(block.get(name), str | None) for name in _STRINGS)
        and all(name in block for name in _REQUIRED.get(block["type"], ()))
    )


class Reply(Protocol):
    """The fields of a reply that blocks are read from."""

    content: Content
    additional_kwargs: dict[str, Any]
    tool_calls: list[ToolCall]
    invalid_tool_calls: list[InvalidToolCall]

    @property
    def text(self) -> str: ...

    @property
    def reasoning(self) -> str: ...


def content_blocks(content: Content) -> list[Block]:
    """Return content as standard blocks."""
    return _blocks(_parts(content))


def reply_content_blocks(reply: Reply) -> list[Block]:
    """Return a reply as standard blocks: its content, and all that came with it."""
    blocks, calls = _blocks(_reply_parts(reply)), calls_of(reply)
    current = {call["id"]: call for call in calls}
    blocks = [_replaced(block, current) for block in blocks]
    listed = {block.get("id") for block in blocks if block["type"] in _CALLS}
    if reply.reasoning and all(block["type"] != "reasoning" for block in blocks):
        blocks.insert(0, {"type": "reasoning", "reasoning": reply.reasoning})
    return [*blocks, *(cast("Block", call) for call in calls if call["id"] not in listed)]


def calls_of(reply: Reply) -> list[ToolCall | InvalidToolCall]:
    """Return a reply's calls, also those that only its content has, as in Anthropic's form."""
    calls = [*reply.tool_calls, *reply.invalid_tool_calls]
    if isinstance(reply.content, str):
        return calls
    known = {call["id"] for call in calls}
    blocks = (block for block in _blocks(reply.content) if block["type"] == "tool_call")
    more = [tool_call(name=b["name"] or "", args=b["args"], id=b["id"]) for b in blocks]
    return [*calls, *(call for call in more if call["id"] not in known)]


def _blocks(parts: Iterable[ContentPart]) -> list[Block]:
    return [block for part in parts for block in standard_blocks(part)]


def _parts(content: Content) -> list[ContentPart]:
    return ([content] if content else []) if isinstance(content, str) else content


def _reply_parts(reply: Reply) -> Iterator[ContentPart]:
    """Yield the parts of a reply, in their order where its provider's own parts are kept."""
    kept: Sequence[Block] = reply.additional_kwargs.get(OUTPUT_ITEMS) or ()
    texts = [item for item in kept if item["type"] == "message"]
    for item in kept:
        if item["type"] == "message":
            phase = {"phase": item["phase"]} if item.get("phase") else {}
            # The only text of a reply is kept in its content alone.
            yield from ({"text": reply.text, **part, **phase} for part in item.get("content", ()))
        else:
            yield item
    blocks: Sequence[Block] = reply.additional_kwargs.get(ANTHROPIC_BLOCKS) or ()
    if blocks and isinstance(reply.content, str):
        yield from filled_blocks(blocks, reply.content)
    elif not texts:
        notes = reply.additional_kwargs.get("annotations")
        yield from _with_annotations(_parts(reply.content), notes)
    yield from reply.additional_kwargs.get("images") or ()
    audio = _audio(reply)
    if audio.get("data"):
        extras = {name: audio[name] for name in ("transcript", "expires_at") if name in audio}
        mime, data = _audio_file(audio["data"])
        yield {"type": "audio", "mime_type": mime, "base64": data, "extras": extras}


def spoken_text(reply: Reply) -> str:
    """Return the transcript of a spoken reply, which has no other text; else nothing."""
    transcript = "" if reply.text else _audio(reply).get("transcript")
    return replace_surrogates(transcript) if isinstance(transcript, str) else ""


def _audio(reply: Reply) -> Part:
    audio: object = reply.additional_kwargs.get("audio")
    return cast("Part", audio) if isinstance(audio, Mapping) else {}


def _audio_file(data: Any) -> tuple[str, Any]:
    try:
        return media_file("audio/wav", data)
    except (AttributeError, ValueError):
        return "audio/wav", data


def _with_annotations(parts: list[ContentPart], notes: object) -> list[ContentPart]:
    """Return the parts of a reply, with citations on its text if it is the only part."""
    if not notes or len(parts) != 1 or not isinstance(parts[0], str):
        return parts
    return [{"type": "text", "text": parts[0], "annotations": notes}]


def _replaced(block: Block, calls: Mapping[str | None, ToolCall | InvalidToolCall]) -> Block:
    """Return a block; for a call, as the message has it now."""
    call = calls.get(block.get("id")) if block["type"] == "tool_call" else None
    return {**block, **call} if call else block


def media_option(block: Part, name: str) -> Any:
    """Return an option of a block, beside its fields, in its extras or its metadata."""
    extras: Part = block.get("extras") or {}
    metadata: Part = extras.get("metadata") or {}
    return block.get(name) or extras.get(name) or metadata.get(name)


def data_url(block: Part) -> str | None:
    """Return the URL of a block's media: its own, or one that holds its data; None for an id."""
    if block.get("base64") and block.get("mime_type"):
        return f"data:{block['mime_type']};base64,{block['base64']}"
    return block.get("url")


def is_image(block: Part) -> bool:
    """Return whether a block is an image, also one that is given as a file."""
    return block["type"] == "image" or str(block.get("mime_type")).startswith("image/")


def audio_format(mime_type: str) -> str:
    """Return OpenAI's name of an audio format."""
    name = mime_type.partition("/")[2]
    return _AUDIO_FORMATS.get(name, name)


def file_name(block: Part) -> str | None:
    """Return the name of a file, if it has one."""
    names = (media_option(block, name) for name in ("filename", "name", "title"))
    return next((name for name in names if name), None)


def plain_text(block: Part) -> str:
    """Return a document of plain text as one text, below its title and context."""
    heading = (media_option(block, "title"), media_option(block, "context"), block.get("text"))
    return "\n\n".join(text for text in heading if text)


def decoded_text(block: Part) -> str | None:
    """Return the text of a file that is plain text, else None."""
    if not str(block.get("mime_type")).startswith("text/") or not block.get("base64"):
        return None
    return base64.b64decode(block["base64"]).decode("utf-8", "replace")


def _media(type_: str, part: Part, **source: str | None) -> Block | None:
    """Return a block of media by URL, data or id, or None without any of them."""
    data: object = source.get("base64")
    if isinstance(data, bytes):
        source["base64"] = base64.b64encode(data).decode("ascii")
    mime = source.pop("mime_type", None) or part.get("mime_type") or part.get("media_type")
    written = _DATA_URL.fullmatch(source.get("url") or source.get("base64") or "")
    if written:
        mime, source = written[1] or mime, {"base64": written[2]}
    block: Block = {"type": type_, **{name: value for name, value in source.items() if value}}
    if len(block) < 2:
        return None
    mime = mime or _sniffed(block.get("base64"))
    if mime:
        block["mime_type"] = mime
    for name in ("id", "index"):
        if part.get(name) is not None and part[name] != block.get("file_id"):
            block[name] = part[name]
    own = {k: v for k, v in part.items() if k not in _MEDIA_FIELDS and v is not None}
    extras: Part = part.get("extras") or {}
    if own or extras:
        block["extras"] = {**own, **extras}
    return block


def _sniffed(data: str | None) -> str | None:
    try:
        return media_type_of(base64.b64decode((data or "")[:_MAX_HEAD]))
    except ValueError:
        return None


def _read_text(part: Part) -> Block:
    block: Block = {"type": "text", "text": part.get("text") or ""}
    if annotations := annotations_of(part):
        block["annotations"] = annotations
    kept = ("id", "index", "extras", "cache_control", "phase")
    return block | {name: part[name] for name in kept if part.get(name) is not None}


def _read_media(part: Part) -> Block | None:
    """Read LangChain's media, or Anthropic's with a source."""
    source = part.get("source")
    if isinstance(source, Mapping):
        return _read_source(part["type"], part, cast("Part", source))
    match part.get("source_type"):
        case "id":
            return _media(part["type"], part, file_id=part.get("id"))
        case "text":
            text = part.get("text") or part.get("data") or part.get("url")
            return _text_file(part, text)
        case _:
            data = part.get("base64") or part.get("data")
            given = {"url": part.get("url"), "file_id": part.get("file_id")}
            return _media(part["type"], part, base64=data, **given)


def _read_source(type_: str, part: Part, source: Part) -> Block | None:
    match source.get("type"):
        case "text":
            return _text_file(part, source.get("data"))
        case "content":
            return _text_file(part, _joined_text(source.get("content")))
        case _:
            given = {name: source.get(name) for name in ("url", "file_id")}
            mime = source.get("media_type")
            return _media(type_, part, base64=source.get("data"), mime_type=mime, **given)


def _text_file(part: Part, text: str | None) -> Block | None:
    if text is None:
        return None
    block: Block = {"type": "text-plain", "text": text, "mime_type": "text/plain"}
    names = ("id", "index", "title", "context")
    kept = {name: part[name] for name in names if part.get(name) is not None}
    known = {*_MEDIA_FIELDS, *kept, "content"}
    extras = {**{k: v for k, v in part.items() if k not in known and v}, **part.get("extras", {})}
    return {**block, **kept, **({"extras": extras} if extras else {})}


def _joined_text(content: object) -> str | None:
    """Return the text of content that is text alone."""
    if isinstance(content, str):
        return content
    parts = cast("list[Part]", content) if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if part.get("type") == "text"]
    return "\n".join(map(str, texts)) if texts and len(texts) == len(parts) else None


def _read_document(part: Part) -> Block | None:
    source: Part = part.get("source") or {}
    return _read_source("file", part, source)


def _read_search_result(part: Part) -> Block | None:
    return _text_file(
        {**part, "extras": {"source": part.get("source")}}, _joined_text(part.get("content"))
    )


def _read_image_url(part: Part) -> Block | None:
    return _read_url("image", part, part.get("image_url"))


def _read_video_url(part: Part) -> Block | None:
    return _read_url("video", part, part.get("video_url"))


def _read_url(type_: str, part: Part, given: object) -> Block | None:
    if isinstance(given, Mapping):
        nested = cast("Part", given)
        more = {name: value for name, value in nested.items() if name != "url"}
        return _media(type_, {**part, **more}, url=nested.get("url"))
    return _media(type_, part, url=cast("str | None", given), file_id=part.get("file_id"))


def _read_audio(part: Part) -> Block | None:
    audio: Part = part.get("input_audio") or {}
    return _media("audio", part, base64=audio.get("data"), mime_type=f"audio/{audio.get('format')}")


def _read_file(part: Part) -> Block | None:
    """Read a file of OpenAI's, nested for chat completions and flat for the Responses API."""
    nested = part.get("file")
    if part["type"] == "file" and not isinstance(nested, Mapping):
        return _read_media(part)
    file = cast("Part", nested or part)
    named = {"filename": file["filename"]} if file.get("filename") else {}
    url = file.get("file_data") or file.get("file_url")
    return _media("file", {**part, **named}, url=url, file_id=file.get("file_id"))


def _read_google_media(part: Part) -> Block | None:
    family = str(part.get("mime_type")).partition("/")[0]
    type_ = family if family in ("image", "audio", "video") else "file"
    return _media(type_, part, base64=part.get("data"), url=part.get("file_uri"))


_MEDIA_READERS: Mapping[str, Callable[[Part], Block | None]] = {
    "audio": _read_media,
    "document": _read_document,
    "file": _read_file,
    "image": _read_media,
    "image_url": _read_image_url,
    "input_audio": _read_audio,
    "input_file": _read_file,
    "input_image": _read_image_url,
    "input_text": _read_text,
    "media": _read_google_media,
    "output_text": _read_text,
    "search_result": _read_search_result,
    "text": _read_text,
    "video": _read_media,
    "video_url": _read_video_url,
}
_KNOWN = (_STANDARD, REPLY_READERS, _MEDIA_READERS)
