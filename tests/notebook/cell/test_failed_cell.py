"""The description of values that a model is given in place of them."""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import date
from typing import Any

import numpy
import pandas
import polars
import pytest

from chatnb.notebook.cell.failed_cell import describe_value


class Broken:
    """A value whose class raises at every question."""

    @property
    def shape(self) -> Any:
        raise RuntimeError("no shape")

    def __len__(self) -> int:
        raise RuntimeError("no length")


class BrokenColumns:
    """A table that cannot tell its columns."""

    shape = (2, 3)

    @property
    def columns(self) -> Any:
        raise RuntimeError("no columns")


class Endless:
    """A table of more columns than anybody can list."""

    shape = (1, 10**9)

    @property
    def columns(self) -> Any:
        return (f"c{number}" for number in range(10**9))


WIDE = ", ".join(repr(f"c{number}") for number in range(30))
FRAME = pandas.DataFrame({"price": [1.5, 2.5], "name": ["SECRET", "SECRET"]})


@pytest.mark.parametrize(
    ("value", "description"),
    [
        (None, "NoneType"),
        (4711, "int"),
        (1.5, "float"),
        ("SECRET", "str of 6"),
        (b"SECRET", "bytes of 6"),
        ([], "list of 0"),
        ([1, "SECRET", None], "list of 3 (int, str, NoneType)"),
        (["SECRET"] * 4, "list of 4 (str, str, str, ...)"),
        ({"SECRET": 1}, "dict of 1 (str: int)"),
        (("SECRET",), "tuple of 1 (str)"),
        (OrderedDict(a=1), "collections.OrderedDict of 1"),
        (deque([1, 2]), "collections.deque of 2"),
        (date(2026, 1, 2), "datetime.date"),
        (numpy.zeros((3, 4)), "numpy.ndarray of shape (3, 4), float64"),
        (numpy.array(["SECRET"]), "numpy.ndarray of shape (1,), <U6"),
        (FRAME, "pandas.DataFrame of shape (2, 2) with columns 'price', 'name'"),
        (FRAME["price"], "pandas.Series of shape (2,), float64"),
        (FRAME[:0], "pandas.DataFrame of shape (0, 2) with columns 'price', 'name'"),
        (polars.DataFrame({"a": [1], "b": ["SECRET"]}), "polars.dataframe.frame.DataFrame of shape "
         "(1, 2) with columns 'a', 'b'"),
        (polars.Series("s", [1]), "polars.series.series.Series of shape (1,), Int64"),
        (pandas.DataFrame({7: [1], "x" * 41: [2], (1, 2): [3], date(2026, 1, 2): [4]}),
         "pandas.DataFrame of shape (1, 4) with columns 7, <class 'str'>, <class 'tuple'>, "
         "<class 'datetime.date'>"),
        (Endless(), f"tests.notebook.cell.test_failed_cell.Endless of shape (1, 1000000000) with "
         f"columns {WIDE}"),
        (Broken(), "tests.notebook.cell.test_failed_cell.Broken"),
        (BrokenColumns(), "tests.notebook.cell.test_failed_cell.BrokenColumns"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_value_is_described_by_its_type_size_and_shape(value: Any, description: str) -> None:
    """An array has its element type, a table its columns; nothing of what is in them is said."""
    assert describe_value(value).replace("pandas.core.frame.", "pandas.").replace(
        "pandas.core.series.", "pandas.") == description  # fmt: skip
