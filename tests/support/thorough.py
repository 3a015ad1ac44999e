"""Rows of parametrised tests that only `make test-all` tries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from _pytest.mark import ParameterSet


def thorough(rows: Iterable[Any]) -> list[Any]:
    """Return rows for `pytest.mark.parametrize`, each marked as thorough."""
    return [_thorough(row) for row in rows]


def some_of(rows: Iterable[Any], each: int) -> list[Any]:
    """Return the rows in their order, with all but the first of each so many marked as thorough."""
    return [row if not place % each else _thorough(row) for place, row in enumerate(rows)]


def _thorough(row: Any) -> Any:
    if isinstance(row, ParameterSet):
        return pytest.param(*row.values, marks=[*row.marks, pytest.mark.thorough], id=row.id)
    values = row if type(row) is tuple else (row,)
    return pytest.param(*values, marks=pytest.mark.thorough)
