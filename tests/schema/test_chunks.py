from __future__ import annotations

import copy
import json
import pickle
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from chatnb.schema import (
    AIMessage,
    AIMessageChunk,
    BaseMessageChunk,
    ChatMessage,
    ChatMessageChunk,
    FunctionMessage,
    FunctionMessageChunk,
    HumanMessage,
    HumanMessageChunk,
    SystemMessage,
    SystemMessageChunk,
    ToolMessage,
    ToolMessageChunk,
)
from chatnb.schema.messages import as_chunk, join_chunks
from chatnb.schema.tool_calls import tool_call_chunk
from tests.support.call_counting import calls_during
from tests.support.message_strategies import message, pieces_of


class Piece(str):
    """Text that must not be copied by concatenation."""

    def __add__(self, other: str) -> str:
        raise AssertionError("copied")

    __radd__ = __add__


KINDS: list[tuple[type[BaseMessageChunk], Any, dict[str, str]]] = [
    (AIMessageChunk, AIMessage, {}),
    (HumanMessageChunk, HumanMessage, {}),
    (SystemMessageChunk, SystemMessage, {}),
    (FunctionMessageChunk, FunctionMessage, {"name": "add"}),
    (ToolMessageChunk, ToolMessage, {"tool_call_id": "c1"}),
    (ChatMessageChunk, ChatMessage, {"role": "critic"}),
]


@pytest.mark.parametrize(("chunk_class", "message_class", "fields"), KINDS)
def test_each_kind_of_message_has_chunks(
    chunk_class: Any, message_class: Any, fields: dict[str, str]
) -> None:
    """Chunks of every kind add up, say so in their type, and grow to their kind of message."""
    whole = sum([chunk_class("Hel", **fields), chunk_class("lo", **fields)])
    assert whole == chunk_class("Hello", **fields)
    assert (whole.type, isinstance(whole, message_class)) == (chunk_class.__name__, True)
    assert whole.to_message() == message_class("Hello", **fields)
    assert as_chunk(message_class("Hello", **fields)) == whole


def test_the_left_class_wins() -> None:
    """A sum is what its left side is."""
    assert type(HumanMessageChunk("a") + AIMessageChunk("b")) is HumanMessageChunk
    assert type(AIMessageChunk("a") + HumanMessageChunk("b")) is AIMessageChunk


def test_nothing_is_lost_silently_between_kinds() -> None:
    """A field that the left class lacks raises an error with its name."""
    calling = AIMessageChunk("", tool_call_chunks=[tool_call_chunk(name="add")])
    with pytest.raises(ValueError, match=r"AIMessageChunk with tool_call_chunks .*HumanMessage"):
        HumanMessageChunk("a") + calling


@pytest.mark.parametrize("other", [AIMessage("b"), "b", 1, None, [AIMessageChunk("b")]])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_chunk_plus_anything_else_is_refused(other: Any, side: str) -> None:
    """Only chunks add to chunks, on either side."""
    with pytest.raises(TypeError, match=r"unsupported operand|only concatenate"):
        AIMessageChunk("a") + other if side == "left" else other + AIMessageChunk("a")


@pytest.mark.parametrize(
    ("left", "right", "said"),
    [
        (ChatMessageChunk("a", role="x"), ChatMessageChunk("b", role="y"), "roles.*'x' and 'y'"),
        (AIMessageChunk("a", name="x"), AIMessageChunk("b", name="y"), "speakers.*'x' and 'y'"),
        (
            ToolMessageChunk("a", tool_call_id="x"),
            ToolMessageChunk("b", tool_call_id="y"),
            "tool calls.*'x' and 'y'",
        ),
    ],
)
def test_different_speakers_do_not_add_up(
    left: BaseMessageChunk, right: BaseMessageChunk, said: str
) -> None:
    """Chunks of different roles, names or calls are refused at once, with both."""
    with pytest.raises(ValueError, match=said):
        left + right


def test_a_tool_that_failed_halfway_failed() -> None:
    """The status of a sum is the worse one, and its artifact the later one."""
    left = ToolMessageChunk("a", tool_call_id="c1", status="error", artifact=1)
    whole = left + ToolMessageChunk("b", tool_call_id="c1", artifact=2)
    assert (whole.status, whole.artifact) == ("error", 2)


def test_a_subclass_keeps_its_own_fields() -> None:
    """A field that a subclass adds survives a sum."""
    from dataclasses import dataclass, field

    @dataclass(repr=False)
    class Rated(AIMessageChunk):
        stars: int | None = field(default=None, kw_only=True)

    whole = Rated("a", stars=3) + Rated("b")
    assert (type(whole), whole.content, whole.stars) == (Rated, "ab", 3)


@pytest.mark.parametrize(
    ("left", "right", "whole"),
    [
        ({"a": "x"}, {"a": "y", "b": "z"}, {"a": "xy", "b": "z"}),
        ({"a": {"b": "x"}}, {"a": {"b": "y"}}, {"a": {"b": "xy"}}),
        ({"n": 1}, {"n": 2}, {"n": 2}),
        ({"a": "x"}, {"a": None}, {"a": "x"}),
        ({"a": "x"}, {"a": 3}, {"a": 3}),
        ({"a": [1]}, {"a": [2]}, {"a": [1, 2]}),
        (
            {"a": [{"index": 0, "t": "x"}]},
            {"a": [{"index": 0, "t": "y"}]},
            {"a": [{"index": 0, "t": "xy"}]},
        ),
        (
            {"function_call": {"name": "f", "arguments": "{"}},
            {"function_call": {"name": "f", "arguments": "}"}},
            {"function_call": {"name": "f", "arguments": "{}"}},
        ),
        ({"name": "get_"}, {"name": "time"}, {"name": "get_time"}),
        ({"type": "function", "id": "1"}, {"type": "function", "id": "1"}, None),
    ],
)
def test_additional_fields_merge(left: Any, right: Any, whole: Any) -> None:
    """Text grows, dicts and lists merge, numbers are replaced, and nothing is doubled."""
    chunks = [AIMessageChunk("", additional_kwargs=said) for said in (left, right)]
    assert (chunks[0] + chunks[1]).additional_kwargs == (whole or left)
    assert (chunks[0].additional_kwargs, chunks[1].additional_kwargs) == (left, right)


def test_repeated_metadata_is_not_doubled_and_logprobs_add_up() -> None:
    """`stop` twice stays `stop`; the probabilities of all tokens are there."""
    pieces = [
        {"finish_reason": "stop", "model_name": "m", "n": 1, "logprobs": {"content": [token]}}
        for token in ("a", "b", "c")
    ]
    whole = join_chunks(AIMessageChunk("x", response_metadata=said) for said in pieces)
    assert whole.response_metadata == {**pieces[0], "logprobs": {"content": ["a", "b", "c"]}}


@pytest.mark.parametrize(
    ("part", "reasoning"),
    [
        ({"type": "reasoning", "reasoning": "Hm."}, "Hm."),
        ({"type": "thinking", "thinking": "Hm.", "signature": "s"}, "Hm."),
        ({"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}, "Hm."),
        ({"type": "redacted_thinking", "data": "x"}, ""),
        ({"type": "reasoning", "reasoning": None}, ""),
    ],
)
def test_reasoning_is_read_from_content(part: dict[str, Any], reasoning: str) -> None:
    """Reasoning in a content part of any provider's form is the reasoning of the message, too."""
    content = [part, {"type": "text", "text": "Hi"}]
    assert AIMessage(content).reasoning == AIMessageChunk(content).reasoning == reasoning


def test_reasoning_grows() -> None:
    """Reasoning arrives in chunks too, and is a property of the whole."""
    pieces = ["Let me", " think", "."]
    whole = sum(AIMessageChunk("", additional_kwargs={"reasoning_content": p}) for p in pieces)
    assert whole.reasoning == whole.to_message().reasoning == "Let me think."
    assert AIMessage("Hi").reasoning == ""


def test_content_parts_of_one_index_merge() -> None:
    """Parts that a provider streams in pieces become one part each."""
    pieces = [[{"type": "text", "text": text, "index": 0}] for text in ("Hel", "lo")]
    whole = AIMessageChunk(pieces[0]) + AIMessageChunk(pieces[1]) + AIMessageChunk(["!"])
    assert whole.content == [{"type": "text", "text": "Hello", "index": 0}, "!"]


def test_a_sum_is_not_changed_by_what_happens_to_its_parts() -> None:
    """Chunks that were added may be changed afterwards, and a sum may be added to twice."""
    first, second = AIMessageChunk("a", additional_kwargs={"k": "x"}), AIMessageChunk("b")
    whole = first + second
    first.content, first.additional_kwargs["k"] = "changed", "changed"
    ends = [whole + AIMessageChunk(end) for end in ("1", "2")]
    assert [end.content for end in ends] == ["ab1", "ab2"]
    assert (whole.content, whole.additional_kwargs) == ("ab", {"k": "x"})


def test_a_sum_can_be_changed_before_it_is_read() -> None:
    """An assigned field keeps its value, also in further sums."""
    whole = AIMessageChunk("a", additional_kwargs={"k": "x"}) + AIMessageChunk("b")
    whole.content = "c"
    assert (whole + AIMessageChunk("d")).content == "cd"
    assert (whole.content, whole.additional_kwargs) == ("c", {"k": "x"})


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, replace])
def test_a_sum_can_be_copied(twin: Callable[[Any], Any]) -> None:
    """A sum that was not read yet is copied whole, and pickled too."""
    whole = AIMessageChunk("a", id="1") + AIMessageChunk("b")
    assert twin(whole) == AIMessageChunk("ab", id="1")
    assert pickle.loads(pickle.dumps(AIMessageChunk("a") + AIMessageChunk("b"))).content == "ab"


def test_a_chunk_has_no_attributes_beyond_its_fields() -> None:
    """Reading lazily does not make up attributes."""
    with pytest.raises(AttributeError, match="'AIMessageChunk' object has no attribute 'contnet'"):
        getattr(AIMessageChunk("a") + AIMessageChunk("b"), "contnet")  # noqa: B009


@pytest.mark.slow
def test_adding_sixteen_thousand_chunks_copies_no_text() -> None:
    """`full = full + chunk` concatenates nothing; reading joins once; each sum costs the same."""
    chunks = [AIMessageChunk(Piece("word ")) for _ in range(16_000)]

    def add(some: list[AIMessageChunk]) -> AIMessageChunk:
        full = AIMessageChunk("")
        for chunk in some:
            full = full + chunk
        return full

    few = sum(calls_during(lambda: add(chunks[:1_000])).values())
    many = sum(calls_during(lambda: add(chunks)).values())
    assert many < 16.5 * few
    reading = calls_during(lambda: [add(chunks).content for _ in range(1)])
    assert reading["_split_content"] == 1
    assert add(chunks).content == "word " * 16_000


def test_tool_arguments_are_parsed_once_when_they_are_read() -> None:
    """2,000 deltas of arguments cost one parse, and copy no text on the way."""
    text = json.dumps({"text": "x" * 8_000})
    size = len(text) // 2_000 + 1
    deltas = [text[start : start + size] for start in range(0, len(text), size)]

    def add() -> AIMessageChunk:
        full = AIMessageChunk("")
        for delta in deltas:
            piece = tool_call_chunk(name="f", args=Piece(delta), id="c1", index=0)
            full = full + AIMessageChunk("", tool_call_chunks=[piece])
        return full

    assert "loads" not in calls_during(add)
    full = add()
    reads = calls_during(lambda: [full.tool_calls, full.invalid_tool_calls, full.tool_calls])
    assert (reads["loads"], reads["join_tool_call_chunks"]) == (1, 1)
    assert full.tool_calls[0]["args"] == {"text": "x" * 8_000}


def test_any_message_cut_anywhere_adds_up_in_any_order_of_brackets() -> None:
    """Whole messages of every kind survive being streamed, however the sums are bracketed."""
    for seed in range(120):
        given = message(seed)
        whole = as_chunk(given)
        is_reply = isinstance(given, AIMessage)
        no_calls: Any = {"tool_calls": [], "invalid_tool_calls": []} if is_reply else {}
        texts = (
            pieces_of(given.content, seed) if isinstance(given.content, str) else [given.content]
        )
        chunks: list[Any] = [replace(whole, content=texts[0])]
        bare = as_chunk(replace(given, additional_kwargs={}, **no_calls))
        chunks += [replace(bare, content=text) for text in texts[1:]]
        chance = random.Random(seed)
        while len(chunks) > 1:
            place = chance.randrange(len(chunks) - 1)
            chunks[place : place + 2] = [chunks[place] + chunks[place + 1]]
        total = replace(chunks[0], response_metadata={"finish_reason": "tool_calls"}).to_message()
        assert replace(total, response_metadata={}) == given


def test_joining_is_adding_up() -> None:
    """Texts are joined at once, between chunks of other fields, and keep the first id."""
    texts = [AIMessageChunk(letter, id=id) for letter, id in (("a", None), ("b", "1"), ("c", "2"))]
    more = AIMessageChunk("d", response_metadata={"finish_reason": "stop"})
    for chunks in (texts, [*texts, more], [more, *texts], [*texts, more, *texts], texts[:1]):
        assert join_chunks(chunks) == sum(chunks)
        assert [chunk.content for chunk in texts] == ["a", "b", "c"]


def test_sums_of_one_beginning_do_not_mix() -> None:
    """Sums that share a left side hold only their own chunks, also when threads add at once."""
    start = sum([AIMessageChunk("a", id="c"), AIMessageChunk("b", id="c")])
    kept = [start + AIMessageChunk(text, id="c") for text in "xy"]
    assert [chunk.content for chunk in kept] == ["abx", "aby"]

    def grow(text: str) -> str:
        full = start
        for _ in range(2_000):
            full = full + AIMessageChunk(text, id="c")
        return full.text

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(grow, "12345678")) == ["ab" + n * 2_000 for n in "12345678"]
    assert start.content == "ab"


def test_what_is_set_on_a_sum_counts() -> None:
    """Content that somebody replaces before it was read is what the next chunk is added to."""
    total = sum([AIMessageChunk("a", id="c"), AIMessageChunk("b", id="c")])
    total.content = "z"
    assert (total + AIMessageChunk("c", id="c")).content == "zc"


def test_standard_blocks_of_a_chunk_have_its_pieces_of_calls() -> None:
    """As they came, beside the text."""
    piece = tool_call_chunk(name="f", args='{"a":', id="1", index=0)
    chunk = AIMessageChunk("Hi", tool_call_chunks=[piece])
    assert chunk.content_blocks == [{"type": "text", "text": "Hi"}, piece]
