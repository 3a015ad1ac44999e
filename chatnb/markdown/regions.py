"""Where in a Markdown text code, code spans and formulas are.

Renderers disagree about hostile Markdown, so nothing here may be trusted to keep a tag asleep, with
one exception: `solid_fences`, whose fences every renderer reads alike. The rest only decides how an
edit looks.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from markdown_it import MarkdownIt

Kind = Literal["code", "span", "math", "text"]

# The block parser takes about 50 microseconds a line; beyond this only looks suffer.
_MOST_LINES = 5_000
_BACKTICKS = re.compile(r"`+")
_MATH_DELIMITER = re.compile(r"\\\\|\\\$|\$\$?|\\[()\[\]]|\n[ \t]*\n")
_MATH_CLOSERS = {"$": "$", "$$": "$$", r"\(": r"\)", r"\[": r"\]"}
_OPENING_FENCE = re.compile(r"(`{3,})[^`]*")
_END_OF_LABEL = re.compile(r"(?:\\.|[^\[\]\\])*\]:", re.DOTALL)
_BLOCK_MATH_OPENER = re.compile(r"\$\$|\\\[|\\begin\b")
_BLOCK_MATH_CLOSER = re.compile(r"\$\$|\\\]|\\end\b")


@dataclass(frozen=True)
class Region:
    """A half-open stretch of the text."""

    start: int
    end: int
    kind: Kind


@dataclass(frozen=True)
class Fence:
    """A fenced block: its lines begin at `start`; `close` is where the closing line begins."""

    start: int
    content: int
    close: int
    end: int
    marks: str


class RegionMap:
    """Answers what lies at a position.

    Example:
        >>> regions = RegionMap("a `b` $c$")
        >>> [regions.at(place).kind for place in (0, 3, 7)]
        ['text', 'span', 'math']
    """

    def __init__(self, text: str) -> None:
        is_short = text.count("\n") < _MOST_LINES
        code = sorted(_code_regions(text), key=lambda region: region.start) if is_short else []
        self._regions = _with_math(text, code)
        self._starts = [region.start for region in self._regions]

    def at(self, place: int) -> Region:
        """The region that holds the character at `place`."""
        index = bisect_right(self._starts, place) - 1
        if index >= 0 and place < self._regions[index].end:
            return self._regions[index]
        return Region(place, place + 1, "text")


def solid_fences(text: str) -> list[Fence]:
    """The fences of a text in which no renderer can mistake them; none if there is any doubt.

    Solid means: backticks in the first column, strictly opening and closing, no other line with
    three backticks or tildes; no link definition that could run into one (marked lets its label and
    title cross blank lines) and no formula that could end inside one.

    Args:
        text: Markdown with "\\n" line ends.

    Example:
        >>> [fence.marks for fence in solid_fences("```html\\n<b>\\n```")]
        ['```']
        >>> solid_fences("- ```")
        []
    """
    fences = _paired_fences(text)
    if not fences:
        return []
    ends = [0, *(fence.end for fence in fences)]
    starts = [*(fence.start for fence in fences), len(text)]
    prose = "\n\n".join(text[end:start] for end, start in zip(ends, starts, strict=True))
    inside = [text[fence.start : fence.close] for fence in fences]
    if "]:" in prose or ("[" in prose and any(map(_END_OF_LABEL.match, inside))):
        return []
    if _BLOCK_MATH_OPENER.search(prose) and any(map(_BLOCK_MATH_CLOSER.search, inside)):
        return []
    return fences


def _paired_fences(text: str) -> list[Fence] | None:
    fences: list[Fence] = []
    opened: tuple[int, int, str] | None = None
    start = 0
    for line in text.split("\n"):
        end = start + len(line)
        if "```" in line or "~~~" in line:
            if opened is not None:
                if line.rstrip(" ") != opened[2]:
                    return None
                fences.append(Fence(opened[0], opened[1], start, end, opened[2]))
                opened = None
            elif opening := _OPENING_FENCE.fullmatch(line):
                opened = (start, min(end + 1, len(text)), opening[1])
            else:
                return None
        start = end + 1
    if opened is not None:
        fences.append(Fence(opened[0], opened[1], len(text), len(text), opened[2]))
    return fences


@cache
def _block_parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table").disable(["inline", "text_join"])


def _code_regions(text: str) -> Iterator[Region]:
    lines = [0]
    for newline in re.finditer("\n", text):
        lines.append(newline.end())
    lines.append(len(text))
    prose_end = 0
    for token in _block_parser().parse(text):
        if token.map is None:
            continue
        start, end = (lines[min(line, len(lines) - 1)] for line in token.map)
        if token.type in ("fence", "code_block"):
            yield Region(start, end, "code")
        elif token.type == "inline" and start >= prose_end:
            # The cells of a table row share their line.
            prose_end = end
            yield from _code_spans(text, start, end)


def _code_spans(text: str, start: int, end: int) -> Iterator[Region]:
    """Backtick runs that pair by CommonMark's rule: equal length, the nearest closes."""
    runs = [run.span() for run in _BACKTICKS.finditer(text, start, end)]
    starts_by_length: dict[int, list[int]] = defaultdict(list)
    for left, right in runs:
        starts_by_length[right - left].append(left)
    # Without its backticks a line with a run of three could become the first of a fence.
    is_fence_like = any(right - left > 2 for left, right in runs) or "~~~" in text[start:end]
    kind = "code" if is_fence_like else "span"
    after = start
    for left, right in runs:
        opening = left + 1 if is_escaped(text, left) else left
        if opening < after or opening == right:
            continue
        closers = starts_by_length[right - opening]
        index = bisect_left(closers, right)
        if index < len(closers):
            after = closers[index] + right - opening
            yield Region(opening, after, kind)


def is_escaped(text: str, place: int) -> bool:
    """Whether an odd number of backslashes stands before the place."""
    first = place
    while first > 0 and text[first - 1] == "\\":
        first -= 1
    return (place - first) % 2 == 1


def _with_math(text: str, code: list[Region]) -> list[Region]:
    regions: list[Region] = []
    start = 0
    for region in [*code, Region(len(text), len(text), "text")]:
        if region.start < start:
            continue
        regions.extend(_formulas(text, start, region.start))
        regions.append(region)
        start = region.end
    return regions


def _formulas(text: str, start: int, end: int) -> Iterator[Region]:
    opener: re.Match[str] | None = None
    for found in _MATH_DELIMITER.finditer(text, start, end):
        if found[0].startswith("\n"):
            opener = None
        elif opener is None:
            opener = found if found[0] in _MATH_CLOSERS else None
        elif found[0] == _MATH_CLOSERS[opener[0]]:
            yield Region(opener.start(), found.end(), "math")
            opener = None
