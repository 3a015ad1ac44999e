"""The table of front ends in the docs: its tests, and its versions, as far as they can be told."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "front_ends.md").read_text("utf-8")
TABLE = PAGE.split("## What works where", 1)[1].split("\n## ", 1)[0]
ROWS = [line.strip("| ").split(" | ") for line in TABLE.splitlines() if line.startswith("| ")][1:]


@cache
def all_tests() -> str:
    """The text of all tests."""
    return "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").glob("**/*.py"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_row_says_how_it_is_tested(row: list[str]) -> None:
    """Each row ends with files and tests that exist, or with the month of a trial by hand."""
    how = row[-1]
    files, names = re.findall(r"`(tests/[^`]+)`", how), re.findall(r"`(test_\w+)`", how)
    by_hand = re.search(r"by hand, 20\d\d-\d\d\b", how)
    assert files or names or by_hand or "kernel tests" in how
    assert [file for file in files if not (ROOT / file).exists()] == []
    assert [name for name in names if f"def {name}(" not in all_tests()] == []


def test_the_versions_in_the_browser_are_those_of_the_page() -> None:
    """JupyterLite and Pyodide are named in the versions that `make lite` builds with."""
    (row,) = (row for row in ROWS if row[0].startswith("JupyterLite"))
    builder = (ROOT / "scripts" / "lite" / "builder.txt").read_text("utf-8")
    built = re.search(r"^jupyterlite-core==(\d+\.\d+)", builder, re.MULTILINE)
    package = json.loads((ROOT / "scripts" / "lite" / "package.json").read_text("utf-8"))
    pyodide = package["dependencies"]["pyodide"].split(".")[0]
    assert built
    assert row[0].startswith(f"JupyterLite {built[1]} (Pyodide {pyodide},")
