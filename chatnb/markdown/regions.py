"""Find code, code spans and formulas in Markdown."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from chatnb.markdown.delimiters import Formula, find_formulas

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

# Renderers disagree about hostile Markdown, so no region may be trusted to keep a tag inert, except
# `solid_fences`, whose fences every renderer reads alike. Regions only decide how an edit looks.
RegionType = Literal["code", "span", "math", "text"]

# The block parser takes about 50 microseconds a line; beyond this only looks suffer.
_MAX_LINES = 5_000
_BACKTICKS = re.compile(r"`+")
_OPENING_FENCE = re.compile(r"(`{3,})[^`]*")
_END_OF_LABEL = re.compile(r"(?:\\.|[^\[\]\\])*\]:", re.DOTALL)
_BLOCK_MATH_OPENER = re.compile(r"\$\$|\\\[|\\begin\b")
_BLOCK_MATH_CLOSER = re.compile(r"\$\$|\\\]|\\end\b")


@dataclass(frozen=True)
class Region:
    """A half-open range of the text."""

    start: int
    end: int
    type: RegionType


@dataclass(frozen=True)
class Fence:
    """A fenced block: its lines begin at `start`, its closing line at `close`."""

    start: int
    content: int
    close: int
    end: int
    marks: str


class RegionMap:
    """The regions of a text by index."""

    def __init__(self, text: str) -> None:
        parts = (
            part if isinstance(part, Region) else Region(part.start, part.end, "math")
            for part in parts_of(text)
        )
        self._regions = [part for part in parts if part.type != "text"]
        self._starts = [region.start for region in self._regions]

    def at(self, index: int) -> Region:
        """Return the region of the character at `index`."""
        number = bisect_right(self._starts, index) - 1
        if number >= 0 and index < self._regions[number].end:
            return self._regions[number]
        return Region(index, index + 1, "text")


def solid_fences(text: str) -> list[Fence]:
    """Return the fences if every renderer reads all of them alike, else none."""
    # Solid: backticks in the first column, strictly opening and closing, no other line with three
    # backticks or tildes; no link definition that could run into a fence (marked lets its label and
    # title cross blank lines), and no formula that could end inside one.
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
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table").disable(["inline", "text_join"])


def code_regions(text: str) -> list[Region]:
    """Return the code blocks and spans in their order; none of a text that is too long."""
    if text.count("\n") >= _MAX_LINES:
        return []
    return sorted(_code_regions(text), key=lambda region: region.start)


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
    """Yield code spans by CommonMark's rule: the nearest backtick run of equal length closes."""
    runs = [run.span() for run in _BACKTICKS.finditer(text, start, end)]
    starts_by_length: dict[int, list[int]] = defaultdict(list)
    for left, right in runs:
        starts_by_length[right - left].append(left)
    # Without its backticks a line with a run of three could become the first of a fence.
    is_fence_like = any(right - left > 2 for left, right in runs) or "~~~" in text[start:end]
    region_type = "code" if is_fence_like else "span"
    after = start
    for left, right in runs:
        opening = left + 1 if is_escaped(text, left) else left
        if opening < after or opening == right:
            continue
        closers = starts_by_length[right - opening]
        index = bisect_left(closers, right)
        if index < len(closers):
            after = closers[index] + right - opening
            yield Region(opening, after, region_type)


def is_escaped(text: str, index: int) -> bool:
    """Return whether an odd number of backslashes precedes the index."""
    first = index
    while first > 0 and text[first - 1] == "\\":
        first -= 1
    return (index - first) % 2 == 1


def parts_of(text: str) -> Iterator[Region | Formula]:
    """Yield formulas, code and the text between them."""
    start = 0
    for region in [*code_regions(text), Region(len(text), len(text), "code")]:
        if region.start < start:
            continue
        for formula in find_formulas(text, start, region.start):
            yield Region(start, formula.start, "text")
            yield formula
            start = formula.end
        yield Region(start, region.start, "text")
        yield region
        start = region.end
