"""The values of a run's log as JSON, and back.

What JSON does not know is written `{"__chatnb__": kind, "value": ...}`; the kinds that are read
are those of the table at the end, so a file can make data but not act. A dict of one's own that
has that key is written as one of the kinds, and comes back as it was.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import Field, fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite
from pathlib import PurePath
from typing import Any, TypeVar, cast
from uuid import UUID

from chatnb.schema.base_message import BaseMessage, at_default
from chatnb.schema.outputs import RunInfo
from chatnb.schema.prompts import ChatPromptValue, StringPromptValue
from chatnb.schema.serialization import message_from_dict, message_to_dict

_MARK = "__chatnb__"
_DEEPEST = 100
_LONGEST_INT = 4096
_TEXT_ALONE = {"content", "id"}
_MOSTLY_UNSAID = {
    "additional_kwargs",
    "id",
    "invalid_tool_calls",
    "name",
    "response_metadata",
    "tool_call_chunks",
    "tool_calls",
    "usage_metadata",
}
"""The fields of messages that are not written while nobody has set them."""
_Above = tuple[int, ...]
"""The ids of the containers that a value is in, so that one that holds itself is noticed."""
_Shaped = TypeVar("_Shaped")


class BrokenJson(ValueError):
    """Text that is not the whole of some JSON."""


def to_json(value: object) -> str:
    """Write any value as one line of JSON.

    Args:
        value: Anything; what cannot be written becomes its repr.

    Returns:
        The line, in plain ASCII.

    Example:
        >>> to_json({"a": (1, float("inf"))})
        '{"a":{"__chatnb__":"tuple","value":[1,{"__chatnb__":"float","value":"inf"}]}}'
    """
    return json.dumps(_written(value, ()), separators=(",", ":"), allow_nan=False)


def from_json(text: str | bytes) -> Any:
    """Read what `to_json` wrote.

    Args:
        text: JSON.

    Returns:
        The value.

    Raises:
        BrokenJson: If this is not JSON, or only its beginning.
        ValueError: If something in it is not as `to_json` writes it.

    Example:
        >>> from_json(to_json({1: {"a", "a"}}))
        {1: {'a'}}
    """
    try:
        return json.loads(text if isinstance(text, str) else text.decode(), object_hook=_read)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BrokenJson(f"This is not JSON: {error}") from error
    except RecursionError as error:
        raise ValueError("This JSON is nested too deeply") from error


def read_lines(lines: Iterable[str | bytes], shape: Callable[[Any], _Shaped]) -> Iterator[_Shaped]:
    """Read lines of JSON.

    Args:
        lines: The lines; empty ones are passed over, and a last one without a line end that is
            not whole is left out.
        shape: What makes of a line's value what it should be, or raises a ValueError.

    Returns:
        What `shape` made, line by line.

    Raises:
        ValueError: If a line is not JSON, or not as it should be; the message has its number.

    Example:
        >>> list(read_lines(['[1]', '[2', ], len))
        [1]
    """
    broken: ValueError | None = None
    for number, line in enumerate(lines, start=1):
        if broken is not None:
            raise broken
        if not line.strip():
            continue
        try:
            shaped = shape(from_json(line))
        except ValueError as error:
            broken = ValueError(f"Line {number}: {error}")
            broken.__cause__ = error
            if not isinstance(error, BrokenJson) or line[-1:] in ("\n", b"\n"):
                raise broken from error
        else:
            yield shaped


def _written(value: object, above: _Above) -> Any:
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return _written_int(int(value))
    if isinstance(value, float):
        return float(value) if isfinite(value) else _marked("float", float.__repr__(value))
    exact = _WRITTEN.get(type(value))
    if exact is not None:
        name, write = exact
        return _marked(name, write(value))
    if id(value) in above or len(above) >= _DEEPEST:
        return _shown(value)
    return _written_parts(value, (*above, id(value)))


def _written_int(value: int) -> Any:
    """Python refuses to write the longest ones in decimals."""
    return value if value.bit_length() <= _LONGEST_INT else _marked("int", hex(value))


def _written_parts(value: object, above: _Above) -> Any:
    """Write what has parts, or is nothing known."""
    match value:
        case dict():
            return _written_dict(cast("dict[Any, Any]", value), above)
        case list():
            return _written_items(cast("list[object]", value), above)
        case tuple():
            return _marked("tuple", _written_items(cast("Iterable[object]", value), above))
        case set():
            return _marked("set", _written_items(cast("Iterable[object]", value), above))
        case frozenset():
            return _marked("frozenset", _written_items(cast("Iterable[object]", value), above))
        case BaseMessage():
            return _written_message(value, above)
        case ChatPromptValue():
            return _marked("chat_prompt", _written(value.messages, above))
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
    if _MARK not in value and all(isinstance(key, str) for key, _ in items):
        return {key: _written(item, above) for key, item in items}
    return _marked("dict", [[_written(key, above), _written(item, above)] for key, item in items])


def _written_message(message: BaseMessage, above: _Above) -> Any:
    own = vars(message)
    if own.keys() == _TEXT_ALONE:  # As most chunks are; reading one's other fields creates them.
        return _marked("message", {"type": message.type, "data": dict(own)})
    try:
        form = message_to_dict(message)
    except ValueError:  # A class of one's own.
        return _written_dict({f.name: getattr(message, f.name) for f in fields(message)}, above)
    data: dict[str, Any] = form["data"]
    unsaid = {"type"} | {f.name for f in fields(message) if _is_unsaid(message, f)}
    told = {name: said for name, said in data.items() if name not in unsaid}
    return _marked("message", {"type": form["type"], "data": _written(told, above)})


def _is_unsaid(message: BaseMessage, field: Field[Any]) -> bool:
    return field.name in _MOSTLY_UNSAID and at_default(message, field)


def _data_of(value: object) -> dict[str, Any] | None:
    """The fields of a dataclass or a pydantic model that its repr shows; the others may be keys."""
    kind = type(value)
    declared: Any = getattr(kind, "model_fields", None)
    if is_dataclass(kind):
        shown = [field.name for field in fields(kind) if field.repr]
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


def _marked(kind: str, value: Any) -> dict[str, Any]:
    return {_MARK: kind, "value": value}


def _read(written: dict[str, Any]) -> Any:
    if _MARK not in written:
        return written
    match written:
        case {"__chatnb__": str(kind), "value": value, **beside} if kind in _READ and not beside:
            read = _READ[kind]
        case _:
            raise ValueError(f"This is no value of a log: {written!r:.200}")
    try:
        return read(value)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"This is no {kind} of a log: {value!r:.200}: {error}") from error


def _gathered(gather: Callable[[Any], Any], items: list[Any]) -> Any:
    """Put items into a set or dict; what can be in none, since it became plain data, in a list."""
    try:
        return gather(items)
    except TypeError:
        return items


_WRITTEN: dict[type, tuple[str, Callable[[Any], Any]]] = {
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
_READ: dict[str, Callable[[Any], Any]] = {
    "bytes": lambda value: b64decode(value, validate=True),
    "chat_prompt": ChatPromptValue,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "decimal": Decimal,
    "dict": lambda value: _gathered(dict, value),
    "float": float,
    "frozenset": lambda value: _gathered(frozenset, value),
    "int": lambda value: int(value, 16),
    "message": message_from_dict,
    "run_info": lambda value: RunInfo(UUID(value)),
    "set": lambda value: _gathered(set, value),
    "string_prompt": StringPromptValue,
    "time": time.fromisoformat,
    "timedelta": lambda value: timedelta(*value),
    "tuple": tuple,
    "uuid": UUID,
}
