"""Differences and similarities of texts."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatnb.pytest_plugin.text_matching import BoundedMatcher, similarity
from tests.support.examples import examples

ITEMS = st.lists(st.sampled_from("abcd"), max_size=8)


def rebuilt(old: list[str], new: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Return both lists as the steps have them, and the kinds of the steps."""
    steps = BoundedMatcher(old, new).get_opcodes()
    a, b = 0, 0
    for change, i, j, k, m in steps:
        assert (i, k) == (a, b)
        assert (change == "equal") == (old[i:j] == new[k:m])
        assert (i == j) == (change == "insert")
        assert (k == m) == (change == "delete")
        a, b = j, m
    assert all(one[0] != other[0] for one, other in pairwise(steps))
    return old[:a], new[:b], [step[0] for step in steps]


@settings(max_examples=examples(30))
@given(ITEMS, ITEMS)
def test_the_steps_lead_from_the_old_items_to_the_new_ones(old: list[str], new: list[str]) -> None:
    """One after another, without empty ones, and neighbours are of other kinds."""
    assert rebuilt(old, new)[:2] == (old, new)


@pytest.mark.parametrize(
    ("old", "new", "steps"),
    [
        ("", "", []),
        ("ab", "ab", [("equal", 0, 2, 0, 2)]),
        ("ab", "", [("delete", 0, 2, 0, 0)]),
        ("", "ab", [("insert", 0, 0, 0, 2)]),
        ("aab", "ab", [("equal", 0, 1, 0, 1), ("delete", 1, 2, 1, 1), ("equal", 2, 3, 1, 2)]),
        (
            "axbyc",
            "azbc",
            [
                ("equal", 0, 1, 0, 1),
                ("replace", 1, 2, 1, 2),
                ("equal", 2, 3, 2, 3),
                ("delete", 3, 4, 3, 3),
                ("equal", 4, 5, 3, 4),
            ],
        ),
    ],
)
def test_what_is_equal_stays(old: str, new: str, steps: list[tuple[object, ...]]) -> None:
    """At both ends and between."""
    assert BoundedMatcher(list(old), list(new)).get_opcodes() == steps


def test_of_many_items_those_that_both_have_once_are_found() -> None:
    """In their order; what is between them is one step where it is too much."""
    chosen = random.Random(1)
    repeated = [[chosen.choice("ab") for _ in range(1_100)] for _ in range(4)]
    old = ["start", *repeated[0], "one", "two", *repeated[1], "end"]
    new = ["begin", *repeated[2], "one", "two", *repeated[3], "stop"]
    assert rebuilt(old, new) == (old, new, ["replace", "equal", "replace"])
    _, (_, i, j, k, m), _ = BoundedMatcher(old, new).get_opcodes()
    assert old[i:j] == new[k:m]
    assert old[i : i + 2] == ["one", "two"]
    everything = BoundedMatcher(["x", *repeated[0], "x"], ["y", *repeated[2], "y"]).get_opcodes()
    assert everything == [("replace", 0, 1_102, 0, 1_102)]


def test_texts_are_alike_by_their_characters_or_if_long_by_their_words() -> None:
    """From 0 to 1, also where a character is repeated often."""
    assert similarity("abcd", "abcd") == 1
    assert similarity("abcd", "efgh") == 0
    assert similarity("abcd", "abef") == 0.5
    assert similarity("a" * 300, "a" * 299 + "b") == pytest.approx(299 / 300)
    words = [f"word{number}" for number in range(1_000)]
    long = " ".join(words)
    assert len(long) ** 2 > 25_000_000
    assert similarity(long, long) == 1
    assert similarity(long, " ".join([*words[:500], *["x"] * 500])) == 0.5
