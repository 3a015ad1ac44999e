from __future__ import annotations

import copy
from typing import Any

import pytest

from chatnb.schema import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    count_tokens_approximately,
    trim_messages,
)

TALK: list[BaseMessage] = [
    SystemMessage("sys"),
    HumanMessage("h1"),
    AIMessage("a1"),
    HumanMessage("h2"),
    AIMessage("a2"),
    HumanMessage("h3"),
]


def letters(messages: list[BaseMessage]) -> int:
    return sum(len(message.text) for message in messages)


def letters_of_one(message: BaseMessage) -> int:
    return len(message.text)


def texts(messages: list[BaseMessage]) -> str:
    return " ".join(message.text for message in messages)


@pytest.mark.parametrize(
    ("most", "how", "kept"),
    [
        (10, {}, "sys h1 a1 h2 a2 h3"),
        (2, {}, "a2 h3"),
        (0, {}, ""),
        (2, {"strategy": "first"}, "sys h1"),
        (0, {"strategy": "first"}, ""),
        (4, {"strategy": "first", "end_on": "human"}, "sys h1 a1 h2"),
        (3, {"strategy": "first", "end_on": "human"}, "sys h1"),
        (3, {"strategy": "first", "end_on": ToolMessage}, ""),
        (2, {"include_system": True}, "sys h3"),
        (3, {"include_system": True, "start_on": "human"}, "sys h3"),
        (4, {"include_system": True, "start_on": "human"}, "sys h2 a2 h3"),
        (2, {"start_on": "human"}, "h3"),
        (3, {"start_on": ["system", HumanMessage]}, "h2 a2 h3"),
        (2, {"start_on": ToolMessage}, ""),
        (2, {"end_on": "ai"}, "h2 a2"),
        (2, {"end_on": ["ai"], "include_system": True}, "sys a2"),
        (6, {"end_on": ToolMessage}, ""),
    ],
)
def test_messages_are_cut_to_a_number(most: int, how: dict[str, Any], kept: str) -> None:
    """`len` counts messages; the ends, the starts and the system message are as asked for."""
    before = copy.deepcopy(TALK)
    assert texts(trim_messages(TALK, max_tokens=most, token_counter=len, **how)) == kept
    assert before == TALK


@pytest.mark.parametrize("strategy", ["first", "last"])
@pytest.mark.parametrize("allow_partial", [True, False])
@pytest.mark.parametrize("most", range(16))
def test_the_result_never_exceeds_the_limit_and_leaves_no_room(
    most: int, strategy: Any, allow_partial: bool
) -> None:
    """The kept messages fit, are a run of the conversation, and are the longest that fits."""
    kept = trim_messages(
        TALK,
        max_tokens=most,
        token_counter=letters,
        strategy=strategy,
        allow_partial=allow_partial,
        text_splitter=list,
    )
    assert letters(kept) <= most
    whole = "".join(message.text for message in TALK)
    said = "".join(message.text for message in kept)
    assert whole.startswith(said) if strategy == "first" else whole.endswith(said)
    if allow_partial:
        assert len(said) == min(most, len(whole))


@pytest.mark.parametrize(
    ("how", "content"),
    [
        ({"strategy": "first"}, "one\ntwo\n"),
        ({"strategy": "last"}, "two\nend"),
        ({"strategy": "first", "text_splitter": list}, "one\ntwo\n"),
        ({"strategy": "last", "text_splitter": str.split}, "twoend"),
    ],
)
def test_a_part_of_a_message_is_whole_lines(how: dict[str, Any], content: str) -> None:
    """Partial messages are cut between lines, or where the splitter says."""
    given = [HumanMessage("one\ntwo\nend", name="ada")]
    kept = trim_messages(given, max_tokens=8, token_counter=letters, allow_partial=True, **how)
    assert kept == [HumanMessage(content, name="ada")]


def test_parts_of_content_are_cut_too() -> None:
    """Of a list of parts, whole parts go first and then lines of text."""
    image = {"type": "image_url", "image_url": {"url": "u"}}
    given = [HumanMessage([{"type": "text", "text": "a\nb\n"}, image, "c\nd"])]
    first = trim_messages(
        given, max_tokens=6, token_counter=letters, strategy="first", allow_partial=True
    )
    assert first == [HumanMessage([{"type": "text", "text": "a\nb\n"}, image, "c\n"])]
    last = trim_messages(given, max_tokens=5, token_counter=letters, allow_partial=True)
    assert last == [HumanMessage([{"type": "text", "text": "b\n"}, image, "c\nd"])]


def test_tokens_are_counted_in_several_ways() -> None:
    """A function of one message, one of a list, a model, and an estimate all count."""

    class Model:
        def get_num_tokens_from_messages(self, messages: list[BaseMessage]) -> int:
            return letters(messages)

    counters: list[Any] = [letters, letters_of_one, Model()]
    kept = [trim_messages(TALK, max_tokens=5, token_counter=counter) for counter in counters]
    assert [texts(messages) for messages in kept] == ["a2 h3"] * 3
    assert texts(trim_messages(TALK, max_tokens=8, token_counter="approximate")) == "a2 h3"
    assert count_tokens_approximately(TALK[4:]) == 8


def test_counting_is_quick_for_long_conversations() -> None:
    """The counter is called a few times, not once a message."""
    calls = list[int]()

    def count(messages: list[BaseMessage]) -> int:
        calls.append(len(messages))
        return len(messages)

    trim_messages([HumanMessage("x")] * 10_000, max_tokens=77, token_counter=count)
    assert len(calls) < 20


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ({"strategy": "middle"}, ValueError, "'first' or 'last', not 'middle'"),
        ({"strategy": "first", "include_system": True}, ValueError, "only go with the strategy"),
        ({"strategy": "first", "start_on": "human"}, ValueError, "only go with the strategy"),
        ({"max_tokens": -1}, ValueError, "0 or more, not -1"),
        ({"max_tokens": 2, "include_system": True}, ValueError, "takes 3 of 2 tokens"),
        ({"token_counter": 3}, TypeError, "A token counter is a function .* not 3"),
        ({"start_on": 3}, TypeError, "'human' or a class, not 3"),
    ],
)
def test_what_does_not_go_together_is_refused(
    how: dict[str, Any], error: type[Exception], said: str
) -> None:
    """Unknown strategies, limits that nothing fits, and things that count nothing are errors."""
    with pytest.raises(error, match=said):
        trim_messages(TALK, **{"max_tokens": 3, "token_counter": letters, **how})
