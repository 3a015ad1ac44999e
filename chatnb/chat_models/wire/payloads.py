"""JSON of providers' APIs: parsed, and fitted to the types that its fields have."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

import jiter

from chatnb.chat_models.wire.error_responses import page_title, raise_error_in
from chatnb.errors import MalformedReplyError

T = TypeVar("T")

Payload: TypeAlias = Mapping[str, Any]
"""A JSON object of a provider's API."""
Malformed: TypeAlias = Callable[[str], MalformedReplyError]
"""Makes the error for a text that is not of a provider's protocol."""

MAX_COUNT = 2**53
_NESTED_COUNTS = frozenset({"cache_creation", "server_tool_use"})
# What reading a payload of wrong types may raise.
UNREADABLE = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError)


class Field(NamedTuple):
    """A field's type, and the function that converts other values to it or raises a TypeError."""

    expected: type[object] | None
    convert: Callable[[Any], Any]
    shape: Shape | None = None  # The known fields, if it is an object.


Shape: TypeAlias = Mapping[str, Field]
"""The known fields of a JSON object; others stay as they are."""


def fit(payload: dict[str, Any], shape: Shape) -> dict[str, Any]:
    """Convert the known fields of an object to their types, in place; null stays None.

    Raises:
        TypeError: If a field is of a type whose meaning is not clear.
    """
    for name, value in payload.items():
        field = shape.get(name)
        if field is None or value is None:
            continue
        expected, convert, inner = field
        if type(value) is not expected:
            payload[name] = convert(value)
        elif inner is not None:
            fit(value, inner)
    return payload


def _refuse(value: object) -> Any:
    raise TypeError(f"not a text: {value!r}")


def _name(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"not a name: {value!r}")
    return str(value)


def _index(value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        return int(value)
    raise TypeError(f"not an index: {value!r}")


def to_count(value: object) -> int | None:
    """Return a count that a server may write as a string or a float, or None for other values."""
    if type(value) is int:
        return value if 0 <= value < MAX_COUNT else None
    try:
        number = float(value) if isinstance(value, str | int | float) else -1.0
    except (ValueError, OverflowError):
        return None
    return int(number) if 0 <= number < MAX_COUNT and not isinstance(value, bool) else None


def _usage(value: object) -> dict[str, Any] | None:
    """Convert the counts of tokens, also those in nested details; None for what is no usage."""
    # No whole reply is lost for its usage; an empty object of PHP is [].
    if not value or not isinstance(value, dict):
        return None
    usage = cast("dict[str, Any]", value)
    for name, count in usage.items():
        if name.endswith("_tokens"):
            usage[name] = to_count(count)
        elif isinstance(count, dict):
            usage[name] = _usage(cast("object", count))
        elif name.endswith("_details") or name in _NESTED_COUNTS:
            usage[name] = None
    return usage


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"not an object: {value!r}")
    return cast("dict[str, Any]", value)


def items_of(value: object) -> list[Any]:
    """Return a list's items without None; raise a TypeError for other values."""
    if not isinstance(value, list):
        raise TypeError(f"not a list: {value!r}")
    return [item for item in cast("list[Any]", value) if item is not None]


def _arguments(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


TEXT = Field(str, _refuse)
"""A text; anything else is none."""
NAME = Field(str, _name)
"""A name, an id or a code, which some servers write as a number."""
INDEX = Field(int, _index)
"""A position, which some servers write as a string."""
ARGUMENTS = Field(str, _arguments)
"""JSON in a string, which some servers write as the JSON itself."""
USAGE = Field(None, _usage)
"""An object of token counts."""
OBJECT = Field(dict, _object)
"""Any object."""


def object_of(shape: Shape) -> Field:
    """Return the field of an object with known fields."""
    return Field(dict, _object, shape)


def list_of(shape: Shape | None = None) -> Field:
    """Return the field of a list of objects with known fields; None in it is left out."""

    def convert(value: object) -> list[dict[str, Any]]:
        items = items_of(value)
        for item in items:
            fit(_object(item), shape or {})
        return items

    return Field(None, convert)


def optional(field: Field) -> Field:
    """Return the field of what a reply can do without: None where its meaning is not clear."""

    def convert(value: object) -> Any:
        try:
            return fit({"value": value}, {"value": field})["value"]
        except UNREADABLE:
            return None

    return Field(None if field.shape else field.expected, convert)


LABEL = optional(NAME)
"""A name that a reply can do without."""


def content_of(part: Shape) -> Field:
    """Return the field of a content: a text, or a list of texts and parts."""

    def convert(value: object) -> list[Any]:
        if isinstance(value, dict):  # One part, without the list around it.
            value = [cast("object", value)]
        parts = items_of(value)
        return [item if isinstance(item, str) else fit(_object(item), part) for item in parts]

    return Field(str, convert)


def reads(
    shape: Shape, malformed: Malformed
) -> Callable[[Callable[[Payload], T]], Callable[[Payload], T]]:
    """Decorate a function that reads a payload, so that it raises nothing but ModelErrors.

    The function gets the payload with its fields fitted to the shape. A payload that is an error
    instead raises that error.
    """

    def decorate(read: Callable[[Payload], T]) -> Callable[[Payload], T]:
        @wraps(read)
        def checked(payload: Payload) -> T:
            raise_error_in(payload)
            try:
                return read(fit(cast("dict[str, Any]", payload), shape))
            except UNREADABLE as error:
                raise malformed(payload_text(payload)) from error

        return checked

    return decorate


def parse_object(malformed: Malformed, data: bytes) -> Payload:
    """Parse the JSON object of an event or a response; `malformed` makes the error for others."""
    try:
        parsed: object = jiter.from_json(data)
    except ValueError:
        # jiter refuses half a surrogate pair, which a server may send when it cuts an emoji in
        # two; the standard library takes it. It also refuses a byte order mark.
        text = data.decode("utf-8", "replace")
        try:
            parsed = json.loads(text.removeprefix("\ufeff"))
        except (ValueError, RecursionError) as error:
            raise malformed(text) from error
    if isinstance(parsed, dict):
        return cast("dict[str, Any]", parsed)
    if isinstance(parsed, list):
        for item in cast("list[Any]", parsed)[:1]:  # Google sends a list with one error.
            if isinstance(item, dict):
                raise_error_in(cast("Payload", item))
    raise malformed(data.decode("utf-8", "replace"))


def payload_text(payload: object) -> str:
    """Return a payload as JSON, for an error."""
    return json.dumps(payload, default=str)


def malformed_reply(text: str, expected: str, hint: str) -> MalformedReplyError:
    """Return the error for a payload that is not `expected`; it shows the payload's start."""
    title = page_title(text)
    if title is not None:
        text = f"a web page, {title}" if title else "a web page"
    start = text if len(text) <= 200 else text[:200] + "…"
    start = start or "an empty body"
    return MalformedReplyError(
        f"The provider sent something that is not {expected}: {start}", hint=hint
    )
