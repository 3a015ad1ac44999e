"""The guide for those who come from other packages."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

GUIDE = (Path(__file__).parents[2] / "docs" / "migrating.md").read_text("utf-8")
IMPORTS = re.findall(r"`from (chatnb[\w.]*) import ([\w, ]+)`", GUIDE)
UPSTREAM = [
    (ours, theirs, names)
    for theirs, ours, names in re.findall(
        r"`from (langchain_core[\w.]*) import [^`]+` \| `from (chatnb[\w.]*) import ([\w, ]+)`",
        GUIDE,
    )
]


def test_what_the_guide_imports_is_there() -> None:
    """Each import that the guide says to write works."""
    assert len(IMPORTS) > 3
    for module, names in IMPORTS:
        for name in names.split(", "):
            assert getattr(importlib.import_module(module), name)


@pytest.mark.parametrize(("ours", "theirs", "names"), UPSTREAM)
def test_the_names_are_those_of_langchain(ours: str, theirs: str, names: str) -> None:
    """A name has the same meaning on both sides of the table, and exists on both."""
    for name in names.split(", "):
        assert hasattr(importlib.import_module(ours), name)
        assert hasattr(importlib.import_module(theirs), name)
