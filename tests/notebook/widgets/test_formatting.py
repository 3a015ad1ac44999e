"""Texts, durations, prices and values, as all views write them."""

from __future__ import annotations

from typing import Any

import pytest

from chatnb.notebook.widgets.formatting import (
    aligned,
    count,
    duration,
    error_lines,
    markdown_table,
    one_line,
    price,
    price_digits,
    shortened,
    truncate,
    value_text,
)
from chatnb.schema import AIMessage, HumanMessage, ToolCall
from chatnb.schema.prompt_values import ChatPromptValue, StringPromptValue


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "< 1 ms"),
        (0.00099, "< 1 ms"),
        (0.001, "1 ms"),
        (0.9994, "999 ms"),
        (0.9995, "1.00 s"),
        (9.9949, "9.99 s"),
        (9.995, "10.0 s"),
        (59.94, "59.9 s"),
        (59.95, "1 min 00 s"),
        (61.4, "1 min 01 s"),
        (119.6, "2 min 00 s"),
        (3_725, "62 min 05 s"),
    ],
)
def test_durations_round_into_the_next_unit(seconds: float, text: str) -> None:
    """None is written as sixty seconds or a thousand milliseconds."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("dollars", "digits", "text"),
    [
        (0, None, "$0.0000"),
        (12, None, "$12.0000"),
        (0.001, None, "$0.0010"),
        (0.00099, None, "$0.000990"),
        (0.0000006, None, "$0.000001"),
        (0.0000005, None, "< $0.000001"),
        (0.00005, 4, "$0.0001"),
        (0.00004, 4, "< $0.0001"),
        (0.6, 0, "$1"),
        (0.5, 0, "< $1"),
    ],
)
def test_prices_are_never_rounded_to_nothing(dollars: float, digits: int | None, text: str) -> None:
    """A price that would show as zeros is less than the last decimal."""
    assert price(dollars, digits) == text


def test_the_lowest_price_sets_the_decimals() -> None:
    """A price of 0, or an unknown one, does not count."""
    assert price_digits([]) == price_digits([None, 0, 0.001, 5]) == 4
    assert price_digits([5, None, 0.00099]) == 6


def test_counts_have_the_noun_that_fits() -> None:
    """And separators of thousands."""
    assert [count(n, "call") for n in (0, 1, 2, 1_000)] == [
        "0 calls",
        "1 call",
        "2 calls",
        "1,000 calls",
    ]


def test_texts_are_cut_at_their_limit() -> None:
    """With the number of characters that are missing, below or in place of an ellipsis."""
    assert truncate("abcd", 4) == ("abcd", 0)
    assert truncate("abcde", 4) == ("abcd", 1)
    assert truncate("a\ud83db", 2) == ("a\ufffd", 1)
    assert shortened("abcd", 4) == "abcd"
    assert shortened("a" * 2_004, 4) == "aaaa\n… 2,000 more characters"
    assert one_line("ab\n cd", 5) == "ab cd"
    assert one_line("ab\n cde", 5) == "ab c…"
    assert one_line("abc d", 5) == "abc d"
    assert one_line("abc def", 5) == "abc…"
    assert one_line(" " * 20 + "x", 5) == ""
    assert one_line(" " * 19 + "x", 5) == "x"
    assert one_line("a\x1bb") == "a\ufffdb"
    assert len(one_line("a" * 600)) == 500


def test_tables_of_text_have_columns() -> None:
    """The last one without spaces at its end."""
    assert aligned([["a", "bb", "c"], ["ddd", "e", ""]]) == "a    bb  c\nddd  e"
    assert markdown_table([["a", "b"], ["---", "---"], ["c", ""]]) == (
        "| a | b |\n| --- | --- |\n| c |  |"
    )


def test_errors_have_their_notes() -> None:
    """Each on a line, without what steers a terminal."""
    error = ValueError("No\x1b")
    error.add_note("Try again.")
    assert error_lines(error) == ["ValueError: No\\x1b", "Try again."]


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError


def holding_itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


CALL = ToolCall(name="look", args={"at": 1}, id="c1")
MESSAGES = [HumanMessage("Hi"), AIMessage("Ho")]
# Values of runs, and what is shown of each.
VALUES: dict[str, tuple[Any, str]] = {
    "text": ("a\nb", "a\nb"),
    "message": (AIMessage("Ho"), "Ho"),
    "message with a call": (
        AIMessage("", tool_calls=[CALL]),
        '[{"name": "look", "args": {"at": 1}, "id": "c1", "type": "tool_call"}]',
    ),
    "messages": (MESSAGES, "Human: Hi\nAI: Ho"),
    "no messages": ([], "[]"),
    "messages and more": ([*MESSAGES, 1], '[\n  "Human: Hi",\n  "AI: Ho",\n  1\n]'),
    "prompt of messages": (ChatPromptValue(messages=MESSAGES), "Human: Hi\nAI: Ho"),
    "prompt of text": (StringPromptValue(text="Hi"), "Hi"),
    "prompt in a list": ([StringPromptValue(text="Hi")], '[\n  "Hi"\n]'),
    "result": (
        {"generations": [[{"text": "a"}, {"message": AIMessage("b")}], [{}]], "llm_output": None},
        "a\n\nb\n\n",
    ),
    "no candidates": (
        {"generations": [7], "llm_output": None},
        '{\n  "generations": [\n    7\n  ],\n  "llm_output": null\n}',
    ),
    "candidates of another shape": (
        {"generations": [["x"]], "llm_output": 1},
        '{\n  "generations": [\n    [\n      "x"\n    ]\n  ],\n  "llm_output": 1\n}',
    ),
    "no result": ({"generations": [], "other": 1}, '{\n  "generations": [],\n  "other": 1\n}'),
    "output": ({"output": AIMessage("Ho")}, "Ho"),
    "output and more": ({"output": "a", "b": 1}, '{\n  "output": "a",\n  "b": 1\n}'),
    "letters": ({"é": "ü"}, '{\n  "é": "ü"\n}'),
    "object": ({"a": {1, }}, '{\n  "a": "{1}"\n}'),
    "keys that are no texts": ({(1, 2): 3}, "{(1, 2): 3}"),
    "broken": (Broken(), '"<Broken>"'),
    "itself": (holding_itself(), "[[...]]"),
}  # fmt: skip


@pytest.mark.parametrize(("value", "text"), VALUES.values(), ids=VALUES)
def test_values_are_written_for_people(value: Any, text: str) -> None:
    """As plain text where they are one, and else as JSON or by their repr."""
    assert value_text(value) == text
