"""Values of run logs as JSON; types that JSON lacks are tagged."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite
from pathlib import PurePath
from typing import Any, TypeVar, cast
from uuid import UUID

from chatnb.schema.chunks import AIMessageChunk, text_chunk
from chatnb.schema.message_class import is_default
from chatnb.schema.message_types import BaseMessage
from chatnb.schema.prompt_values import ChatPromptValue, StringPromptValue
from chatnb.schema.results import RunInfo
from chatnb.schema.serialization import message_from_dict, message_to_dict
from chatnb.strict_json import parse_json

# A value that JSON lacks is written {"__chatnb__": tag, "value": ...}. Only the tags of
# _READERS are read, so a file can make data but not run code. A dict that has this key itself is
# tagged as well.
_TAG = "__chatnb__"
_MAX_DEPTH = 100
_MAX_INT_BITS = 4096  # Python refuses to write much longer integers in decimals.
_TEXT_CHUNK_FIELDS = {"content", "id"}
# Fields of messages that are not written while they have their defaults.
_OMITTED_DEFAULTS = {
    "additional_kwargs",
    "id",
    "invalid_tool_calls",
    "name",
    "response_metadata",
    "tool_call_chunks",
    "tool_calls",
    "usage_metadata",
}
_Above = tuple[int, ...]  # The ids of the containers around a value, to detect cycles.
_T = TypeVar("_T")


class BrokenJson(ValueError):
    """Text that is not complete JSON."""


def to_json(value: object) -> str:
    """Return any value as one line of ASCII JSON; an unknown object becomes its repr."""
    return json.dumps(_written(value, ()), separators=(",", ":"), allow_nan=False)


def from_json(text: str | bytes) -> Any:
    """Read a value that `to_json` wrote; raise a BrokenJson for incomplete JSON."""
    try:
        return _restored(parse_json(text))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BrokenJson(f"This is not JSON: {error}") from error


# Most lines of a log are these: one operation that adds a chunk of text alone. To parse them as
# JSON takes four times as long.
_TEXT_LINE = re.compile(
    r'\{"ops":\[\{"op":"add","path":"([^"\\]*+)","value":\{"__chatnb__":"message","value":'
    r'\{"type":"AIMessageChunk","data":\{"content":"([^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+)",'
    r'"id":(?:null|"([^"\\\x00-\x1f]*+)")\}\}\}\}\],"time":"([^"\\\x00-\x1f]*+)"\}\s*',
    re.ASCII,
)


def read_text_line(line: str | bytes) -> tuple[str, AIMessageChunk, str] | None:
    """Return the path, the chunk and the time of a line that adds text alone; None for others."""
    try:
        found = _TEXT_LINE.fullmatch(line if isinstance(line, str) else line.decode())
    except UnicodeDecodeError:
        return None
    if found is None:
        return None
    path, text, id, time = found.groups()
    if "\\" in text:
        text = parse_json(f'"{text}"')
    return path, text_chunk(text, id), time


def read_lines(lines: Iterable[str | bytes], convert: Callable[[str | bytes], _T]) -> Iterator[_T]:
    """Convert lines of JSON; skip empty ones and an incomplete last one without a line end."""
    broken: ValueError | None = None
    for number, line in enumerate(lines, start=1):
        if broken is not None:
            raise broken
        if not line.strip():
            continue
        try:
            converted = convert(line)
        except ValueError as error:
            broken = ValueError(f"Line {number}: {error}")
            broken.__cause__ = error
            if not isinstance(error, BrokenJson) or line[-1:] in ("\n", b"\n"):
                raise broken from error
        else:
            yield converted


def _written(value: object, above: _Above) -> Any:
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return _written_int(int(value))
    if isinstance(value, float):
        return float(value) if isfinite(value) else _tagged("float", float.__repr__(value))
    exact = _WRITERS.get(type(value))
    if exact is not None:
        name, write = exact
        return _tagged(name, write(value))
    if id(value) in above or len(above) >= _MAX_DEPTH:
        return _shown(value)
    return _written_parts(value, (*above, id(value)))


def _written_int(value: int) -> Any:
    return value if value.bit_length() <= _MAX_INT_BITS else _tagged("int", hex(value))


def _written_parts(value: object, above: _Above) -> Any:
    """Write a container, a known object, or the repr of an unknown one."""
    match value:
        case dict():
            return _written_dict(cast("dict[Any, Any]", value), above)
        case list():
            return _written_items(cast("list[object]", value), above)
        case tuple():
            return _tagged("tuple", _written_items(cast("Iterable[object]", value), above))
        case set():
            return _tagged("set", _written_items(cast("Iterable[object]", value), above))
        case frozenset():
            return _tagged("frozenset", _written_items(cast("Iterable[object]", value), above))
        case BaseMessage():
            return _written_message(value, above)
        case ChatPromptValue():
            return _tagged("chat_prompt", _written(value.messages, above))
        case Enum():
            return _written(value.value, above)
        case BaseException():
            return {"type": type(value).__name__, "message": _text(value, str)}
        case PurePath():
            return str(value)
        case Mapping():
            return _written_dict(dict(cast("Mapping[Any, Any]", value)), above)
        case _:
            data = _data_of(value)
            return _shown(value) if data is None else _written_dict(data, above)


def _written_items(items: Iterable[object], above: _Above) -> list[Any]:
    return [_written(item, above) for item in items]


def _written_dict(value: dict[Any, Any], above: _Above) -> Any:
    items = list(value.items())
    if _TAG not in value and all(isinstance(key, str) for key, _ in items):
        return {key: _written(item, above) for key, item in items}
    return _tagged("dict", [[_written(key, above), _written(item, above)] for key, item in items])


def _written_message(message: BaseMessage, above: _Above) -> Any:
    own = vars(message)
    if own.keys() == _TEXT_CHUNK_FIELDS:  # Reading other fields would create them.
        return _tagged("message", {"type": message.type, "data": dict(own)})
    try:
        form = message_to_dict(message)
    except ValueError:  # A subclass that chatnb does not know.
        return _written_dict({f.name: getattr(message, f.name) for f in fields(message)}, above)
    data: dict[str, Any] = form["data"]
    optional = (field for field in fields(message) if field.name in _OMITTED_DEFAULTS)
    omitted = {field.name for field in optional if is_default(message, field)}
    kept = {k: value for k, value in data.items() if k != "type" and k not in omitted}
    return _tagged("message", {"type": form["type"], "data": _written(kept, above)})


def _data_of(value: object) -> dict[str, Any] | None:
    """Return the fields in the repr of a dataclass or a pydantic model; others may be secret."""
    value_class = type(value)
    declared: Any = getattr(value_class, "model_fields", None)
    if is_dataclass(value_class):
        shown = [field.name for field in fields(value_class) if field.repr]
    elif isinstance(declared, dict):
        known = cast("dict[str, Any]", declared)
        shown = [name for name, field in known.items() if getattr(field, "repr", True)]
    else:
        return None
    return {name: getattr(value, name, None) for name in shown}


def _shown(value: object) -> str:
    return _text(value, repr)


def _text(value: object, write: Callable[[object], str]) -> str:
    try:
        return write(value)
    except Exception:  # The log of a run does not break because of a class that cannot be shown.
        return f"<{type(value).__name__} that cannot be shown>"


def _tagged(tag: str, value: Any) -> dict[str, Any]:
    return {_TAG: tag, "value": value}


def _restored(value: Any) -> Any:
    """Replace the tagged dicts in a value, in place."""
    # Not by the decoder's object_hook, which is called for each dict, tagged or not.
    if type(value) is dict:
        fields = cast("dict[str, Any]", value)
        _restore_items(fields, fields.items())
        return _read(fields) if _TAG in fields else fields
    if type(value) is list:
        items = cast("list[Any]", value)
        _restore_items(items, enumerate(items))
    return cast("Any", value)


def _restore_items(holder: Any, items: Iterable[tuple[Any, Any]]) -> None:
    for key, item in items:
        if isinstance(item, dict | list):
            holder[key] = _restored(item)


def _read(written: dict[str, Any]) -> Any:
    match written:
        case {"__chatnb__": str(tag), "value": value, **rest} if tag in _READERS and not rest:
            read = _READERS[tag]
        case _:
            raise ValueError(f"This is not a value of a run log: {written!r:.200}")
    try:
        return read(value)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"This is not a {tag} of a run log: {value!r:.200}: {error}") from error


def _collected(collect: Callable[[Any], Any], items: list[Any]) -> Any:
    """Put items into a set or dict, or into a list if an item, now plain data, is not hashable."""
    try:
        return collect(items)
    except TypeError:
        return items


_WRITERS: dict[type, tuple[str, Callable[[Any], Any]]] = {
    bytearray: ("bytes", lambda value: b64encode(value).decode()),
    bytes: ("bytes", lambda value: b64encode(value).decode()),
    date: ("date", date.isoformat),
    datetime: ("datetime", datetime.isoformat),
    Decimal: ("decimal", str),
    RunInfo: ("run_info", lambda value: str(value.run_id)),
    StringPromptValue: ("string_prompt", lambda value: value.text),
    time: ("time", time.isoformat),
    timedelta: ("timedelta", lambda value: [value.days, value.seconds, value.microseconds]),
    UUID: ("uuid", str),
}
_READERS: dict[str, Callable[[Any], Any]] = {
    "bytes": lambda value: b64decode(value, validate=True),
    "chat_prompt": ChatPromptValue,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "decimal": Decimal,
    "dict": lambda value: _collected(dict, value),
    "float": float,
    "frozenset": lambda value: _collected(frozenset, value),
    "int": lambda value: int(value, 16),
    "message": message_from_dict,
    "run_info": lambda value: RunInfo(UUID(value)),
    "set": lambda value: _collected(set, value),
    "string_prompt": StringPromptValue,
    "time": time.fromisoformat,
    "timedelta": lambda value: timedelta(*value),
    "tuple": tuple,
    "uuid": UUID,
}
