"""Requests of a browser to a panel, parsed from untrusted messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeAlias, TypedDict, get_args

from chatnb.notebook.attachments import Attachment
from chatnb.notebook.widgets.tool_calls import Decide, Decision
from chatnb.schema.characters import replace_surrogates

MAX_TEXT = 2_000_000
"""Characters of a message or a system prompt; more is an accident or an attack."""
_MAX_NAME = 1_000
_MAX_ID = 200
_MAX_ATTACHMENTS = 50
_MAX_TEMPERATURE = 2.0


class Settings(TypedDict, total=False):
    """The settings to change; the others stay."""

    model: str
    temperature: float | None
    system: str


@dataclass(frozen=True)
class Hello:
    """Ask for a snapshot: the browser is new."""

    type: ClassVar = "hello"


@dataclass(frozen=True)
class Resync:
    """Ask for a snapshot: the browser has missed an update."""

    type: ClassVar = "resync"


@dataclass(frozen=True)
class Subscribe:
    """Ask for what other notebooks add: a page shows the panel."""

    type: ClassVar = "subscribe"
    page: str


@dataclass(frozen=True)
class Unsubscribe:
    """Ask for it no more: the page no longer shows the panel."""

    type: ClassVar = "unsubscribe"
    page: str


@dataclass(frozen=True)
class Send:
    """Send a new message at the end of the path."""

    type: ClassVar = "send"
    text: str
    attachments: tuple[Attachment, ...] = ()
    nonce: str = ""
    variables: tuple[str, ...] = ()


@dataclass(frozen=True)
class ListVariables:
    """Ask for the notebook's variables, which may go along with a message."""

    type: ClassVar = "list_variables"


@dataclass(frozen=True)
class Stop:
    """Stop the reply that is streaming."""

    type: ClassVar = "stop"


@dataclass(frozen=True)
class Regenerate:
    """Ask for another reply as a sibling of this one."""

    type: ClassVar = "regenerate"
    id: str


@dataclass(frozen=True)
class Edit:
    """Send another message as a sibling of this one."""

    type: ClassVar = "edit"
    id: str
    text: str
    nonce: str = ""


@dataclass(frozen=True)
class SelectBranch:
    """Show the branch of this message."""

    type: ClassVar = "select_branch"
    id: str


@dataclass(frozen=True)
class Delete:
    """Delete a message and all that follows it."""

    type: ClassVar = "delete"
    id: str


@dataclass(frozen=True)
class ChangeSettings:
    """Change the settings of the conversation."""

    type: ClassVar = "change_settings"
    settings: Settings


Request: TypeAlias = (
    Hello
    | Resync
    | Subscribe
    | Unsubscribe
    | Send
    | ListVariables
    | Stop
    | Regenerate
    | Edit
    | SelectBranch
    | Delete
    | Decide
    | ChangeSettings
)
_TYPES: dict[str, type[Request]] = {request.type: request for request in get_args(Request)}


def parse_request(content: object, buffers: Sequence[Any] = ()) -> Request | None:
    """Parse a message of a browser; None for one that no front end sends."""
    match content:
        case {"type": str(name), **given} if name in _TYPES:
            names = [field.name for field in fields(_TYPES[name])]
            values = {name: _PARSERS[name](given.get(name), buffers) for name in names}
            return None if None in values.values() else _TYPES[name](**values)
        case _:
            return None


def _parse_id(value: object, _: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_ID else None


def _parse_settings(content: object, _: object) -> Settings | None:
    if not isinstance(content, dict):
        return None
    settings = Settings()
    model, system = content.get("model"), content.get("system")
    if isinstance(model, str):
        settings["model"] = _parse_string(model, _MAX_NAME).strip()
    if isinstance(system, str):
        settings["system"] = _parse_text(system)
    if "temperature" in content:
        settings["temperature"] = _parse_temperature(content["temperature"])
    return settings


def _parse_temperature(value: object) -> float | None:
    if value is None:
        return None
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else -1
    if 0 <= number <= _MAX_TEMPERATURE:
        return float(number)
    raise ValueError("The temperature is a number from 0 to 2, or empty for the model's default.")


def _parse_attachments(content: object, buffers: Sequence[Any]) -> tuple[Attachment, ...]:
    described = content if isinstance(content, list) else []
    if len(described) != len(buffers):
        raise ValueError("The attachments did not arrive whole. Attach them again.")
    if len(described) > _MAX_ATTACHMENTS:
        raise ValueError(f"At most {_MAX_ATTACHMENTS} files go with a message.")
    return tuple(
        Attachment(_parse_name(fields, "name") or "file", _parse_name(fields, "mime"), bytes(data))
        for fields, data in zip(described, buffers, strict=True)
    )


def _parse_variables(content: object, _: object) -> tuple[str, ...]:
    names = content if isinstance(content, list) else []
    return tuple(name for name in names[:_MAX_ATTACHMENTS] if _parse_id(name, None))


def _parse_text(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise ValueError(
            f"A message has at most {MAX_TEXT:,} characters; this one has {len(text):,}."
        )
    return replace_surrogates(text)


def _parse_string(value: object, max_length: int) -> str:
    return replace_surrogates(value[:max_length]) if isinstance(value, str) else ""


def _parse_name(fields: object, key: str) -> str:
    value = fields.get(key) if isinstance(fields, dict) else None
    return " ".join(_parse_string(value, _MAX_NAME).split())


# Each gets the value, None if there is none, and the buffers; None makes it no request.
_PARSERS: dict[str, Callable[[Any, Sequence[Any]], Any]] = {
    "id": _parse_id,
    "page": _parse_id,
    "call": _parse_id,
    "text": lambda value, _: _parse_text(value) if isinstance(value, str) else None,
    "nonce": lambda value, _: _parse_string(value, _MAX_ID),
    "reason": lambda value, _: _parse_string(value, MAX_TEXT),
    "decision": lambda value, _: next((name for name in get_args(Decision) if name == value), None),
    "attachments": _parse_attachments,
    "settings": _parse_settings,
    "variables": _parse_variables,
}
