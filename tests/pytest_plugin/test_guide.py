from __future__ import annotations

import doctest
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

GUIDE = Path(__file__).parents[2] / "docs" / "testing.md"


def test_what_the_guide_says_is_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its examples run in an empty folder, and give what it shows."""
    monkeypatch.chdir(tmp_path)
    ran = doctest.testfile(str(GUIDE), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert ran.failed == 0
    assert ran.attempted > 3
