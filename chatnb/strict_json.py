"""JSON of files that others may have written: of bounded depth, or a ValueError."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, cast

MAX_DEPTH = 320
"""Deeper values exhaust the stack of the functions that copy, show or write them."""


def parse_json(text: str | bytes) -> Any:
    """Parse JSON; raise a ValueError for text that is none, or is nested too deeply.

    Example:
        >>> parse_json('{"a": [1]}')
        {'a': [1]}
        >>> parse_json("[" * 100_000)
        Traceback (most recent call last):
        ValueError: it is nested too deeply
    """
    if not isinstance(text, str | bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"it is not text but {text!r:.80}")
    text = text if isinstance(text, str) else text.decode()
    try:
        value: Any = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(value)
    return value


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Parse the JSON of a dict likewise."""
    value = parse_json(text)
    if not isinstance(value, dict):
        raise ValueError(f"it is not a dict but {value!r:.80}")
    return cast("dict[str, Any]", value)


def _check_depth(value: object) -> None:
    layer = [value]
    for _ in range(MAX_DEPTH):
        layer = [item for holder in layer for item in _items(holder)]
        if not layer:
            return
    raise ValueError("it is nested too deeply")


def _items(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return cast("dict[str, object]", value).values()
    return cast("list[object]", value) if isinstance(value, list) else ()
