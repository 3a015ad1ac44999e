"""Write formulas between delimiters that notebooks typeset, and money so that they do not."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from chatnb.markdown.delimiters import Formula, is_inline_formula
from chatnb.markdown.regions import parts_of

# JupyterLab pairs dollars before it reads Markdown, and MathJax again in the HTML that comes of it.
# The backslash stops the one and the element the other, which pairs no dollars across elements.
MONEY = r"<span>\$</span>"
_DELIMITERS = re.compile(r"\$[^$]*\$|\\[(\[]|\\\$")
_DOLLAR = re.compile(r"<span>\\\$</span>|\\\\|(?P<dollar>\\?\$)")
_PARAGRAPH_END = re.compile(r"\n\s*\n|\Z")


def with_typeset_delimiters(text: str) -> str:
    """Return the Markdown with the delimiters that JupyterLab typesets, and with safe dollars."""
    if not _DELIMITERS.search(text):
        return text
    text = "".join(_with_delimiters(text))
    crowded = _crowded_paragraphs(text)
    return "".join(_with_money(text, crowded)) if crowded else text


def _with_delimiters(text: str) -> Iterator[str]:
    for part in parts_of(text):
        if isinstance(part, Formula) and part.opener.endswith(("(", "[")):
            yield _typeset(text, part)
        else:
            yield text[part.start : part.end]


def _typeset(text: str, formula: Formula) -> str:
    tex, end = formula.tex, formula.end
    if formula.is_display and "$" not in tex:
        return f"$${tex}$$"
    before = text[max(0, formula.start - 1) : formula.start]
    stripped = tex.strip()
    if "$" not in tex and is_inline_formula(before, stripped, text[end : end + 9]):
        return f"${stripped}$"
    # Only JupyterLab reads these, but always as a formula.
    return rf"\\[{tex}\\]" if formula.is_display else rf"\\({tex}\\)"


def _crowded_paragraphs(text: str) -> list[tuple[int, int]]:
    """Return the paragraphs in which a dollar could be paired with another one."""
    ends = [found.start() for found in _PARAGRAPH_END.finditer(text)]
    spans = zip([0, *ends], ends, strict=False)
    return [(start, end) for start, end in spans if text.count("$", start, end) > 1]


def _with_money(text: str, crowded: list[tuple[int, int]]) -> Iterator[str]:
    def escape(found: re.Match[str]) -> str:
        start = found.start("dollar")
        number = bisect_right(crowded, (start, len(text))) - 1
        is_crowded = number >= 0 and start < crowded[number][1]
        return MONEY if start >= 0 and is_crowded else found[0]

    for part in parts_of(text):
        if isinstance(part, Formula) or part.type != "text":
            yield text[part.start : part.end]
            continue
        index = part.start
        for found in _DOLLAR.finditer(text, part.start, part.end):
            yield text[index : found.start()]
            yield escape(found)
            index = found.end()
        yield text[index : part.end]
