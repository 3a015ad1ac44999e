"""Waits that responses ask for: in headers, in Google's details and in words."""

from __future__ import annotations

from typing import Any

import pytest

from chatnb.chat_models.wire.retry_after import (
    MAX_WAIT,
    seconds_to_wait,
    wait_in_retry_info,
    wait_in_text,
)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after-ms": "20"}, 0.02),
        ({"retry-after-ms": "0", "retry-after": "9"}, 0.0),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after-ms": "soon"}, None),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1m 5s"}, 65.0),
        # The three forms of dates in HTTP, which are in UTC also where they do not say so.
        ({"retry-after": "Mon, 01 Jan 2001 00:00:00 GMT"}, 0.0),
        ({"retry-after": "Mon, 01 Jan 2001 00:00:00"}, 0.0),
        ({"retry-after": "Monday, 01-Jan-01 00:00:00 GMT"}, 0.0),
        ({"retry-after": "Mon Jan  1 00:00:00 2001"}, 0.0),
        ({"retry-after": "Fri Dec 31 23:59:59 9999"}, MAX_WAIT),
        ({"retry-after": "Mon, 32 Jan 2001 00:00:00 GMT"}, None),
        # Several fields, as of a provider and of a proxy.
        ({"retry-after": "5, 9, 7"}, 9.0),
        ({"retry-after-ms": "20, 5"}, 0.02),
        ({"retry-after-ms": "20, x", "retry-after": "3, 2"}, 3.0),
        ({"retry-after": "5, soon"}, None),
        ({"retry-after": "9" * 5000}, MAX_WAIT),
    ],
)
def test_headers_have_milliseconds_or_seconds(headers: dict[str, str], wait: float | None) -> None:
    """The finer count wins if it is one."""
    assert seconds_to_wait(headers) == wait


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("28s", 28.0),
        ("28.5", 28.5),
        (28, 28.0),
        (0, 0.0),
        (True, None),
        ({"seconds": "28"}, 28.0),
        ({"seconds": 28}, 28.0),
        ({}, None),
        ([28], None),
        (None, None),
        ("x", None),
        (-3, 0.0),
        (float("nan"), None),
        (10**400, None),
        (1e9, MAX_WAIT),
    ],
)
def test_google_s_details_have_a_text_or_an_object(value: Any, wait: float | None) -> None:
    """A number in either, and nothing that is none."""
    assert wait_in_retry_info(value) == wait


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("Retry in about 2 seconds", 2.0),
        ("Please WAIT at least 1.5 minutes.", 90.0),
        ("The limit resets in 1 day, 2 hours and 3 minutes", 93_780.0),
        ("Try again in 250 milliseconds", 0.25),
        ("Try again after 1h", 3600.0),
        ("Try again in 0 s", 0.0),
        ("Available again in 7 s", 7.0),
        ("It took 7 s", None),
        ("Try again in 7", None),
        ("", None),
        (" " * 9_990 + "retry 7 s", 7.0),
        (" " * 10_000 + "retry 7 s", None),
    ],
)
def test_words_have_amounts_and_units(text: str, wait: float | None) -> None:
    """All that stand together are added; a long text is searched at its beginning."""
    expected = None if wait is None else min(wait, MAX_WAIT)
    assert wait_in_text(text) == expected
