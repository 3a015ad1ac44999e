"""Recorded replies as plain data, and the errors of what is none."""

from __future__ import annotations

from typing import Any

import pytest

from chatnb.cassettes.recordings import (
    Recording,
    read_call,
    recording_from_dict,
    recording_to_dict,
)
from chatnb.cassettes.yaml_file import call_yaml, head_yaml, parse_calls, parse_cassette
from chatnb.errors import CassetteError, RateLimitError, ServerError
from chatnb.schema import AIMessage, AIMessageChunk
from chatnb.schema.tool_calls import tool_call_chunk

USAGE: Any = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
PARTS: Any = [{"type": "text", "text": "a"}]
FULL = AIMessage(
    PARTS, id="r1", usage_metadata=USAGE, tool_calls=[{"name": "f", "args": {"a": 1}, "id": "c1"}]
)
PIECES = [
    AIMessageChunk("a", id="r1"),
    AIMessageChunk("", id="r1", tool_call_chunks=[tool_call_chunk(name="f", args="{", index=0)]),
    AIMessageChunk(PARTS, id="r1"),
    AIMessageChunk("bc", id="r2", usage_metadata=USAGE),
]


class Busy(RateLimitError):
    """An error that is not chatnb's own."""


@pytest.mark.parametrize(
    ("recording", "data"),
    [
        (
            Recording([AIMessage("a")], seconds=[0.0014]),
            {"replies": [{"text": "a"}], "after_ms": [1]},
        ),
        (
            Recording([FULL, AIMessage("b")], seconds=[0.0016, 2]),
            {
                "replies": [
                    {
                        "content": PARTS,
                        "id": "r1",
                        "tool_calls": [
                            {"name": "f", "args": {"a": 1}, "id": "c1", "type": "tool_call"}
                        ],
                        "usage_metadata": USAGE,
                    },
                    {"text": "b"},
                ],
                "after_ms": [2, 2000],
            },
        ),
        (
            Recording(chunks=PIECES, seconds=[0, 0.01, 0.02, 0.03], cut=True),
            {
                "stream": {
                    "text": "abc",
                    "pieces": [1, 0, 0, 2],
                    "after_ms": [0, 10, 20, 30],
                    "id": "r1",
                    "besides": [
                        {"chunk": 1, "tool_call_chunks": [{"name": "f", "args": "{", "index": 0}]},
                        {"chunk": 2, "content": PARTS},
                        {"chunk": 3, "id": "r2", "usage_metadata": USAGE},
                    ],
                    "cut": True,
                }
            },
        ),
        (
            Recording(chunks=[], seconds=[], error=ServerError("No.", status=500)),
            {
                "stream": {"text": "", "pieces": [], "after_ms": []},
                "error": {"type": "ServerError", "message": "No.", "status": 500},
            },
        ),
        (
            Recording(error=RateLimitError("Slow.", retry_after=2.5, partial=AIMessage("a"))),
            {
                "error": {
                    "type": "RateLimitError",
                    "message": "Slow.",
                    "retry_after": 2.5,
                    "partial": {"text": "a"},
                }
            },
        ),
    ],
)
def test_a_recording_is_plain_data_and_back(recording: Recording, data: dict[str, Any]) -> None:
    """Whole replies, streams that were cut, and errors; what is usual is left out."""
    written = recording_to_dict(recording)
    for error in (written.get("error", {}), data.get("error", {})):
        error.pop("hint", None)
    assert written == data
    read = recording_from_dict(data)
    assert recording_to_dict(read).get("stream") == data.get("stream")
    assert (read.replies, read.chunks) == (recording.replies, recording.chunks)
    assert (read.cut, type(read.error)) == (recording.cut, type(recording.error))


def test_an_error_of_another_package_is_the_nearest_of_chatnb_s_own() -> None:
    """Only those can be found by their name."""
    assert recording_to_dict(Recording(error=Busy("Slow.")))["error"]["type"] == "RateLimitError"


def test_a_recording_answers_whole_and_in_chunks() -> None:
    """Of several replies a stream has the first; an error has none."""
    whole = Recording([AIMessage("a"), AIMessage("b")])
    assert [chunk.text for chunk in whole.as_chunks()] == ["a"]
    assert whole.whole() == [AIMessage("a"), AIMessage("b")]
    assert whole.whole()[0] is not whole.replies[0]  # type: ignore[index]
    streamed = Recording(chunks=[AIMessageChunk("a"), AIMessageChunk("b")])
    assert streamed.whole() == [AIMessage("ab")]
    assert streamed.as_chunks()[0] is not streamed.chunks[0]  # type: ignore[index]
    assert Recording(error=ServerError("No.")).whole() == []
    assert Recording(error=ServerError("No.")).as_chunks() == []


def stream(**changes: Any) -> dict[str, Any]:
    return {"request": {}, "stream": {"text": "ab", "pieces": [1, 1], "after_ms": [0, 1]} | changes}


def error(**fields: Any) -> dict[str, Any]:
    return {"request": {}, "error": {"type": "ServerError", "message": "No.", **fields}}


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (3, "a call is a mapping, not 3"),
        ({"request": {}, "a": 1, "b": 2}, "a call has no 'a' and no 'b': its fields are request,"),
        ({"replies": []}, "it has no 'request'"),
        ({"request": {}}, "it has no 'replies'"),
        ({"request": {}, "index": "1", "replies": []}, "the index of an input is a number"),
        ({"request": {}, "index": True, "replies": []}, "the index of an input is a number"),
        ({"request": {}, "replies": [{}]}, "it has no 'content'"),
        *(
            ({"request": {}, "replies": [], "after_ms": [ms]}, "after_ms has no times of a reply")
            for ms in (-1, True, "1", 86_400_001, float("inf"))
        ),
        (stream(text=3), "text and id are no texts"),
        (stream(id=3), "text and id are no texts"),
        (stream(pieces=[3, -1]), "pieces are no lengths"),
        (stream(pieces=[True, 1]), "pieces are no lengths"),
        (stream(pieces=[1, 2]), "pieces add up to 3 characters, and text has 2"),
        (stream(after_ms=[0]), "after_ms and pieces are not of the same length"),
        (stream(pieces=[2], after_ms=[0, 1]), "after_ms and pieces are not of the same length"),
        (stream(other=1), "a stream has no 'other'"),
        (error(type="OSError"), "OSError is not an error of a model"),
        (error(type="missing"), "missing is not an error of a model"),
        (error(status="1"), "the status of an error cannot be '1'"),
        (error(hint=3), "the hint of an error cannot be 3"),
        (error(message=3), "the message of an error cannot be 3"),
        (error(retry_after="x"), "the retry_after of an error cannot be 'x'"),
        (error(other=1), "an error has no 'other'"),
        ({"request": {}, "error": 3}, "an error is a mapping, not 3"),
    ],
    ids=lambda value: f"{value!r:.50}",
)
def test_a_call_that_cannot_be_read_says_why(call: Any, problem: str) -> None:
    """The error names the file, the call and the field."""
    with pytest.raises(CassetteError) as caught:
        read_call(call, 2, "calls.yaml")
    assert str(caught.value).startswith(f"calls.yaml is damaged: call 2 cannot be read ({problem}")


def test_times_at_the_limit_are_read() -> None:
    """A day is the longest."""
    call: Any = {"request": {}, "replies": [], "after_ms": [0, 0.5, 86_400_000], "index": 0}
    assert read_call(call, 1, "calls.yaml").seconds == [0, 0.0005, 86_400]


HEAD = "chatnb_cassette: 1\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{HEAD}calls: []\na: *b\n", "line 3 has an alias"),
        (f"{HEAD}calls: {'[' * 200}\n", "is nested too deeply"),
        (f"{HEAD}calls:\n<<<<<<< mine\n", "has a conflict of version control in line 3. Keep the"),
        (f"{HEAD}recorded_at: noon\n", "its head is not a cassette's"),
        (f"{HEAD}recorded_at: 7\n", "its head is not a cassette's"),
        (f"{HEAD}varies: 7\n", "its head is not a cassette's"),
        (f"{HEAD}outputs: 7\n", "its outputs cannot be read"),
        (f"{HEAD}outputs: [7]\n", "its outputs cannot be read"),
        (f"{HEAD}outputs: [{{cell: a, outputs: []}}]\n", "its outputs cannot be read"),
        (f"{HEAD}outputs: [{{cell: true, outputs: []}}]\n", "its outputs cannot be read"),
        (f"{HEAD}outputs: [{{cell: 1, outputs: 7}}]\n", "its outputs cannot be read"),
        ("chatnb_cassette: 0\n", "its head is not a cassette's"),
        ("chatnb_cassette: 2\n", "its format is 2, and this one reads 1. Upgrade with: pip"),
        ("calls: []\n", "is not a cassette of chatnb"),
    ],
)
def test_a_file_that_is_no_cassette_says_why(text: str, said: str) -> None:
    """The error names the file, and the place if there is one."""
    with pytest.raises(CassetteError, match=r"^calls\.yaml") as caught:
        parse_cassette(text, "calls.yaml")
    assert said in str(caught.value)


def test_only_a_file_as_it_is_written_is_appended_to() -> None:
    """A comment, another field or the end of no line would be lost or broken."""
    call = call_yaml({"request": {"messages": [{"human": "Hi"}]}, "replies": []})
    text = head_yaml("m") + call
    assert parse_cassette(text, "calls.yaml").can_append
    assert parse_cassette(text, "calls.yaml").default_model == "m"
    other = text.replace("\ncalls:", "\nother: 1\ncalls:")
    assert other != text
    for changed in (f"# mine\n{text}", text.rstrip("\n"), head_yaml("m"), other):
        assert not parse_cassette(changed, "calls.yaml").can_append
    assert parse_calls(call * 2, "calls.yaml") == parse_cassette(text, "c").calls * 2
    assert parse_calls("", "calls.yaml") == []
    with pytest.raises(CassetteError, match="its last calls cannot be read"):
        parse_calls("a: 1\n", "calls.yaml")
