"""Fields of payloads, one by one, and the texts of errors about payloads."""

from __future__ import annotations

from typing import Any

import pytest

from chatnb.chat_models.wire.payloads import (
    ARGUMENTS,
    INDEX,
    LABEL,
    MAX_COUNT,
    NAME,
    OBJECT,
    TEXT,
    USAGE,
    Field,
    content_of,
    fit,
    list_of,
    malformed_reply,
    object_of,
    optional,
    parse_object,
    to_count,
)
from chatnb.errors import MalformedReplyError, ModelError, RateLimitError

PARTS = {"index": INDEX}


def fitted(field: Field, value: Any) -> Any:
    return fit({"field": value, "other": value}, {"field": field})["field"]


@pytest.mark.parametrize(
    ("field", "value", "taken"),
    [
        (TEXT, "x", "x"),
        (TEXT, None, None),
        (NAME, "x", "x"),
        (NAME, 7, "7"),
        (NAME, 4.5, "4.5"),
        (INDEX, 3, 3),
        (INDEX, 3.0, 3),
        (INDEX, "3", 3),
        (ARGUMENTS, '{"a": 1}', '{"a": 1}'),
        (ARGUMENTS, {"a": "é"}, '{"a": "é"}'),
        (OBJECT, {"a": 1}, {"a": 1}),
        (LABEL, 7, "7"),
        (LABEL, [], None),
        (optional(object_of(PARTS)), {"index": "3"}, {"index": 3}),
        (optional(object_of(PARTS)), {"index": "x"}, None),
        (object_of(PARTS), {"index": "3", "x": 1}, {"index": 3, "x": 1}),
        (list_of(PARTS), [None, {"index": "3"}, {}], [{"index": 3}, {}]),
        (list_of(), [{"index": "3"}], [{"index": "3"}]),
        (content_of(PARTS), "text", "text"),
        (content_of(PARTS), {"index": "3"}, [{"index": 3}]),
        (content_of(PARTS), ["a", None, {"index": "3"}], ["a", {"index": 3}]),
        (USAGE, [], None),
        (USAGE, {}, None),
        (USAGE, [1], None),
        (
            USAGE,
            {
                "input_tokens": "3",
                "output_tokens": -1,
                "input_details": {"cached_tokens": 2.0, "more": {}},
                "output_details": 7,
                "cache_creation": "x",
                "server_tool_use": [],
                "service_tier": "flex",
            },
            {
                "input_tokens": 3,
                "output_tokens": None,
                "input_details": {"cached_tokens": 2, "more": None},
                "output_details": None,
                "cache_creation": None,
                "server_tool_use": None,
                "service_tier": "flex",
            },
        ),
    ],
)
def test_a_field_takes_what_is_clear(field: Field, value: Any, taken: Any) -> None:
    """Other values of the same meaning are converted; what can be missing is left out."""
    assert fitted(field, value) == taken
    assert type(fitted(field, value)) is type(taken)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        (TEXT, 3, "not a text: 3"),
        (NAME, True, "not a name: True"),
        (NAME, ["x"], "not a name: "),
        (INDEX, 3.5, "not an index: 3.5"),
        (INDEX, True, "not an index: True"),
        (INDEX, [], "not an index: "),
        (OBJECT, [], "not an object: "),
        (object_of(PARTS), "x", "not an object: 'x'"),
        (object_of(PARTS), {"index": {}}, "not an index: {}"),
        (list_of(), {}, "not a list: {}"),
        (list_of(), ["x"], "not an object: 'x'"),
        (list_of(PARTS), [{"index": []}], "not an index: "),
        (content_of(PARTS), 3, "not a list: 3"),
        (content_of(PARTS), [3], "not an object: 3"),
    ],
)
def test_a_field_refuses_what_is_not_clear(field: Field, value: Any, problem: str) -> None:
    """The error says what the value is not."""
    with pytest.raises(TypeError, match=problem):
        fitted(field, value)


@pytest.mark.parametrize(
    ("written", "count"),
    [
        *((0, 0), (1, 1), ("0", 0), (0.0, 0), (-1, None), (-0.5, None), ("-1", None)),
        *((MAX_COUNT - 1, MAX_COUNT - 1), (MAX_COUNT, None)),
        *((float(MAX_COUNT - 1), MAX_COUNT - 1), (float(MAX_COUNT), None), (False, None)),
    ],
)
def test_counts_have_limits(written: object, count: int | None) -> None:
    """From 0 to the largest whole number that every float holds."""
    assert to_count(written) == count


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 200 + "…"),
        ("", "an empty body"),
        ("<html><title>Login</title></html>", "a web page, Login"),
        ("<!DOCTYPE html><p>", "a web page"),
    ],
)
def test_an_unreadable_payload_is_shown_in_short(text: str, shown: str) -> None:
    """By its beginning, or by what a page is called."""
    error = malformed_reply(text, "a reply", "Try again.")
    assert str(error) == (
        f"The provider sent something that is not a reply: {shown}"
        f"{'' if shown.endswith('…') else '.'} Try again."
    )


def malformed(text: str) -> MalformedReplyError:
    return MalformedReplyError(text)


@pytest.mark.parametrize(
    ("data", "parsed"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": "\\ud83d"}', {"a": "\ud83d"}),
    ],
)
def test_objects_are_parsed_that_servers_write_oddly(data: bytes, parsed: object) -> None:
    """With a byte order mark, or half an emoji."""
    assert parse_object(malformed, data) == parsed


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (b"[]", MalformedReplyError, r"\[\]"),
        (b"7", MalformedReplyError, "7"),
        (b"nope \xff", MalformedReplyError, "nope \ufffd"),
        (b"[" * 5000 + b"\xef", MalformedReplyError, r"\[\["),
        (b'["x", {"error": {"message": "No.", "code": 429}}]', MalformedReplyError, "No"),
        (b'[{"error": {"message": "No.", "code": 429}}]', RateLimitError, "No"),
        (b'[{}, {"error": {"message": "No.", "code": 429}}]', MalformedReplyError, "No"),
    ],
)
def test_other_json_is_the_error_of_a_protocol(
    data: bytes, error: type[ModelError], text: str
) -> None:
    """But for the list of one error that Google sends."""
    with pytest.raises(error, match=text):
        parse_object(malformed, data)
