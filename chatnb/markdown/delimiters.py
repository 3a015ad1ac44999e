"""Formulas in Markdown: the rule that finds them, and the delimiters that JupyterLab typesets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_ENVIRONMENTS = """
align aligned alignat alignedat array Bmatrix bmatrix cases CD dcases eqnarray equation flalign
gather gathered matrix multline multlined pmatrix rcases smallmatrix split subarray subequations
Vmatrix vmatrix
"""
ENVIRONMENTS = _ENVIRONMENTS.split()
"""The environments of TeX that draw."""

# js/src/markdown/formulas.ts follows the same rule: the cases of tests/markdown/formulas.json hold
# for both.

_MARK = re.compile(
    rf"\n[ \t>]*\n|\\{{1,2}}[()\[\]]|\\(?:begin|end)\{{(?:{'|'.join(ENVIRONMENTS)})\*?\}}"
    r"|\\[\s\S]|\$+"
)
_CLOSERS = {
    "$": "$", "$$": "$$", r"\(": r"\)", r"\[": r"\]", r"\\(": r"\\)", r"\\[": r"\\]",
}  # fmt: skip
_SIGN = re.compile("[\\\\^_=<>+*/|\u00d7\u00f7\u00b7\u00b1\u2264\u2265\u2260\u2248\u2192-]")
_CERTAIN_SIGN = re.compile(r"[\\^_=]")
_HIDDEN = re.compile(r"\\[A-Za-z]+|\{[^{}]*\}")
_WORD = re.compile(
    r"[A-Za-z]{3,}|\b(?:an|as|at|by|if|in|is|it|no|of|on|or|so|to|up|vs|we)\b", re.ASCII
)
_SUFFIX = re.compile(r"(?:ary|d|es|fold|nd|rd|s|st|th)\b", re.ASCII)


class Formula(NamedTuple):
    """A formula, from its opening to its closing delimiter."""

    start: int
    end: int
    # Between the delimiters, or the whole environment.
    tex: str
    opener: str

    @property
    def is_display(self) -> bool:
        return self.opener == "$$" or self.opener.endswith(("[", "}"))


def find_formulas(text: str, start: int, end: int) -> Iterator[Formula]:
    """Yield the formulas in a part of the text that has no code in it."""
    paragraph: list[re.Match[str]] = []
    for mark in _MARK.finditer(text, start, end):
        if mark[0].startswith("\n"):
            yield from _pair(text, paragraph)
            paragraph = []
        else:
            paragraph.append(mark)
    yield from _pair(text, paragraph)


def _pair(text: str, marks: list[re.Match[str]]) -> Iterator[Formula]:
    closing, index = _closing_marks(marks), 0
    while index < len(marks):
        opener, last = marks[index], closing[index]
        if last is not None and _is_formula(text, opener, marks[last]):
            is_environment = opener[0].endswith("}")
            start, end = opener.start(), marks[last].end()
            body = text[start:end] if is_environment else text[opener.end() : marks[last].start()]
            yield Formula(start, end, body, opener[0])
            index = last
        index += 1


def _closing_marks(marks: list[re.Match[str]]) -> list[int | None]:
    """Return for each mark the index of the next one that closes it."""
    upcoming: dict[str, int] = {}
    closing: list[int | None] = [None] * len(marks)
    for index in reversed(range(len(marks))):
        mark = marks[index][0]
        is_beginning = mark.startswith(r"\begin")
        closer = mark.replace("begin", "end") if is_beginning else _CLOSERS.get(mark)
        closing[index] = None if closer is None else upcoming.get(closer)
        upcoming[mark] = index
    return closing


def _is_formula(text: str, opener: re.Match[str], closer: re.Match[str]) -> bool:
    tex = text[opener.end() : closer.start()]
    if not tex.strip():
        return False
    if opener[0] == "$":
        start, end = opener.start(), closer.end()
        return is_inline_formula(text[max(0, start - 1) : start], tex, text[end : end + 9])
    if opener[0].startswith(r"\begin"):
        return True
    return not (_is_prose(tex) or (opener[0].endswith("[") and _is_plain(tex)))


def is_inline_formula(before: str, tex: str, after: str) -> bool:
    """Return whether two dollars enclose a formula, given the characters around them.

    A dollar before a digit is money, unless the pair is clearly mathematics.
    """
    if before.isalnum() or after[:1].isnumeric():
        return False
    if after[:1].isalpha() and not _SUFFIX.match(after):
        return False
    inner = tex.strip()
    if inner == tex and not re.match(r"[0-9]", tex):
        return not _is_prose(tex)
    if inner != tex and not (tex[0].isspace() and tex[-1].isspace()):
        return False
    return _count_words(inner) == 0 and (not re.search(r"\s", inner) or bool(_SIGN.search(inner)))


def _is_prose(tex: str) -> bool:
    return _count_words(tex) > 1 and not _CERTAIN_SIGN.search(tex)


def _is_plain(tex: str) -> bool:
    """Return whether only numbers or words stand in brackets, as in a reference."""
    return not _SIGN.search(tex) and (_count_words(tex) > 0 or not re.search("[A-Za-z]", tex))


def _count_words(tex: str) -> int:
    return len(_WORD.findall(_HIDDEN.sub(" ", tex)))
