from __future__ import annotations

import copy
from typing import Any

import pytest

from chatnb.schema import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    filter_messages,
    merge_message_runs,
)

CALLS: Any = [{"name": "f", "args": {}, "id": id} for id in ("c1", "c2")]
TALK: list[BaseMessage] = [
    SystemMessage("s", id="1"),
    HumanMessage("h", name="ada", id="2"),
    AIMessage("", tool_calls=CALLS, id="3"),
    ToolMessage("t1", tool_call_id="c1", id="4"),
    ToolMessage("t2", tool_call_id="c2", id="5"),
    AIMessage("a", name="bot", id="6"),
]


@pytest.mark.parametrize(
    ("criteria", "ids"),
    [
        ({}, "123456"),
        ({"include_types": "human"}, "2"),
        ({"include_types": ["human", AIMessage]}, "236"),
        ({"include_types": BaseMessage, "exclude_types": [ToolMessage]}, "1236"),
        ({"include_names": ["ada"], "include_ids": ["1"]}, "12"),
        ({"exclude_names": ["ada", "bot"]}, "1345"),
        ({"exclude_ids": ["1", "6"]}, "2345"),
        ({"include_types": "ai", "exclude_ids": ["3"]}, "6"),
        ({"include_ids": []}, ""),
        ({"exclude_tool_calls": True}, "126"),
        ({"exclude_tool_calls": ["c1"]}, "12356"),
        ({"exclude_tool_calls": ["c1", "c2"]}, "126"),
    ],
)
def test_messages_are_filtered(criteria: dict[str, Any], ids: str) -> None:
    """Messages that an include matches and no exclude does are kept, in order."""
    assert "".join(str(m.id) for m in filter_messages(TALK, **criteria)) == ids


def test_a_message_loses_only_the_calls_that_are_excluded() -> None:
    """The message with the other calls is a copy; the one given keeps them all."""
    before = copy.deepcopy(TALK)
    kept = filter_messages(TALK, exclude_tool_calls=["c1"], include_types=AIMessage)[0]
    assert isinstance(kept, AIMessage)
    assert [call["id"] for call in kept.tool_calls] == ["c2"]
    assert before == TALK


def test_chunks_count_as_their_kind_and_lose_calls_too() -> None:
    """A sum of chunks is filtered like the message that it is."""
    chunk = AIMessageChunk("x", tool_calls=CALLS)
    [kept] = filter_messages([chunk], include_types="ai", exclude_tool_calls=["c1"])
    assert [call["id"] for call in kept.tool_calls] == ["c2"]  # type: ignore[attr-defined]


def test_a_kind_must_be_a_type_or_a_class() -> None:
    """Anything else is refused with what was given."""
    with pytest.raises(TypeError, match="'human' or a class, not 3"):
        filter_messages(TALK, include_types=[3])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="or a class, not <class 'int'>"):
        filter_messages(TALK, exclude_types=int)  # type: ignore[arg-type]


IMAGE: dict[str, Any] = {"type": "image_url", "image_url": {"url": "u"}}


@pytest.mark.parametrize(
    ("given", "merged"),
    [
        ([], []),
        ([HumanMessage("a"), HumanMessage("b")], [HumanMessage("a\nb")]),
        ([HumanMessage(""), HumanMessage("b")], [HumanMessage("b")]),
        ([HumanMessage(["a"]), HumanMessage("b")], [HumanMessage(["a\nb"])]),
        ([HumanMessage([IMAGE]), HumanMessage("b")], [HumanMessage([IMAGE, "b"])]),
        (
            [SystemMessage("s"), HumanMessage("a"), AIMessage("b"), AIMessage("c")],
            [SystemMessage("s"), HumanMessage("a"), AIMessage("b\nc")],
        ),
        (
            [ChatMessage("a", role="x"), ChatMessage("b", role="x"), ChatMessage("c", role="y")],
            [ChatMessage("a\nb", role="x"), ChatMessage("c", role="y")],
        ),
    ],
)
def test_runs_of_one_speaker_merge(given: list[BaseMessage], merged: list[BaseMessage]) -> None:
    """Text that follows text is separated by a line; other speakers stay apart."""
    before = copy.deepcopy(given)
    assert merge_message_runs(given) == merged
    assert given == before


@pytest.mark.parametrize(
    "given",
    [
        [HumanMessage("a", name="ada"), HumanMessage("b", name="bob")],
        [ToolMessage("a", tool_call_id="1"), ToolMessage("b", tool_call_id="1")],
        [FunctionMessage("a", name="f"), FunctionMessage("b", name="f")],
        [AIMessage("a"), AIMessageChunk("b")],
    ],
)
def test_what_is_not_one_speech_stays_apart(given: list[BaseMessage]) -> None:
    """Two names, answers to calls, and a message beside a chunk are not merged."""
    assert merge_message_runs(given) == given


def test_merged_replies_keep_calls_and_costs() -> None:
    """Tool calls follow one another, costs add up, and the first id stays."""
    usage: Any = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    given = [AIMessage("a", tool_calls=[c], usage_metadata=usage, id=c["id"]) for c in CALLS]
    [merged] = merge_message_runs(given, chunk_separator=" ")
    assert merged == AIMessage(
        "a a",
        tool_calls=CALLS,
        id="c1",
        usage_metadata={"input_tokens": 2, "output_tokens": 4, "total_tokens": 6},
    )


def test_a_kind_that_does_not_exist_is_refused() -> None:
    """A misspelt type does not silently keep nothing."""
    with pytest.raises(ValueError, match=r"'humann'.*human"):
        filter_messages([HumanMessage("Hi")], include_types=["humann"])


def test_short_forms_of_messages_are_taken_too() -> None:
    """Pairs and dicts are messages here as everywhere."""
    assert filter_messages([("human", "Hi"), ("ai", "Ho")], include_types="ai") == [AIMessage("Ho")]
    assert merge_message_runs([("human", "a"), {"role": "user", "content": "b"}]) == [
        HumanMessage("a\nb")
    ]


ITEMS: list[Any] = [
    {"type": type, "id": id}
    for id in ("c1", "c2")
    for type in ("tool_use", "tool_call", "function", "invalid_tool_call")
]


def test_excluded_calls_leave_content_and_a_provider_s_items() -> None:
    """They are told by their call's id, or their own; other parts and fields stay."""
    item: Any = {"type": "function_call", "id": "i", "call_id": "c1"}
    text: Any = {"type": "text", "text": "a", "id": "c1"}
    broken: Any = {"name": "g", "args": "{", "id": "c3", "error": "No."}
    given = AIMessage(
        ["a", text, *ITEMS],
        tool_calls=CALLS,
        invalid_tool_calls=[broken],
        additional_kwargs={"output_items": [item, "x", *ITEMS], "other": 3},
    )
    [kept] = filter_messages([given], exclude_tool_calls=["c1"])
    assert isinstance(kept, AIMessage)
    assert (kept.tool_calls, kept.invalid_tool_calls) == (
        given.tool_calls[1:],
        [broken | given.invalid_tool_calls[0]],
    )
    assert kept.content == ["a", text, *ITEMS[4:]]
    assert kept.additional_kwargs == {"output_items": ["x", *ITEMS[4:]], "other": 3}
    [only_invalid] = filter_messages([given], exclude_tool_calls=["c1", "c2"])
    assert isinstance(only_invalid, AIMessage)
    assert (only_invalid.tool_calls, len(only_invalid.invalid_tool_calls)) == ([], 1)
    assert filter_messages([given], exclude_tool_calls=["c1", "c2", "c3"]) == []
    assert filter_messages([given], exclude_tool_calls=True) == []
    assert filter_messages([given], exclude_tool_calls=["c4"])[0] is given


def test_results_without_their_call_are_left_out() -> None:
    """A call may be valid, invalid or of the older form; a result comes after it."""
    broken: Any = {"name": "g", "args": "{", "id": "c3", "error": "No."}
    talk: list[BaseMessage] = [
        ToolMessage("early", tool_call_id="c1"),
        AIMessage("", tool_calls=CALLS[:1], invalid_tool_calls=[broken]),
        ToolMessage("a", tool_call_id="c1"),
        ToolMessage("b", tool_call_id="c3"),
        ToolMessage("none", tool_call_id="c2"),
        FunctionMessage("none", name="f"),
        AIMessage("", additional_kwargs={"function_call": {"name": "f", "arguments": ""}}),
        FunctionMessage("c", name="f"),
    ]
    assert [m.text for m in filter_messages(talk)] == ["", "a", "b", "", "c"]


def test_a_run_keeps_the_first_id_and_the_last_metadata() -> None:
    """Texts are joined, other fields merged, and a run of chunks is one with the calls of all."""
    first = AIMessage("a", response_metadata={"m": 1}, additional_kwargs={"refusal": "x", "k": 1})
    second = AIMessage("b", id="r2", response_metadata={"m": 2}, additional_kwargs={"refusal": "y"})
    [merged] = merge_message_runs([first, second, AIMessage("c", id="r3")])
    assert merged == AIMessage(
        "a\nb\nc", id="r2", additional_kwargs={"refusal": "xy", "k": 1}, response_metadata={}
    )
    broken: Any = {"name": "g", "args": "{", "id": "c3", "error": "No."}
    chunks = [
        AIMessageChunk("a", tool_calls=CALLS[:1]),
        AIMessageChunk("b", tool_calls=CALLS[1:], invalid_tool_calls=[broken]),
    ]
    [chunk] = merge_message_runs(chunks)
    assert isinstance(chunk, AIMessageChunk)
    assert (chunk.text, [call["id"] for call in chunk.tool_calls]) == ("a\nb", ["c1", "c2"])
    assert [call["id"] for call in chunk.invalid_tool_calls] == ["c3"]
    alone = HumanMessage("a")
    assert merge_message_runs([alone])[0] is alone
