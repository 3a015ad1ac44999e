"""Names of tests: what a cell does, in few words."""

from __future__ import annotations

from typing import Any

import pytest

from chatnb.pytest_plugin.notebook_files.cell_names import cell_name, notebook_name

NAMES: list[tuple[str, dict[str, Any], str]] = [
    ("# Ask for a colour\nchat.invoke('?')", {}, "[Ask for a colour]"),
    ("#| label: ask\nchat.invoke('?')", {}, "[ask]"),
    ("1", {"name": "fit"}, "[fit]"),
    ("1", {"title": "Fit the model"}, "[Fit the model]"),
    ("import os\nfrom a import b\n\nprint(b)", {}, "[print(b)]"),
    ("import os", {}, "[import os]"),
    ("%%chat -m gpt-4o\nName a colour.", {}, "[Name a colour.]"),
    ("# NBVAL_SKIP\nrows[::2]", {}, "[rows[:2]]"),
    ("x = '\x1b[31m\u202e'", {}, "[x = '\x1b[31m\u202e']"),
    ("word " * 30, {}, "[word word word word word word word word word...]"),
    ("", {}, ""),
]


@pytest.mark.parametrize(("source", "metadata", "label"), NAMES)
def test_a_cell_is_named_after_what_it_does(
    source: str, metadata: dict[str, Any], label: str
) -> None:
    """Its name, its comment, its prompt or its first step, in a line without control characters."""
    name = cell_name(3, source, metadata)
    assert name == f"Cell 3{label}".replace("\x1b", "\ufffd").replace("\u202e", "\ufffd")
    assert "::" not in name
    assert name.split("[")[0] == "Cell 3"


def test_a_notebook_is_named_after_its_first_heading() -> None:
    """The heading may come anywhere; without one, the name is no more than the number of one."""
    assert notebook_name(["Some text.", "Text\n## Colours in French ##\n# No"]) == (
        "Notebook[Colours in French]"
    )
    assert notebook_name(["#no heading"]) == "Notebook"
