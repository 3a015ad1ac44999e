"""What a browser may ask of a panel, read from what it sends, which is never trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

LONGEST_TEXT = 2_000_000
"""Characters of a message or a system prompt; beyond that it is an accident, or an attack."""
_LONGEST_WORD = 1_000
_LONGEST_ID = 200
_MOST_ATTACHMENTS = 50
_HIGHEST_TEMPERATURE = 2.0


@dataclass(frozen=True)
class Hello:
    """A browser has come, or has missed something: it wants everything."""


@dataclass(frozen=True)
class Attached:
    """A file as the browser sent it."""

    name: str
    mime: str
    data: bytes


@dataclass(frozen=True)
class Send:
    """A new message at the end of the path."""

    text: str
    attachments: tuple[Attached, ...] = ()
    nonce: str = ""


@dataclass(frozen=True)
class Stop:
    """The reply is to end here."""


@dataclass(frozen=True)
class Regenerate:
    """Another reply in the place of this one."""

    id: str


@dataclass(frozen=True)
class Edit:
    """Another message in the place of this one."""

    id: str
    text: str
    nonce: str = ""


@dataclass(frozen=True)
class Select:
    """Show the branch that this message is on."""

    id: str


@dataclass(frozen=True)
class Delete:
    """Take away a message and what follows it."""

    id: str


@dataclass(frozen=True)
class Decide:
    """Whether a tool may be called."""

    call: str
    decision: Literal["once", "always", "reject"]
    reason: str = ""


@dataclass(frozen=True)
class Settle:
    """Other settings; what is not in `given` stays."""

    given: dict[str, Any]


Request: TypeAlias = Hello | Send | Stop | Regenerate | Edit | Select | Delete | Decide | Settle


def request_of(content: object, buffers: Sequence[Any] = ()) -> Request | None:
    """Read what a browser sent.

    Args:
        content: Any JSON value.
        buffers: The bytes of the attachments, one each.

    Returns:
        The request; None for what no panel's front end sends.

    Raises:
        ValueError: If it is a request that cannot be met, with words for the person who asks.

    Example:
        >>> request_of({"kind": "edit", "id": "a", "text": "Hi"})
        Edit(id='a', text='Hi', nonce='')
        >>> request_of({"kind": "edit", "id": 7, "text": "Hi"})
    """
    match content:
        case {"kind": "hello" | "resync"}:
            return Hello()
        case {"kind": "stop"}:
            return Stop()
        case {"kind": "send", "text": str(text), **more}:
            attached = _attached(more.get("attachments"), buffers)
            return Send(_text(text), attached, _nonce(more))
        case {"kind": "edit", "id": str(id), "text": str(text), **more} if _is_id(id):
            return Edit(id, _text(text), _nonce(more))
        case {"kind": "regenerate" | "branch" | "delete" as kind, "id": str(id)} if _is_id(id):
            return {"regenerate": Regenerate, "branch": Select, "delete": Delete}[kind](id)
        case {
            "kind": "decide",
            "call": str(call),
            "decision": "once" | "always" | "reject" as decision,
            **more,
        } if _is_id(call):
            return Decide(call, decision, _reason(more.get("reason")))
        case {"kind": "settings", **given}:
            return Settle(_settings(given))
        case _:
            return None


def _settings(content: Mapping[str, object]) -> dict[str, Any]:
    given = dict[str, Any]()
    model, system = content.get("model"), content.get("system")
    if isinstance(model, str):
        given["model"] = _clean(model[:_LONGEST_WORD]).strip()
    if isinstance(system, str):
        given["system"] = _text(system)
    if "temperature" in content:
        given["temperature"] = _temperature(content["temperature"])
    return given


def _temperature(value: object) -> float | None:
    if value is None:
        return None
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else -1
    if 0 <= number <= _HIGHEST_TEMPERATURE:
        return float(number)
    raise ValueError("The temperature is a number from 0 to 2, or empty for the model's own.")


def _nonce(content: Mapping[str, object]) -> str:
    nonce = content.get("nonce")
    return nonce[:_LONGEST_ID] if isinstance(nonce, str) else ""


def _reason(given: object) -> str:
    return _clean(given[:LONGEST_TEXT]) if isinstance(given, str) else ""


def _attached(given: object, buffers: Sequence[Any]) -> tuple[Attached, ...]:
    described = given if isinstance(given, list) else []
    if len(described) != len(buffers):
        raise ValueError("The attachments did not arrive whole. Attach them again.")
    if len(described) > _MOST_ATTACHMENTS:
        raise ValueError(f"At most {_MOST_ATTACHMENTS} files go with a message.")
    return tuple(
        Attached(_word(each, "name") or "file", _word(each, "mime"), bytes(data))
        for each, data in zip(described, buffers, strict=True)
    )


def _word(described: object, key: str) -> str:
    value = described.get(key) if isinstance(described, dict) else None
    return " ".join(_clean(value[:_LONGEST_WORD]).split()) if isinstance(value, str) else ""


def _text(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise ValueError(
            f"A message has at most {LONGEST_TEXT:,} characters; this one has {len(text):,}."
        )
    return _clean(text)


def _clean(text: str) -> str:
    """Text without halves of characters, which cannot be written to a file."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _is_id(value: str) -> bool:
    return 0 < len(value) <= _LONGEST_ID
