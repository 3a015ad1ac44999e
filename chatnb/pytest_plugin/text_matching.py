"""Differences and similarities of texts, however long, found in a bounded time."""

from __future__ import annotations

import difflib
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeAlias

# What difflib compares exactly: about 5,000 characters, or 1,000 items. Characters and items that
# are often repeated take it a time of the square of their number.
_MAX_CHARACTER_PAIRS = 25_000_000
_MAX_ITEM_PAIRS = 1_000_000
# How often what is between items that both have once is divided in the same way.
_MAX_DEPTH = 5

_Opcode: TypeAlias = tuple[Literal["replace", "delete", "insert", "equal"], int, int, int, int]


def similarity(old: str, new: str) -> float:
    """Return how much of two texts is equal, from 0 to 1; of long ones, how many words.

    Example:
        >>> similarity("Oslo", "Oslo!") > 0.8
        True
    """
    if len(old) * len(new) <= _MAX_CHARACTER_PAIRS:
        return difflib.SequenceMatcher(None, old, new, autojunk=False).ratio()
    return difflib.SequenceMatcher(None, old.split(), new.split(), autojunk=False).quick_ratio()


class BoundedMatcher(difflib.SequenceMatcher[str]):
    """The difference of two lists of lines, or of a line's words and marks.

    Args:
        old: The items before.
        new: The items now.
    """

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        super().__init__(None, "", "")
        self._old, self._new = old, new

    def get_opcodes(self) -> list[_Opcode]:
        """Return the steps from the old items to the new ones.

        Where many items differ, those that both have once are found first, in their order. What
        is between them is one step if it is still too much.
        """
        return list(_joined(_opcodes(self._old, self._new, 0, 0, _MAX_DEPTH)))


def _opcodes(
    old: Sequence[str], new: Sequence[str], a: int, b: int, depth: int
) -> Iterator[_Opcode]:
    """Yield the steps from some items to others, which begin at the indexes a and b of all."""
    start = _count_equal(old, new)
    end = _count_equal(old[start:][::-1], new[start:][::-1])
    yield "equal", a, a + start, b, b + start
    one, other = old[start : len(old) - end], new[start : len(new) - end]
    yield from _middle(one, other, a + start, b + start, depth)
    yield "equal", a + len(old) - end, a + len(old), b + len(new) - end, b + len(new)


def _middle(
    old: Sequence[str], new: Sequence[str], a: int, b: int, depth: int
) -> Iterator[_Opcode]:
    """Yield the steps between items of which the first and the last differ."""
    if len(old) * len(new) <= _MAX_ITEM_PAIRS:
        matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
        for change, i, j, k, m in matcher.get_opcodes():
            yield change, a + i, a + j, b + k, b + m
        return
    anchors = _common_once(old, new) if depth else []
    if not anchors:
        yield "replace", a, a + len(old), b, b + len(new)
        return
    i = k = 0
    for j, m in [*anchors, (len(old), len(new))]:
        yield from _opcodes(old[i:j], new[k:m], a + i, b + k, depth - 1)
        i, k = j, m


def _common_once(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Return where the items are that both have once, as many as are in the same order."""
    counts, other_counts = Counter(old), Counter(new)
    places = {item: index for index, item in enumerate(new) if other_counts[item] == 1}
    pairs = [(i, places[x]) for i, x in enumerate(old) if counts[x] == 1 and x in places]
    # The longest increasing sequence of the second indexes.
    ends, last, before = list[int](), list[int](), list[int]()
    for number, (_, place) in enumerate(pairs):
        length = bisect_left(ends, place)
        ends[length : length + 1], last[length : length + 1] = [place], [number]
        before.append(last[length - 1] if length else -1)
    found = list[tuple[int, int]]()
    number = last[-1] if last else -1
    while number >= 0:
        found.append(pairs[number])
        number = before[number]
    return found[::-1]


def _joined(steps: Iterable[_Opcode]) -> Iterator[_Opcode]:
    """Yield steps without empty ones, and neighbours of one kind as one."""
    held: _Opcode | None = None
    for step in steps:
        change, i, j, k, m = step
        if i == j and k == m:
            continue
        if held is not None and held[0] == change:
            held = change, held[1], j, held[3], m
            continue
        if held is not None:
            yield held
        held = step
    if held is not None:
        yield held


def _count_equal(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many items are equal from the beginning on."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))
