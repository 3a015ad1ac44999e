from __future__ import annotations

import pytest

from chatnb.schema import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, to_messages
from chatnb.schema.messages import join_chunks
from chatnb.schema.surrogates import SurrogateJoiner


def test_the_repr_shows_content_and_leaves_out_defaults() -> None:
    """A message's repr is the page's: fields that are not at their default, in order."""
    assert repr(HumanMessage("hi")) == "HumanMessage(content='hi')"
    assert repr(AIMessage("it's")) == """AIMessage(content="it's")"""
    assert (
        repr(AIMessage("hi", additional_kwargs={"a": 1}))
        == "AIMessage(content='hi', additional_kwargs={'a': 1})"
    )


def test_the_repr_leaves_out_what_only_describes_the_call() -> None:
    """Ids, usage and metadata do not clutter the repr, and still count for equality."""
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    told = AIMessage("hi", id="x", usage_metadata=usage, response_metadata={"m": 1})
    assert repr(told) == "AIMessage(content='hi')"
    assert told != AIMessage("hi")


@pytest.mark.parametrize("content", [None, 3, b"bytes"])
def test_content_must_be_text_or_parts(content: object) -> None:
    """Anything but a string or a list is refused with what it was."""
    with pytest.raises(TypeError, match="HumanMessage takes its content as a string"):
        HumanMessage(content)  # type: ignore[arg-type]


def test_unknown_fields_are_refused() -> None:
    """A misspelt field is noticed."""
    with pytest.raises(TypeError, match="contnet"):
        AIMessage("a", contnet="b")  # type: ignore[call-arg]


def test_chunks_add_up() -> None:
    """Text grows, the first id stays, the last metadata wins and nothing is doubled."""
    chunks = [
        AIMessageChunk("Hel", id="1", response_metadata={"model_name": "m"}),
        AIMessageChunk("lo", response_metadata={"model_name": "m", "finish_reason": "stop"}),
    ]
    whole = sum(chunks)
    assert whole == chunks[0] + chunks[1] == join_chunks(chunks)
    assert whole.content == "Hello"
    assert whole.id == "1"
    assert whole.response_metadata == {"model_name": "m", "finish_reason": "stop"}


def test_cumulative_usage_is_not_counted_twice() -> None:
    """A server that reports running totals with each chunk costs what the last one says."""
    reports = [
        {
            "input_tokens": 5,
            "output_tokens": n,
            "total_tokens": 5 + n,
            "input_token_details": {"cached": 2},
        }
        for n in (1, 2, 3)
    ]
    whole = join_chunks(AIMessageChunk("a", usage_metadata=report) for report in reports)
    assert whole.usage_metadata == reports[-1]


@pytest.mark.parametrize(
    ("left", "right", "whole"),
    [
        ("a", "b", "ab"),
        ([], "b", ["b"]),
        ("a", [{"type": "x"}], ["a", {"type": "x"}]),
        (["a"], ["b"], ["ab"]),
        ([{"type": "x"}], "b", [{"type": "x"}, "b"]),
    ],
)
def test_content_of_any_form_merges(left: object, right: object, whole: object) -> None:
    """Strings and lists of parts add up in every combination."""
    chunks = [AIMessageChunk(left), AIMessageChunk(right)]  # type: ignore[arg-type]
    assert (chunks[0] + chunks[1]).content == whole
    assert join_chunks(chunks).content == (chunks[0] + chunks[1]).content


def test_only_chunks_of_one_speaker_add_up() -> None:
    """A chunk plus a message is a TypeError; chunks of two speakers are a ValueError."""
    with pytest.raises(TypeError):
        AIMessageChunk("a") + AIMessage("b")  # type: ignore[operator]
    with pytest.raises(ValueError, match="'ada' and 'bob'"):
        AIMessageChunk("a", name="ada") + AIMessageChunk("b", name="bob")


def test_a_chunk_never_equals_a_message() -> None:
    """What is still growing is not what is done."""
    assert AIMessageChunk("a") != AIMessage("a")
    assert AIMessageChunk("a").to_message() == AIMessage("a")


def test_input_is_coerced_to_messages() -> None:
    """Strings, messages, pairs and dicts all become messages; messages stay the same objects."""
    human = HumanMessage("x")
    assert to_messages("x") == [human]
    assert to_messages(human)[0] is human
    assert to_messages([("system", "s"), {"role": "assistant", "content": "a"}, "x", human]) == [
        SystemMessage("s"),
        AIMessage("a"),
        human,
        human,
    ]


@pytest.mark.parametrize("value", [None, 3, ("human", "hi"), [3], [("a", "b", "c")]])
def test_other_input_is_refused_with_what_is_accepted(value: object) -> None:
    """Bad input names what a chat model takes; a top-level pair is not two messages."""
    with pytest.raises(TypeError, match="takes a string, a message, or a list"):
        to_messages(value)  # type: ignore[arg-type]


def test_an_unknown_role_lists_the_known_ones() -> None:
    """A role that does not exist is answered with those that do."""
    with pytest.raises(ValueError, match=r"'robot'.*human.*assistant"):
        to_messages([("robot", "hi")])


@pytest.mark.parametrize("cut", range(6))
def test_split_surrogate_pairs_join(cut: int) -> None:
    """An emoji written as two escapes and cut anywhere comes out whole."""
    halves = "a\ud83d\ude00b\ud83d"
    joiner = SurrogateJoiner()
    text = joiner.push(halves[:cut]) + joiner.push(halves[cut:]) + joiner.flush()
    assert text == "a😀b\N{REPLACEMENT CHARACTER}"
