from __future__ import annotations

from pathlib import Path

import pytest

from tests.langchain import test_standard
from tests.langchain.standard_skips import SKIPPED, SUITES, table

GUIDE = Path(__file__).parents[2] / "docs" / "langchain.md"


def test_the_guide_s_table_is_the_one_that_the_tests_are_held_to() -> None:
    """The table is written from the rows that tests/langchain/conftest.py checks each run by."""
    assert GUIDE.read_text("utf-8").endswith(f"\n\n{table()}\n")


@pytest.mark.parametrize("suite", SUITES)
def test_the_table_names_tests_that_there_are(suite: str) -> None:
    """No row outlives the standard test that it explains, and no reason is empty."""
    for skips in SKIPPED:
        assert skips.reason
        if suite in skips.suites:
            assert [
                test for test in skips.tests if not hasattr(getattr(test_standard, suite), test)
            ] == []
