"""Regular expressions that match in a time that grows with the text only, whatever they are.

A cassette brings the patterns and a notebook the lines. Python's matcher tries one way after the
other, which takes years for a line of words that a pattern of several words does not match. Here
all ways are gone at once: the places in a text that they have come to are the bits of an integer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import NamedTuple, TypeAlias


class Line:
    """A text, and the places where each class of characters stands in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._places = dict[str, int]()

    def places(self, characters: str) -> int:
        """Return the places of characters, which are given as a regular expression for one."""
        if characters not in self._places:
            is_one = {c: "01"[bool(_compiled(characters).fullmatch(c))] for c in {*self.text}}
            bits = "".join(is_one[c] for c in reversed(self.text))
            self._places[characters] = int(bits or "0", 2)
        return self._places[characters]


Step: TypeAlias = Callable[[int, Line], int]


class Pattern(NamedTuple):
    """A regular expression, and the step from places before it to those behind it."""

    regex: str
    step: Step


def one(characters: str) -> Pattern:
    """Return the pattern of one character of a class."""

    def step(places: int, line: Line) -> int:
        return (places & line.places(characters)) << 1

    return Pattern(characters, step)


def any_number(characters: str) -> Pattern:
    """Return the pattern of characters of a class, of any number of them."""

    def step(places: int, line: Line) -> int:
        # The carry of an addition runs through a row of ones.
        # Source: Cameron et al., "Bitwise data parallelism in regular expression matching".
        inside = line.places(characters)
        return (((places & inside) + inside) ^ inside) | places

    return Pattern(f"{characters}*", step)


def some(characters: str) -> Pattern:
    """Return the pattern of characters of a class, of at least one."""
    return Pattern(f"{characters}+", sequence(one(characters), any_number(characters)).step)


def literal(text: str) -> Pattern:
    """Return the pattern of a text."""
    characters = [one(re.escape(character)).step for character in text]

    def step(places: int, line: Line) -> int:
        if places and not places & (places - 1):  # One place, as at the beginning of a line.
            start = places.bit_length() - 1
            return places << len(text) if line.text.startswith(text, start) else 0
        for character in characters:
            if not places:
                break
            places = character(places, line)
        return places

    return Pattern(re.escape(text), step)


def sequence(*patterns: Pattern) -> Pattern:
    """Return the pattern of one after the other."""
    steps = [pattern.step for pattern in patterns]

    def step(places: int, line: Line) -> int:
        for each in steps:
            places = each(places, line)
        return places

    return Pattern("".join(pattern.regex for pattern in patterns), step)


def either(*patterns: Pattern) -> Pattern:
    """Return the pattern of one of several."""

    def step(places: int, line: Line) -> int:
        found = 0
        for pattern in patterns:
            found |= pattern.step(places, line)
        return found

    return Pattern(f"(?:{'|'.join(pattern.regex for pattern in patterns)})", step)


def optional(pattern: Pattern) -> Pattern:
    """Return the pattern of it or nothing."""

    def step(places: int, line: Line) -> int:
        return places | pattern.step(places, line)

    return Pattern(f"(?:{pattern.regex})?", step)


def repeated(pattern: Pattern) -> Pattern:
    """Return the pattern of it, any number of times."""

    def step(places: int, line: Line) -> int:
        found = new = places
        while new:
            new = pattern.step(new, line) & ~found
            found |= new
        return found

    return Pattern(f"(?:{pattern.regex})*", step)


def not_before(characters: str) -> Pattern:
    """Return the pattern of a place with no such character behind it."""

    def step(places: int, line: Line) -> int:
        return places & ~line.places(characters)

    return Pattern(f"(?!{characters})", step)


def ends(patterns: Sequence[Pattern], text: str) -> list[int] | None:
    """Return where in a text each of the patterns ends that make up the whole of it, or None."""
    line, places = Line(text), 1
    before = list[int]()
    for pattern in patterns:
        before.append(places)
        places = pattern.step(places, line)
    end = len(text)
    if not places >> end & 1:
        return None
    found = list[int]()
    for pattern, starts in zip(reversed(patterns), reversed(before), strict=True):
        found.append(end)
        # The patterns before take as much as they can.
        end = next(start for start in _descending(starts, end) if _leads(pattern, start, end, line))
    return found[::-1]


def _leads(pattern: Pattern, start: int, end: int, line: Line) -> bool:
    return bool(pattern.step(1 << start, line) >> end & 1)


def _descending(places: int, end: int) -> Iterable[int]:
    places &= (1 << end + 1) - 1
    while places:
        place = places.bit_length() - 1
        yield place
        places ^= 1 << place


@cache
def _compiled(characters: str) -> re.Pattern[str]:
    return re.compile(characters, re.DOTALL)
