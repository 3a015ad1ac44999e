"""The differences of two versions of a cassette, and the text of a request without a reply."""

from __future__ import annotations

from typing import Any

import pytest

from chatnb.cassettes.differences import (
    CallChange,
    compare_calls,
    difference_lines,
    reply_substance,
)
from chatnb.cassettes.ignored_parts import IgnoredParts
from chatnb.cassettes.misses import miss_message, nearest_request, noted_misses, take_miss
from chatnb.errors import CassetteError, ConfigurationError


def request(prompt: str) -> dict[str, Any]:
    return {"model": "M", "messages": [{"human": prompt}]}


def call(prompt: str, reply: str = "a", **more: Any) -> dict[str, Any]:
    return {"request": request(prompt), "replies": [{"text": reply, **more}]}


def changes(old: str, new: str) -> list[tuple[str, int, str, str]]:
    """Compare calls whose prompts are small letters, with the replies after them."""

    def calls(written: str) -> list[dict[str, Any]]:
        return [call(each[0], each[1:]) for each in written.split()]

    def shown(one: Any) -> str:
        return one["request"]["messages"][0]["human"] + one["replies"][0]["text"] if one else ""

    found = compare_calls(calls(old), calls(new))
    return [(change, number, shown(before), shown(now)) for change, number, before, now in found]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", []),
        ("a1 b1", "b1 a1", [("same", 1, "b1", "b1"), ("same", 2, "a1", "a1")]),
        ("a1 b1", "a1 b2", [("same", 1, "a1", "a1"), ("reply", 2, "b1", "b2")]),
        ("a1", "a1 a2", [("same", 1, "a1", "a1"), ("added", 2, "", "a2")]),
        ("a1 a2", "a2", [("reply", 1, "a1", "a2"), ("removed", 2, "a2", "")]),
        (
            "a1 b1 c1",
            "a1 x1 c1",
            [("same", 1, "a1", "a1"), ("request", 2, "b1", "x1"), ("same", 3, "c1", "c1")],
        ),
        (
            "a1 b1 c1",
            "x1 y1 c1 z1",
            [
                ("request", 1, "a1", "x1"),
                ("request", 2, "b1", "y1"),
                ("same", 3, "c1", "c1"),
                ("added", 4, "", "z1"),
            ],
        ),
        (
            "a1 b1 c1",
            "c1 x1",
            [
                ("same", 1, "c1", "c1"),
                ("added", 2, "", "x1"),
                ("removed", 1, "a1", ""),
                ("removed", 2, "b1", ""),
            ],
        ),
    ],
)
def test_calls_are_compared_by_their_requests(old: str, new: str, expected: Any) -> None:
    """Equal ones in order; a changed one stands in for that between the same neighbours."""
    assert changes(old, new) == expected


def test_changes_are_shown_to_people() -> None:
    """First how many there are, then each with its lines; the same is not shown."""
    assert [*difference_lines([])] == ["no calls"]
    same = CallChange("same", 1, call("a"), call("a"))
    assert [*difference_lines([same])] == ["1 the same"]
    shown = [
        *difference_lines(
            [
                same,
                CallChange("reply", 2, call("b", "1"), call("b", "2")),
                CallChange("added", 3, None, call("c")),
                CallChange("removed", 4, call("d"), None),
            ]
        )
    ]
    assert shown[0] == "1 the same, 1 with another reply, 1 added, 1 removed"
    assert [line for line in shown if line.startswith("Call")] == [
        "Call 2 has another reply:",
        "Call 3 was added:",
        "Call 4 was removed:",
    ]
    changed, added, removed = (shown.index(line) for line in shown if line.startswith("Call"))
    assert shown[changed - 1] == shown[added - 1] == shown[removed - 1] == ""
    assert [line for line in shown[changed:added] if line[:1] in "+-"][:2] == [
        line for line in shown[changed:added] if line.startswith(("+ ", "- "))
    ][:2]
    assert all(line.startswith("+ ") for line in shown[added + 1 : removed - 1])
    assert all(line.startswith("- ") for line in shown[removed + 1 :])


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({"text": "a", "id": "chatcmpl-8fA02b91"}, {"text": "a"}),
        ({"id": "short"}, {"id": "short"}),
        ({"id": "abcdefghijkl"}, {"id": "abcdefghijkl"}),
        ({"id": "run 1234567890"}, {"id": "run 1234567890"}),
        ({"created": 1_700_000_000, "created_at": 1_700_000_000.5}, {}),
        ({"created": 1_000_000_000, "completed_at": "soon"}, None),
        ({"system_fingerprint": "fp_0123456789"}, {}),
        ({"args": {"id": "chatcmpl-8fA02b91"}}, None),
        ({"a": [{"item_id": "msg_0123456789", "n": 1}]}, {"a": [{"n": 1}]}),
        ({"after_ms": [1], "pieces": [2], "chunk": 3}, {}),
    ],
)
def test_times_and_random_ids_are_no_part_of_a_reply(fields: Any, left: Any) -> None:
    """Short ids, dates and the arguments of tools are."""
    expected = fields if left is None else left
    assert reply_substance({"replies": [fields]}) == {"replies": [expected]}


def test_only_outcomes_are_the_substance_of_a_call() -> None:
    """Events of a stream are compared by their data."""
    text = 'data: {"id": "chatcmpl-8fA02b91", "a": 1}\n\ndata: [DONE]\n\n'
    found = reply_substance({"request": {}, "after_ms": [1], "response": {"text": text}})
    assert found == {"response": {"text": [{"a": 1}, "", "data: [DONE]", ""]}}


def test_a_miss_shows_the_nearest_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines that differ with those around them; without any recording the request alone."""
    monkeypatch.delenv("CHATNB_RECORD_COMMAND", raising=False)
    recorded = [request("Capital of France?"), request("Tell me a joke.")]
    asked = request("Tell me a yoke.")
    assert nearest_request(asked, recorded) is recorded[1]
    assert nearest_request(asked, []) is None
    first, *lines, last = miss_message("a.yaml", asked, recorded).splitlines()
    assert first == (
        "a.yaml has no reply to this request. The nearest that it has differs (- recorded):"
    )
    assert [line for line in lines if line[0] in "+-"] == [
        "- - human: Tell me a joke.",
        "+ - human: Tell me a yoke.",
    ]
    assert last == ("To record what is missing: set CHATNB_CASSETTE_MODE=record and run it again.")
    monkeypatch.setenv("CHATNB_RECORD_COMMAND", "make it")
    alone = miss_message("a.yaml", asked, []).splitlines()
    assert alone[0] == "a.yaml has no reply to this request; it holds none at all."
    assert all(line.startswith("+ ") for line in alone[1:-1])
    assert alone[-1] == "To record what is missing: make it"


def test_the_first_miss_is_noted_until_it_is_taken() -> None:
    """Errors of other kinds are not; all are raised."""
    take_miss()
    for error in (ValueError("other"), CassetteError("first"), CassetteError("second")):
        with pytest.raises(type(error)), noted_misses():
            raise error
    assert take_miss() == "CassetteError: first"
    assert take_miss() == ""


def test_what_is_ignored_is_a_list() -> None:
    """A text alone would be taken letter by letter."""
    with pytest.raises(ConfigurationError, match=r"^ignore is a list of texts: ignore=\['a'\]$"):
        IgnoredParts("a")
    empty: dict[str, Any] = {"a": {}}
    assert IgnoredParts([]).without(empty) is empty
