"""HTML that is rendered from safe Markdown."""

from __future__ import annotations

import html
import re

import pytest
from markdown_it import MarkdownIt

from chatnb.markdown.html import rendered
from chatnb.markdown.safe_markdown import SafeMarkdown

_ACTIVE = re.compile(r"\\(?:unicode|require|href|class|style|cssId|def)\b")


@pytest.mark.parametrize("command", ["unicode[a;background:url(x)]{65}", "require{x}", "def\\a{b}"])
@pytest.mark.parametrize(
    "formula",
    [
        *(r"$\{}$", r"$$\{}$$", r"\(\{}\)", r"\\(\{}\\)", r"\\[\{}\\]", "$\\\\\n\\{}$"),
        *(r"\(\begin{{CD}}A @>\{}>> B\end{{CD}}\)- x", r"$&#92;{}$", r"$\\&bsol;{}$"),
        *("> $\\{}$", "- x\n\n  $\\{}$", "| a |\n|---|\n| $\\{}$ |", r"[$\{}$](https://ok.test)"),
    ],
)
def test_a_formula_with_an_active_command_does_not_come_back(formula: str, command: str) -> None:
    """Though a parser turns the entities of its source into the characters that they stand for,
    and JupyterLab typesets formulas in HTML."""
    renderer = MarkdownIt("commonmark", {"html": False}).enable(["table"])
    shown = rendered(SafeMarkdown(formula.format(command)), renderer)
    prose = re.sub(r"<(pre|code)>.*?</\1>", "", shown, flags=re.DOTALL)
    assert not _ACTIVE.search(html.unescape(prose))
    assert command[:3] in shown


def test_formulas_that_only_draw_stay_as_they_are() -> None:
    """Also beside one that does not."""
    renderer = MarkdownIt("commonmark", {"html": False})
    shown = rendered(SafeMarkdown(r"$\frac{1}{2}$ and $\unicode{65}$ and `\def`"), renderer)
    assert r"$\frac{1}{2}$" in shown
