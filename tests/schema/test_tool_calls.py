from __future__ import annotations

import json
from typing import Any

import pytest

from chatnb.schema import AIMessage, AIMessageChunk
from chatnb.schema.messages import as_chunk, join_chunks
from chatnb.schema.tool_calls import (
    invalid_tool_call,
    is_json_object,
    parse_tool_call,
    tool_call,
    tool_call_chunk,
)

ARGS = '{"city": "Genève", "days": [1, 2], "more": {"a": null}}'


def streamed(*pieces: dict[str, Any], finish: str | None = None) -> AIMessageChunk:
    """A reply of tool-call pieces, and its end."""
    chunks = [AIMessageChunk("", tool_call_chunks=[tool_call_chunk(**piece)]) for piece in pieces]
    return join_chunks([*chunks, AIMessageChunk("", response_metadata={"finish_reason": finish})])


def test_pieces_of_one_index_are_one_call() -> None:
    """Name, id and arguments come together by index, even when calls are interleaved."""
    reply = streamed(
        {"name": "one", "args": "", "id": "c1", "index": 0},
        {"name": "two", "args": "", "id": "c2", "index": 1},
        {"args": '{"a":', "index": 0},
        {"args": '{"b":', "index": 1},
        {"args": " 1}", "index": 0},
        {"args": " 2}", "index": 1},
    )
    assert reply.tool_calls == [
        {"name": "one", "args": {"a": 1}, "id": "c1", "type": "tool_call"},
        {"name": "two", "args": {"b": 2}, "id": "c2", "type": "tool_call"},
    ]
    assert reply.to_message().tool_calls == reply.tool_calls


def test_a_new_id_starts_a_new_call() -> None:
    """Servers that number every call 0 do not have their calls glued together."""
    reply = streamed(
        {"name": "one", "args": "{}", "id": "c1", "index": 0},
        {"name": "two", "args": '{"a"', "id": "c2", "index": 0},
        {"args": ": 1}", "index": 0},
    )
    assert [(call["id"], call["args"]) for call in reply.tool_calls] == [
        ("c1", {}),
        ("c2", {"a": 1}),
    ]


def test_names_and_ids_that_are_repeated_are_not_doubled() -> None:
    """A server that says the name with every piece says it once."""
    repeated = {"name": "add", "id": "c1", "index": 0}
    reply = streamed(*({**repeated, "args": piece} for piece in ("{", '"a"', ": 1", "}")))
    assert [(call["name"], call["id"]) for call in reply.tool_calls] == [("add", "c1")]


F, G = {"name": "f"}, {"name": "g"}
ONE, TWO = {"args": '{"a": 1}'}, {"args": '{"a": 2}'}
HALVES: list[dict[str, Any]] = [{"args": '{"a"'}, {"args": ": 1}"}]
# The chunks of a stream, and the calls that they are.
GROUPED: list[tuple[list[dict[str, Any]], list[tuple[str, Any]]]] = [
    ([{**F, "id": "c1"}, *HALVES], [("f", {"a": 1})]),
    ([F, *HALVES], [("f", {"a": 1})]),
    ([{**F, "id": "c1", **half} for half in HALVES], [("f", {"a": 1})]),
    ([{**F, **half} for half in HALVES], [("f", {"a": 1})]),
    ([{**F, "id": "c1"}, *HALVES, {**G, "id": "c2"}, *HALVES], [("f", {"a": 1}), ("g", {"a": 1})]),
    ([F, *HALVES, {**G, **ONE}], [("f", {"a": 1}), ("g", {"a": 1})]),
    ([{**F, **ONE}, {**F, **TWO}], [("f", {"a": 1}), ("f", {"a": 2})]),
    ([{**F, **ONE}, {**F, **ONE}], [("f", {"a": 1}), ("f", {"a": 1})]),
    ([{**F, "args": "{}"}, {**G, "args": "{}"}], [("f", {}), ("g", {})]),
    ([{**F, **ONE, "id": "c1"}, {**F, **ONE, "id": "c2"}], [("f", {"a": 1}), ("f", {"a": 1})]),
    ([{**F, "id": "c1", "args": "{}"}, ONE], [("f", {"a": 1})]),
    ([{**F, "args": "{}"}, {**F, **ONE}], [("f", {"a": 1})]),
    ([{**F, "args": "{}"}, *HALVES], [("f", {"a": 1})]),
    ([{**F, **ONE}, {**F, "args": ""}], [("f", {"a": 1})]),
    ([{"name": "ge"}, {"name": "t"}, *HALVES], [("get", {"a": 1})]),
    (
        [
            {**F, "id": "c1"},
            {**G, "id": "c2"},
            *({**h, "id": i} for h in HALVES for i in ("c1", "c2")),
        ],
        [("f", {"a": 1}), ("g", {"a": 1})],
    ),
]


@pytest.mark.parametrize("index", [None, 0])
@pytest.mark.parametrize(("chunks", "calls"), GROUPED)
def test_chunks_without_an_index_or_with_the_same_are_sorted_into_calls(
    chunks: list[dict[str, Any]], calls: list[tuple[str, Any]], index: int | None
) -> None:
    """By ids, and by names after whole arguments; an empty object before the arguments is none."""
    reply = streamed(*({**chunk, "index": index} for chunk in chunks), finish="tool_calls")
    assert [(call["name"], call["args"]) for call in reply.tool_calls] == calls
    assert reply.invalid_tool_calls == []


@pytest.mark.parametrize("finish", ["length", "stop", "tool_calls", None])
def test_truncated_arguments_never_look_valid(finish: str | None) -> None:
    """Cut anywhere, arguments are an invalid call that keeps what came and says why."""
    for end in range(1, len(ARGS)):
        reply = streamed({"name": "f", "args": ARGS[:end], "id": "c1", "index": 0}, finish=finish)
        assert reply.tool_calls == reply.to_message().tool_calls == []
        [invalid] = reply.to_message().invalid_tool_calls
        assert (invalid["args"], invalid["id"]) == (ARGS[:end], "c1")
        assert "not whole JSON" in str(invalid["error"])


@pytest.mark.parametrize(("finish", "valid"), [("tool_calls", 1), ("length", 0), (None, 0)])
def test_no_arguments_are_valid_only_at_the_end(finish: str | None, valid: int) -> None:
    """Before the model has finished, arguments that are missing may be on their way."""
    reply = streamed({"name": "now", "args": "", "id": "c1", "index": 0}, finish=finish)
    assert (len(reply.tool_calls), len(reply.invalid_tool_calls)) == (valid, 1 - valid)


@pytest.mark.parametrize(
    ("name", "args", "error"),
    [(None, "{}", "names no tool"), ("f", "[1]", "JSON object"), ("f", "3", "JSON object")],
)
def test_what_is_no_call_says_why(name: str | None, args: str, error: str) -> None:
    """A call without a tool, or with arguments of another kind, is invalid for that reason."""
    assert error in str(parse_tool_call(name, args, "c1", finished=True).get("error"))


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        ({"name": "f"}, ValueError, "a dict with a name and args"),
        ("f()", ValueError, "a dict with a name and args"),
        ({"name": "f", "args": '{"a": 1}'}, TypeError, "belong into invalid_tool_calls"),
        ({"name": None, "args": {}}, TypeError, "name of a tool call is a string"),
    ],
)
@pytest.mark.parametrize("message_class", [AIMessage, AIMessageChunk])
def test_a_call_that_is_none_is_refused(
    message_class: type[AIMessage], call: Any, error: type[Exception], said: str
) -> None:
    """A tool call that could not be made is noticed when the message is made."""
    with pytest.raises(error, match=said):
        message_class("", tool_calls=[call])


def test_an_invalid_call_must_be_a_dict() -> None:
    """An invalid call that is not a dict is rejected."""
    with pytest.raises(ValueError, match="An invalid tool call is a dict"):
        AIMessage("", invalid_tool_calls=["f("])  # type: ignore[list-item]


def test_calls_given_whole_survive_as_chunks() -> None:
    """A message with calls, valid and not, is the same after being streamed as one chunk."""
    given = AIMessage(
        "",
        tool_calls=[tool_call(name="f", args={"a": [1, "é"]}, id="c1")],
        invalid_tool_calls=[{"name": "g", "args": "{}", "id": "c2", "error": "No such tool"}],
    )
    assert (as_chunk(given) + AIMessageChunk("")).to_message() == given
    assert json.loads(as_chunk(given).tool_call_chunks[0]["args"] or "") == {"a": [1, "é"]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", True),
        ('{"a": {"b": 1}}', True),
        ("", False),
        ("[]", False),
        ('{"a": 1', False),
        ('"a": 1}', False),
        ("{a}", False),
        ("{}{}", False),
        (f"{{{'[' * 100_000}}}", False),
    ],
    ids=lambda value: f"{value!r:.20}",
)
def test_a_json_object_is_whole(text: str, *, expected: bool) -> None:
    """A beginning of one, two of them and other JSON are none."""
    assert is_json_object(text) is expected


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"tool_calls": [3]}, ValueError, "A tool call is a dict with a name and args, not 3"),
        ({"tool_calls": [{"name": "f"}]}, ValueError, "A tool call is a dict with a name and args"),
        ({"tool_calls": [{"args": {}}]}, ValueError, "A tool call is a dict with a name and args"),
        (
            {"tool_calls": [{"name": 3, "args": {}}]},
            TypeError,
            "The name of a tool call is a string, not 3",
        ),
        (
            {"tool_calls": [{"name": "f", "args": "{}"}]},
            TypeError,
            "The arguments of a tool call are a dict, not str: '{}'; unparsed arguments belong "
            "into invalid_tool_calls",
        ),
        ({"invalid_tool_calls": [3]}, ValueError, "An invalid tool call is a dict, not 3"),
    ],
)
def test_calls_of_a_reply_are_checked(given: Any, error: type[Exception], said: str) -> None:
    """A call lacks neither name nor arguments, and its arguments are a dict."""
    with pytest.raises(error) as caught:
        AIMessage("", **given)
    assert str(caught.value).startswith(said)


def test_calls_of_a_reply_have_all_their_fields() -> None:
    """A field that is left out is None."""
    calls: Any = [{"name": "f", "args": {}}]
    invalid: Any = [{"error": "No."}]
    reply = AIMessage("", tool_calls=calls, invalid_tool_calls=invalid)
    assert reply.tool_calls == [{"name": "f", "args": {}, "id": None, "type": "tool_call"}]
    assert reply.invalid_tool_calls == [
        {"name": None, "args": None, "id": None, "error": "No.", "type": "invalid_tool_call"}
    ]


@pytest.mark.parametrize(
    ("given", "finished", "error"),
    [
        ((None, "{}"), True, "The call names no tool"),
        (("", "{}"), True, "The call names no tool"),
        (("f", None), False, "The arguments are not whole JSON: "),
        (("f", ""), False, "The arguments are not whole JSON: "),
        (("f", "[1]"), True, "The arguments are not a JSON object: [1]"),
        (("f", '{"a": 1'), True, 'The arguments are not whole JSON: {"a": 1'),
        (("f", '{"a": 1}{"b": 2}'), True, 'The arguments are not whole JSON: {"a": 1}{"b": 2}'),
        (("f", '{"a": 1} {"b'), True, 'The arguments are not whole JSON: {"a": 1} {"b'),
    ],
)
def test_a_call_that_cannot_be_made_says_why(
    given: tuple[Any, Any], *, finished: bool, error: str
) -> None:
    """Its name and arguments stay as they came."""
    name, args = given
    call = parse_tool_call(name, args, "c1", finished=finished)
    assert call == invalid_tool_call(name=name, args=args, id="c1", error=error)


@pytest.mark.parametrize("args", ['{"a": 1}{"a": 1}', '{"a": 1} {}', '```json\n{"a": 1}\n```'])
def test_repeated_arguments_are_those_of_one_call(args: str) -> None:
    """A server may send them twice, an empty object after them, or a fence around them."""
    assert parse_tool_call("f", args, None, finished=True) == tool_call(name="f", args={"a": 1})


def test_a_call_of_a_reply_becomes_a_chunk_and_back() -> None:
    """An invalid call without an error has one; chunks are numbered through."""
    reply = AIMessage(
        "",
        tool_calls=[tool_call(name="f", args={"é": 1}, id="c1")],
        invalid_tool_calls=[invalid_tool_call(name="g", args="{")],
    )
    chunk = as_chunk(reply)
    assert [(each["args"], each["index"]) for each in chunk.tool_call_chunks] == [
        ('{"é": 1}', 0),
        ("{", 1),
    ]
    assert chunk.tool_calls == reply.tool_calls
    assert [call["error"] for call in chunk.invalid_tool_calls] == ["The call is invalid"]
