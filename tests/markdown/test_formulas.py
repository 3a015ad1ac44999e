"""The rule of what is a formula, which Python and TypeScript share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chatnb.markdown.delimiters import Formula
from chatnb.markdown.regions import RegionMap, parts_of
from chatnb.markdown.safe_markdown import safe_markdown

CASES: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("formulas.json").read_text(encoding="utf-8")
)


def formulas_in(text: str) -> list[Formula]:
    return [part for part in parts_of(text) if isinstance(part, Formula)]


@pytest.mark.parametrize("case", CASES, ids=[case["text"] for case in CASES])
def test_formulas_are_found_and_written_for_notebooks(case: dict[str, Any]) -> None:
    """Formulas of all delimiters are found, money and code are not, and both display as such."""
    assert [formula.tex for formula in formulas_in(case["text"])] == case["formulas"]
    finished = safe_markdown(case["text"])
    assert finished == case.get("finished", case["text"])
    assert safe_markdown(str(finished)) == finished
    assert len([*formulas_in(finished)]) == len(case["formulas"])


def test_code_that_is_like_a_formula_is_code() -> None:
    """A code span with dollars is no region of mathematics."""
    assert RegionMap("`$x$`").at(2).type == "span"
