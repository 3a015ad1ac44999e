"""Recordings of requests as plain data and back: whole replies, streams, errors."""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

from chatnb import errors
from chatnb.cassettes.http_messages import RESPONSE_FIELDS, HttpResponse, response_from_data
from chatnb.cassettes.requests import check_request, plain_data
from chatnb.cassettes.yaml_file import DAMAGED
from chatnb.errors import CassetteError, ModelError
from chatnb.schema.message_class import is_default
from chatnb.schema.messages import AIMessage, AIMessageChunk, as_chunk, join_chunks, text_chunk
from chatnb.schema.serialization import checked_message
from chatnb.schema.tool_calls import tool_call_chunk

_ERROR_FIELDS = ("message", "hint", "status", "retry_after")
_ERROR_TYPES = {"message": str, "hint": str, "status": int, "retry_after": (int, float)}
_MAX_MILLISECONDS = 86_400_000
_CALL_FIELDS = ("request", "index", "replies", "after_ms", "stream", "error", "response")
_STREAM_FIELDS = ("text", "pieces", "after_ms", "id", "besides", "cut")
_REQUIRED_STREAM_FIELDS = ("text", "pieces", "after_ms")
_DERIVED_CHUNK_FIELDS = ("content", "id", "tool_calls", "invalid_tool_calls")


@dataclass
class Recording:
    """The outcome of one request.

    Args:
        replies: The candidates of a whole reply.
        chunks: The chunks of a streamed reply.
        seconds: The time before the reply or before each chunk, in seconds.
        error: The error that ended it.
        cut: True if the caller closed the stream early.
        response: The response, if the request is one of HTTP.
    """

    replies: list[AIMessage] | None = None
    chunks: list[AIMessageChunk] | None = None
    seconds: Sequence[float] = ()
    error: ModelError | None = None
    cut: bool = False
    response: HttpResponse | None = None

    def whole(self) -> list[AIMessage]:
        """Return the replies, joined if they were streamed; none for an error."""
        if self.replies is not None:
            return copy.deepcopy(self.replies)
        return [join_chunks(self.chunks).to_message()] if self.chunks else []

    def as_chunks(self) -> list[AIMessageChunk]:
        """Return the chunks; a whole reply is one chunk."""
        if self.chunks is not None:
            return copy.deepcopy(self.chunks)
        return [as_chunk(reply) for reply in copy.deepcopy(self.replies or [])[:1]]


def recording_to_dict(recording: Recording) -> dict[str, Any]:
    """Write a recording as plain data."""
    data: dict[str, Any] = {}
    if recording.replies is not None:
        data["replies"] = [_message_to_dict(reply) for reply in recording.replies]
        data["after_ms"] = _milliseconds(recording.seconds)
    if recording.chunks is not None:
        data["stream"] = _stream_to_dict(recording.chunks, recording.seconds)
    if recording.cut:
        data["stream"]["cut"] = True
    if recording.error is not None:
        data["error"] = _error_to_dict(recording.error)
    return data


def read_call(call: Any, number: int, name: str) -> Recording:
    """Return the recording of a call in a file.

    Args:
        call: The call, as the file has it.
        number: Its number in the file, from 1.
        name: The name of the file.

    Raises:
        CassetteError: If the call is not one that can be answered and shown.
    """
    try:
        _check_fields("a call", call, _CALL_FIELDS)
        check_request(call["request"])
        if type(call.get("index", 0)) is not int:
            raise TypeError(f"the index of an input is a number, not {call['index']!r:.80}")
        return recording_from_dict(call)
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        problem = f"it has no {error}" if isinstance(error, KeyError) else f"{error!s:.200}"
        raise CassetteError(
            f"{name} is damaged: call {number} cannot be read ({problem}). {DAMAGED}"
        ) from error


def _check_fields(what: str, data: Any, known: Collection[str]) -> None:
    """Raise an error for data that is no mapping, or has a field that nothing reads."""
    if not isinstance(data, dict):
        raise TypeError(f"{what} is a mapping, not {data!r:.80}")
    unknown = [f"{name!r:.40}" for name in cast("dict[Any, Any]", data) if name not in known]
    if unknown:
        raise ValueError(
            f"{what} has no {' and no '.join(unknown)}: its fields are {', '.join(known)}"
        )


def recording_from_dict(data: dict[str, Any]) -> Recording:
    """Read the plain data of `recording_to_dict`, or a response of HTTP."""
    if "response" in data:
        _check_fields("a response", data["response"], RESPONSE_FIELDS)
        return Recording(response=response_from_data(data["response"]))
    error = _error_from_dict(data["error"]) if "error" in data else None
    if "stream" in data:
        stream = data["stream"]
        _check_fields("a stream", stream, _STREAM_FIELDS)
        seconds = _seconds(stream["after_ms"])
        return Recording(None, _chunks_from_dict(stream), seconds, error, bool(stream.get("cut")))
    replies = [_message_from_dict(reply) for reply in data["replies"]] if error is None else None
    return Recording(replies, None, _seconds(data.get("after_ms", [])), error)


def _seconds(milliseconds: list[Any]) -> list[float]:
    if not all(type(ms) in (int, float) and 0 <= ms <= _MAX_MILLISECONDS for ms in milliseconds):
        raise ValueError("after_ms has no times of a reply")
    return [ms / 1000 for ms in milliseconds]


def _milliseconds(seconds: Sequence[float]) -> list[int]:
    return [round(1000 * second) for second in seconds]


def _message_to_dict(message: AIMessage) -> dict[str, Any]:
    data: dict[str, Any] = {"text": message.content}
    if not isinstance(message.content, str):
        data = {"content": copy.deepcopy(message.content)}
    for field in fields(AIMessage):
        if field.name != "content" and not is_default(message, field):
            data[field.name] = _lossless(getattr(message, field.name))
    return data


def _message_from_dict(data: dict[str, Any]) -> AIMessage:
    values = copy.deepcopy(data)
    content = values.pop("text") if "text" in values else values.pop("content")
    return checked_message(AIMessage(content, **values))


def _stream_to_dict(chunks: Sequence[AIMessageChunk], seconds: Sequence[float]) -> dict[str, Any]:
    """Write the whole text, the lengths of its pieces, and other fields of chunks by index."""
    texts = [chunk.content if isinstance(chunk.content, str) else "" for chunk in chunks]
    common = next((chunk.id for chunk in chunks if chunk.id), None)
    besides = [(index, _other_fields(chunk, common)) for index, chunk in enumerate(chunks)]
    stream = {
        "text": "".join(texts),
        "pieces": [len(text) for text in texts],
        "after_ms": _milliseconds(seconds),
        "id": common,
        "besides": [{"chunk": index, **fields} for index, fields in besides if fields],
    }
    return {
        name: value for name, value in stream.items() if value or name in _REQUIRED_STREAM_FIELDS
    }


def _other_fields(chunk: AIMessageChunk, common_id: str | None) -> dict[str, Any]:
    data: dict[str, Any] = {} if chunk.id == common_id else {"id": chunk.id}
    if not isinstance(chunk.content, str):
        data["content"] = _lossless(chunk.content)
    state = chunk.__getstate__()
    for field in fields(AIMessageChunk):
        if field.name in _DERIVED_CHUNK_FIELDS:
            continue
        value = state.get(field.name)
        if value not in (None, {}, []):
            data[field.name] = _lossless(value)
    if "tool_call_chunks" in data:
        data["tool_call_chunks"] = [
            {name: item for name, item in call.items() if item is not None and name != "type"}
            for call in data["tool_call_chunks"]
        ]
    return data


def _chunks_from_dict(stream: dict[str, Any]) -> list[AIMessageChunk]:
    text, start, chunks = stream["text"], 0, list[AIMessageChunk]()
    besides = {data["chunk"]: data for data in stream.get("besides", [])}
    if not all(type(length) is int and length >= 0 for length in stream["pieces"]):
        raise ValueError("pieces are no lengths")
    if not isinstance(text, str) or not isinstance(stream.get("id"), str | None):
        raise ValueError("text and id are no texts")
    if sum(stream["pieces"]) != len(text):
        raise ValueError(
            f"pieces add up to {sum(stream['pieces'])} characters, and text has {len(text)}"
        )
    if len(stream.get("after_ms", [])) != len(stream["pieces"]):
        raise ValueError("after_ms and pieces are not of the same length")
    for index, length in enumerate(stream["pieces"]):
        piece = text[start : start + length]
        chunks.append(_chunk_from_dict(piece, stream.get("id"), besides.get(index)))
        start += length
    return chunks


def _chunk_from_dict(text: str, id: str | None, besides: dict[str, Any] | None) -> AIMessageChunk:
    if besides is None:
        return text_chunk(text, id)
    values = {name: copy.deepcopy(value) for name, value in besides.items() if name != "chunk"}
    if calls := values.get("tool_call_chunks"):
        values["tool_call_chunks"] = [tool_call_chunk(**call) for call in calls]
    fields: dict[str, Any] = {"content": text, "id": id, **values}
    return checked_message(AIMessageChunk(**fields))


def _error_to_dict(error: ModelError) -> dict[str, Any]:
    data: dict[str, Any] = {"type": _own_error_class(type(error)).__name__}
    for name in _ERROR_FIELDS:
        if (value := getattr(error, name)) not in (None, ""):
            data[name] = value
    if error.partial is not None:
        data["partial"] = _message_to_dict(error.partial)
    return data


def _own_error_class(error_class: type[ModelError]) -> type[ModelError]:
    """Return the nearest class of chatnb's own: others cannot be found by their names."""
    own = (base for base in error_class.__mro__ if vars(errors).get(base.__name__) is base)
    return cast("type[ModelError]", next(own))


def _error_from_dict(data: dict[str, Any]) -> ModelError:
    _check_fields("an error", data, ("type", *_ERROR_FIELDS, "partial"))
    values = dict(data)
    error_class = vars(errors).get(values.pop("type"))
    if not (isinstance(error_class, type) and issubclass(error_class, ModelError)):
        raise ValueError(f"{data['type']} is not an error of a model")
    if "partial" in values:
        values["partial"] = _message_from_dict(values["partial"])
    for name, type_ in _ERROR_TYPES.items():
        if name in values and not isinstance(values[name], type_):
            raise ValueError(f"the {name} of an error cannot be {values[name]!r:.80}")
    return error_class(values.pop("message"), **values)


def _lossless(value: Any) -> Any:
    """Return plain data as it is; other values as text."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, dict):
        return {str(name): _lossless(item) for name, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_lossless(item) for item in cast("list[Any]", value)]
    return plain_data(value)
