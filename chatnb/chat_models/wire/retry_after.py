"""The wait before another attempt, read from the headers, body or text of an error response."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from math import isnan
from typing import Any, cast

MAX_WAIT = 86_400.0
"""The longest wait in seconds that is believed."""

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_UNIT = r"(?:ms|milliseconds?|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)"
_AMOUNT = rf"\d+(?:\.\d+)?\s*{_UNIT}\b|\d+(?:\.\d+)?(?:ms|[smhd])(?=\d)"
# Patterns are compiled with the first error: that takes longer than to import a module.
_WAIT_WORDS = (
    r"(?:try again|retry|retry again|wait|available again|resets?)(?:\s+(?:in|after|for|at least"
    rf"|about))*\s+(?P<wait>(?:(?:{_AMOUNT})(?:\s*,?\s*(?:and\s+)?))+)"
)
_AMOUNTS = rf"(\d+(?:\.\d+)?)\s*({_UNIT})"

_MAX_SEARCHED = 10_000  # Characters; the patterns' work may grow with the square of a text.


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """Return the wait that a response's headers ask for, given in milliseconds, seconds or a date.

    Example:
        >>> seconds_to_wait({"retry-after": "2"}), seconds_to_wait({"retry-after": "-1"})
        (2.0, 0.0)
    """
    wait = _longest(headers.get("retry-after-ms", ""), 0.001)
    if wait is None:
        wait = _longest(headers.get("retry-after", ""), 1.0)
    if wait is not None or "retry-after" not in headers:
        return wait
    from email.utils import parsedate_to_datetime  # It loads half a mail client.

    try:
        date = parsedate_to_datetime(headers["retry-after"])
        if date.tzinfo is None:  # As C's asctime writes it; all dates of HTTP are in UTC.
            date = date.replace(tzinfo=UTC)
        return _bounded((date - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return wait_in_text(f"retry in {headers['retry-after']}")


def wait_in_retry_info(value: object) -> float | None:
    """Return the wait of Google's RetryInfo: "28s", or an object with seconds."""
    if isinstance(value, Mapping):
        value = cast("Mapping[str, Any]", value).get("seconds")
    if isinstance(value, str):
        return wait_in_text(f"retry in {value}") or _number(value, 1.0)
    return _number(value, 1.0)


def wait_in_text(text: str) -> float | None:
    """Return the seconds that a message says to wait, as in "try again in 1m26.4s"."""
    found = re.search(_WAIT_WORDS, text[:_MAX_SEARCHED].lower())
    if not found:
        return None
    return _bounded(sum(_amounts(found["wait"])))


def _amounts(text: str) -> Iterator[float]:
    for number, unit in re.findall(_AMOUNTS, text):
        name = "ms" if unit.startswith(("ms", "milli")) else unit[0]
        yield float(number) * _UNIT_SECONDS[name]


def _longest(value: str, scale: float) -> float | None:
    """Return the longest wait of a header, whose fields are joined if there are several."""
    waits = [_number(part, scale) for part in value[:_MAX_SEARCHED].split(",")]
    return None if None in waits else max(wait for wait in waits if wait is not None)


def _number(value: object, scale: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value) * scale
    except (ValueError, OverflowError):
        return None
    return None if isnan(number) else _bounded(number)


def _bounded(seconds: float) -> float:
    return min(max(0.0, seconds), MAX_WAIT)
