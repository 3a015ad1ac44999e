"""Differences and similarities of texts, however long, found in a bounded time."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Literal, TypeAlias

# What difflib compares exactly: about 5,000 characters, or 1,000 items. Characters and items that
# are often repeated take it a time of the square of their number.
_MAX_CHARACTER_PAIRS = 25_000_000
_MAX_ITEM_PAIRS = 1_000_000

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

        Between the equal ones at the beginning and at the end, it is one step if they are many.
        """
        old, new = self._old, self._new
        start = _count_equal(old, new)
        end = _count_equal(old[start:][::-1], new[start:][::-1])
        a, b = len(old) - end, len(new) - end
        middle: list[_Opcode] = [("replace", start, a, start, b)] if a > start or b > start else []
        if 0 < (a - start) * (b - start) <= _MAX_ITEM_PAIRS:
            matcher = difflib.SequenceMatcher(None, old[start:a], new[start:b], autojunk=False)
            middle = [
                (change, i + start, j + start, k + start, m + start)
                for change, i, j, k, m in matcher.get_opcodes()
            ]
        head: list[_Opcode] = [("equal", 0, start, 0, start)] if start else []
        tail: list[_Opcode] = [("equal", a, len(old), b, len(new))] if end else []
        return [*head, *middle, *tail]


def _count_equal(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many items are equal from the beginning on."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))
