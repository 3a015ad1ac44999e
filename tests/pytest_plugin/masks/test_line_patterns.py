"""Patterns of lines, as a cassette of somebody else may hold them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnb.pytest_plugin.masks.line_patterns import (
    ANY_TEXT,
    ANY_WORD,
    CLOSE,
    NUMBER,
    OPEN,
    TIME,
    UNIT,
    LinePattern,
)

EXAMPLES = ["ab", "a-b", "/a/b", "12", "0.5 s", "12:30", " ", " a ", f"a{ANY_WORD}", f"a{ANY_TEXT}"]
REGEXES = [
    r"\w+",
    r"[\w\-]+",
    r"[\w./\\:~+@-]+",
    f"[-+]?{NUMBER}",
    rf"(?:(?:<|&lt;) ?)?[-+]?{NUMBER}\s?{UNIT}",
    TIME,
    " *",
    r" *\w+ *",
    r"\S*",
    r"[^\n]*",
]


def example(text: str) -> str:
    return f"{OPEN}{text}{CLOSE}"


@pytest.mark.parametrize("text", EXAMPLES)
@pytest.mark.parametrize("between", ["", "a", "1", " ", "/", ":"])
def test_no_pattern_takes_years(text: str, between: str) -> None:
    """Twenty parts that vary, in a line of as many ways as there are to part it."""
    pattern = LinePattern((example(text) + between) * 20 + "!")
    for unit in ("a", "1", " ", "/", "1:", "1.", "a1", between or "ab"):
        line = unit * (2_000 // len(unit))
        assert pattern.match(line) is None
        assert pattern.match(f"{line}?") is None


@pytest.mark.parametrize(("recorded", "shown"), [("6 ms", "< 1 ms"), ("&lt; 1 ms", "0.2 s")])
def test_a_duration_stands_for_one_below_the_shortest(recorded: str, shown: str) -> None:
    """A fast machine shows `< 1 ms` where a slow one took some; what is no duration differs."""
    pattern = LinePattern(f"run · {example(recorded)}")
    assert pattern.match(f"run · {shown}") is not None
    assert pattern.match("run · failed") is None


PARTS = st.lists(st.tuples(st.sampled_from(range(len(EXAMPLES))), st.sampled_from("a1 .:/-x")))


@given(PARTS, st.text("a1 .:/-sx0e", max_size=14))
def test_a_pattern_matches_what_its_regular_expression_does(
    parts: list[tuple[int, str]], line: str
) -> None:
    """Part by part, with any number of spaces where a part that varies is beside one."""
    pattern = LinePattern("".join(example(EXAMPLES[index]) + mark for index, mark in parts))
    last = len(parts) - 1
    regex = "".join(
        REGEXES[index] + (" +" if mark == " " and (n < last or mark) else re.escape(mark))
        for n, (index, mark) in enumerate(parts)
    )
    assert (pattern.match(line) is None) == (re.fullmatch(regex, line) is None)


def test_the_names_are_those_of_one_way_to_part_the_line() -> None:
    """Those before take as much as they can."""
    pattern = LinePattern(f"{example('heron')}_{example('wren7')} at {example('12:30')}")
    assert pattern.match("greylag_goose_nests at 9:05") == ["greylag_goose", "nests"]
    assert pattern.match("greylag_goose_nests at 9:5") is None
