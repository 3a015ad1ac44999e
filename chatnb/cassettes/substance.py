"""The substance of a recorded reply: what is left without its times and random ids."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

# How a reply came: its times, and where its chunks begin.
_COURSE = frozenset({"after_ms", "pieces", "chunk"})
_IDS = frozenset({"id", "response_id", "request_id", "item_id", "system_fingerprint"})
_TIMES = frozenset({"created", "created_at", "completed_at"})
_FIRST_TIME = 1_000_000_000
_RANDOM = re.compile(r"(?=.*\d)[\w.:-]{10,}\Z")
_OUTCOMES = ("replies", "stream", "error", "response")


def reply_substance(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a call was answered with; equal for the same reply at another time.

    Example:
        >>> one = {"replies": [{"text": "Oslo", "id": "chatcmpl-8fA02b91"}], "after_ms": [512]}
        >>> reply_substance(one)
        {'replies': [{'text': 'Oslo'}]}
    """
    return {name: _reduced(call[name]) for name in _OUTCOMES if name in call}


def _reduced(value: Any) -> Any:
    if isinstance(value, list):
        return [_reduced(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value).items()
    return {name: _field(name, item) for name, item in fields if not _varies(name, item)}


def _field(name: str, value: Any) -> Any:
    if name == "args":  # The arguments of a tool are facts, also where one is named id.
        return value
    if name == "text" and isinstance(value, str) and value.startswith(("data:", "event:")):
        return [_event_line(line) for line in value.splitlines()]
    return _reduced(value)


def _event_line(line: str) -> Any:
    """Return a line of server-sent events, its JSON reduced."""
    if line.startswith("data:"):
        with suppress(ValueError):
            return _reduced(json.loads(line[len("data:") :]))
    return line


def _varies(name: str, value: Any) -> bool:
    if name in _TIMES:
        return isinstance(value, int | float) and value > _FIRST_TIME
    # A short id, or a number, is one of the replied data.
    return name in _COURSE or (name in _IDS and bool(_RANDOM.match(str(value))))
