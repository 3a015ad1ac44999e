"""What came of a request, as plain data and back: whole replies, streams, errors."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

from chatnb import errors
from chatnb.errors import ModelError
from chatnb.schema.base_message import at_default
from chatnb.schema.messages import AIMessage, AIMessageChunk, as_chunk, join_chunks, text_chunk
from chatnb.schema.tool_calls import tool_call_chunk
from chatnb.testing.requests import plain

_OF_ERRORS = ("message", "hint", "status", "retry_after")
_OF_EVERY_STREAM = ("text", "pieces", "after_ms")
_UNSAID_OF_CHUNKS = ("content", "id", "tool_calls", "invalid_tool_calls")


@dataclass
class Take:
    """What came of a request once.

    Args:
        replies: The candidates, if the reply came whole.
        chunks: The chunks, if it was streamed.
        seconds: When the reply or each chunk came, in seconds after the one before.
        error: What went wrong, after what had come.
        cut: Whether the caller wanted no more before the stream had ended.
    """

    replies: list[AIMessage] | None = None
    chunks: list[AIMessageChunk] | None = None
    seconds: Sequence[float] = ()
    error: ModelError | None = None
    cut: bool = False

    def whole(self) -> list[AIMessage]:
        """The replies, put together if they were streamed; of an error, none."""
        if self.replies is not None:
            return copy.deepcopy(self.replies)
        return [join_chunks(self.chunks).to_message()] if self.chunks else []

    def pieces(self) -> list[AIMessageChunk]:
        """The chunks; a reply that came whole is one."""
        if self.chunks is not None:
            return copy.deepcopy(self.chunks)
        return [as_chunk(reply) for reply in copy.deepcopy(self.replies or [])[:1]]


def written_take(take: Take) -> dict[str, Any]:
    """Write what came of a request.

    Returns:
        `replies` with `after_ms`, or `stream`, and `error`.

    Example:
        >>> written_take(Take([AIMessage("Hi")], seconds=[0.25]))
        {'replies': [{'text': 'Hi'}], 'after_ms': [250]}
    """
    written: dict[str, Any] = {}
    if take.replies is not None:
        written["replies"] = [_written_message(reply) for reply in take.replies]
        written["after_ms"] = _milliseconds(take.seconds)
    if take.chunks is not None:
        written["stream"] = _written_stream(take.chunks, take.seconds)
    if take.cut:
        written["stream"]["cut"] = True
    if take.error is not None:
        written["error"] = _written_error(take.error)
    return written


def read_take(written: dict[str, Any]) -> Take:
    """Read what `written_take` gave.

    Raises:
        ValueError: If it is something else.
        TypeError: Likewise.
        LookupError: Likewise.

    Example:
        >>> read_take({"replies": [{"text": "Hi"}], "after_ms": [250]}).replies
        [AIMessage(content='Hi')]
    """
    error = _read_error(written["error"]) if "error" in written else None
    if "stream" in written:
        stream = written["stream"]
        seconds = [ms / 1000 for ms in stream["after_ms"]]
        return Take(None, _read_chunks(stream), seconds, error, bool(stream.get("cut")))
    replies = [_read_message(reply) for reply in written["replies"]] if error is None else None
    return Take(replies, None, [ms / 1000 for ms in written.get("after_ms", [])], error)


def _milliseconds(seconds: Sequence[float]) -> list[int]:
    return [round(1000 * each) for each in seconds]


def _written_message(message: AIMessage) -> dict[str, Any]:
    said: dict[str, Any] = {"text": message.content}
    if not isinstance(message.content, str):
        said = {"content": copy.deepcopy(message.content)}
    for field in fields(AIMessage):
        if field.name != "content" and not at_default(message, field):
            said[field.name] = _lossless(getattr(message, field.name))
    return said


def _read_message(written: dict[str, Any]) -> AIMessage:
    said = copy.deepcopy(written)
    content = said.pop("text") if "text" in said else said.pop("content")
    return AIMessage(content, **said)


def _written_stream(chunks: Sequence[AIMessageChunk], seconds: Sequence[float]) -> dict[str, Any]:
    """The text whole; where it was cut; and what chunks said besides it, by their place."""
    texts = [chunk.content if isinstance(chunk.content, str) else "" for chunk in chunks]
    common = next((chunk.id for chunk in chunks if chunk.id), None)
    besides = [(place, _besides(chunk, common)) for place, chunk in enumerate(chunks)]
    stream = {
        "text": "".join(texts),
        "pieces": [len(text) for text in texts],
        "after_ms": _milliseconds(seconds),
        "id": common,
        "besides": [{"chunk": place, **said} for place, said in besides if said],
    }
    return {name: value for name, value in stream.items() if value or name in _OF_EVERY_STREAM}


def _besides(chunk: AIMessageChunk, common_id: str | None) -> dict[str, Any]:
    said: dict[str, Any] = {} if chunk.id == common_id else {"id": chunk.id}
    if not isinstance(chunk.content, str):
        said["content"] = _lossless(chunk.content)
    state = chunk.__getstate__()
    for field in fields(AIMessageChunk):
        if field.name in _UNSAID_OF_CHUNKS:
            continue
        value = state.get(field.name)
        if value not in (None, {}, []):
            said[field.name] = _lossless(value)
    if "tool_call_chunks" in said:
        said["tool_call_chunks"] = [_said_of(piece) for piece in said["tool_call_chunks"]]
    return said


def _said_of(piece: dict[str, Any]) -> dict[str, Any]:
    """A piece of a tool call without what it leaves open."""
    return {k: said for k, said in piece.items() if said is not None and k != "type"}


def _read_chunks(stream: dict[str, Any]) -> list[AIMessageChunk]:
    text, start, chunks = stream["text"], 0, list[AIMessageChunk]()
    besides = {said["chunk"]: said for said in stream.get("besides", [])}
    if sum(stream["pieces"]) != len(text):
        raise ValueError(
            f"pieces add up to {sum(stream['pieces'])} characters, and text has {len(text)}"
        )
    if len(stream.get("after_ms", [])) != len(stream["pieces"]):
        raise ValueError("after_ms and pieces are not of the same length")
    for place, length in enumerate(stream["pieces"]):
        said = text[start : start + length]
        chunks.append(_read_chunk(said, stream.get("id"), besides.get(place)))
        start += length
    return chunks


def _read_chunk(text: str, id: str | None, besides: dict[str, Any] | None) -> AIMessageChunk:
    if besides is None:
        return text_chunk(text, id)
    said = {name: copy.deepcopy(value) for name, value in besides.items() if name != "chunk"}
    if "tool_call_chunks" in said:
        said["tool_call_chunks"] = [tool_call_chunk(**piece) for piece in said["tool_call_chunks"]]
    given: dict[str, Any] = {"content": text, "id": id, **said}
    return AIMessageChunk(**given)


def _written_error(error: ModelError) -> dict[str, Any]:
    said: dict[str, Any] = {"type": _kind(type(error)).__name__}
    for name in _OF_ERRORS:
        if (value := getattr(error, name)) not in (None, ""):
            said[name] = value
    if error.partial is not None:
        said["partial"] = _written_message(error.partial)
    return said


def _kind(error_class: type[ModelError]) -> type[ModelError]:
    """The nearest class of chatnb's own: others cannot be found again by their names."""
    mine = (base for base in error_class.__mro__ if vars(errors).get(base.__name__) is base)
    return cast("type[ModelError]", next(mine))


def _read_error(written: dict[str, Any]) -> ModelError:
    said = dict(written)
    kind = vars(errors).get(said.pop("type"))
    if not (isinstance(kind, type) and issubclass(kind, ModelError)):
        raise ValueError(f"{written['type']} is no error of a model")
    if "partial" in said:
        said["partial"] = _read_message(said["partial"])
    return kind(said.pop("message"), **said)


def _lossless(value: Any) -> Any:
    """Plain data as it is, with what is none written as text."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, dict):
        return {str(k): _lossless(said) for k, said in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_lossless(item) for item in cast("list[Any]", value)]
    return plain(value)
