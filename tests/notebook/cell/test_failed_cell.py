"""The description of values that a model is given in place of them."""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import date
from typing import Any

import numpy
import pandas
import polars
import pytest
from IPython.core.interactiveshell import InteractiveShell

from chatnb.notebook.cell.failed_cell import (
    cell_number,
    describe_value,
    failed_cell,
    last_error,
)


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
        (
            numpy.zeros(2, dtype=[("price", int), ("x" * 41, int)]),
            "numpy.ndarray of shape (2,), records with fields 'price', <class 'str'>",
        ),
        (
            polars.Series("s", ["SECRET"], dtype=polars.Enum(["SECRET"])),
            "polars.series.series.Series of shape (1,), Enum",
        ),
        (
            pandas.Series(pandas.to_datetime(["2026-01-01"]).tz_localize("Europe/Oslo")),
            "pandas.Series of shape (1,), datetime64[us, Europe/Oslo]",
        ),
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


# Cells that fail; the line, the variables and the traceback of each.
FAILED: list[tuple[str, int, dict[str, str], list[str]]] = [
    (
        "x = 'Oslo'\n1 / 0",
        2,
        {"x": "str of 4"},
        [
            "Traceback (most recent call last):",
            "  Cell In[N], line 2, in <module>",
            "    1 / 0",
            "ZeroDivisionError: division by zero",
        ],
    ),
    (
        "exec('1 / 0')",
        1,
        {},
        [
            "Traceback (most recent call last):",
            "  Cell In[N], line 1, in <module>",
            "    exec('<5 characters, no. 0>')",
            "  File <string>, line 1, in <module>",
            "ZeroDivisionError: division by zero",
        ],
    ),
    (
        "raise ValueError('Oslo is odd')",
        1,
        {},
        [
            "Traceback (most recent call last):",
            "  Cell In[N], line 1, in <module>",
            "    raise ValueError('<11 characters, no. 0>')",
            "ValueError: <11 characters>",
        ],
    ),
    (
        "raise ValueError",
        1,
        {},
        [
            "Traceback (most recent call last):",
            "  Cell In[N], line 1, in <module>",
            "    raise ValueError",
            "ValueError",
        ],
    ),
    (
        "int('Oslo')",
        1,
        {},
        [
            "Traceback (most recent call last):",
            "  Cell In[N], line 1, in <module>",
            "    int('<4 characters, no. 0>')",
            "ValueError: invalid literal for int() with base 10: '<4 characters, no. 0>'",
        ],
    ),
    (
        "def f(a):\n    return a['key']\nf({})",
        2,
        {"a": "dict of 0"},
        [
            "Traceback (most recent call last):",
            "  Cell In[N], line 3, in <module>",
            "    f({})",
            "  Cell In[N], line 2, in f",
            "    return a['key']",
            "KeyError: 'key'",
        ],
    ),
    (
        "assert 1 == 2, 'Oslo'",
        1,
        {},
        [
            "Traceback (most recent call last):",
            "  Cell In[N], line 1, in <module>",
            "    assert 1 == 2, '<4 characters, no. 0>'",
            "AssertionError: <4 characters>",
        ],
    ),
    (
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('Oslo') from e",
        4,
        {},
        [
            "Traceback (most recent call last):",
            "  Cell In[N], line 2, in <module>",
            "    1 / 0",
            "ZeroDivisionError: division by zero",
            "",
            "Then:",
            "",
            "Traceback (most recent call last):",
            "  Cell In[N], line 4, in <module>",
            "    raise KeyError('<4 characters, no. 0>') from e",
            "KeyError: <6 characters>",
        ],
    ),
    (
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise KeyError('Oslo') from None",
        4,
        {},
        [
            "Traceback (most recent call last):",
            "  Cell In[N], line 4, in <module>",
            "    raise KeyError('<4 characters, no. 0>') from None",
            "KeyError: <6 characters>",
        ],
    ),
    (
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    undefined",
        4,
        {},
        [
            "Traceback (most recent call last):",
            "  Cell In[N], line 2, in <module>",
            "    1 / 0",
            "ZeroDivisionError: division by zero",
            "",
            "Then:",
            "",
            "Traceback (most recent call last):",
            "  Cell In[N], line 4, in <module>",
            "    undefined",
            "NameError: name 'undefined' is not defined",
        ],
    ),
    (
        "def f(n):\n    return f(n - 1) if n else 1 / 0\nf(3)",
        2,
        {"n": "int"},
        [
            "Traceback (most recent call last):",
            "  Cell In[N], line 3, in <module>",
            "    f(3)",
            "  Cell In[N], line 2, in f",
            "    return f(n - 1) if n else 1 / 0",
            "  Cell In[N], line 2, in f",
            "    return f(n - 1) if n else 1 / 0",
            "  Cell In[N], line 2, in f",
            "    return f(n - 1) if n else 1 / 0",
            "  Cell In[N], line 2, in f",
            "    return f(n - 1) if n else 1 / 0",
            "ZeroDivisionError: division by zero",
        ],
    ),
    (
        "[1][5]",
        1,
        {},
        [
            "Traceback (most recent call last):",
            "  Cell In[N], line 1, in <module>",
            "    [1][5]",
            "IndexError: list index out of range",
        ],
    ),
    (
        "async def f():\n    1 / 0\nawait f()",
        2,
        {},
        [
            "Traceback (most recent call last):",
            "  Cell In[N], line 3, in <module>",
            "    await f()",
            "  Cell In[N], line 2, in f",
            "    1 / 0",
            "ZeroDivisionError: division by zero",
        ],
    ),
    (
        "exec('x = (', {})",
        1,
        {},
        [
            "Traceback (most recent call last):",
            "  Cell In[N], line 1, in <module>",
            "    exec('<5 characters, no. 0>', {})",
            "SyntaxError: '(' was never closed",
        ],
    ),
    (
        "compile('x = (', 'my.py', 'exec')",
        1,
        {},
        [
            "Traceback (most recent call last):",
            "  Cell In[N], line 1, in <module>",
            "    compile('<5 characters, no. 0>', '<5 characters, no. 1>', "
            "'<4 characters, no. 2>')",
            "SyntaxError: '(' was never closed",
        ],
    ),
]


@pytest.mark.parametrize(("source", "line", "values", "traceback"), FAILED)
def test_a_failed_cell_is_told_without_its_values(
    bare_shell: InteractiveShell,
    source: str,
    line: int,
    values: dict[str, str],
    traceback: list[str],
) -> None:
    """Its frames with their code, those of packages by name, and what led to the error."""
    bare_shell.run_line_magic("xmode", "Minimal")
    bare_shell.run_cell(source, store_history=True)
    number = bare_shell.execution_count - 1
    error = last_error()
    assert error is not None
    cell = failed_cell(bare_shell, error)
    assert cell.traceback.splitlines() == [
        text.replace("In[N]", f"In[{number}]") for text in traceback
    ]
    assert (cell.number, cell.line, cell.values, cell.called_from) == (number, line, values, "")
    assert cell_number(bare_shell, error) == number
    told = cell.to_markdown()
    assert told.startswith(f"The cell: It failed at line {line}.\n```python\n")
    assert f"The traceback:\n```text\n{cell.traceback}\n```" in told
    listed = "".join(f"\n- {name}: {value}" for name, value in values.items())
    assert told.endswith(f"Its variables:{listed}" if values else "\n```")


def test_a_function_of_another_cell_is_told_with_the_cell_that_called_it(
    bare_shell: InteractiveShell,
) -> None:
    """The code that failed comes first."""
    bare_shell.run_line_magic("xmode", "Minimal")
    bare_shell.run_cell("def half(n):\n    return n / 0", store_history=True)
    bare_shell.run_cell("size = 7\nhalf(size)", store_history=True)
    error = last_error()
    assert error is not None
    cell = failed_cell(bare_shell, error)
    assert (cell.source, cell.called_from) == (
        "def half(n):\n    return n / 0",
        "size = 7\nhalf(size)",
    )
    assert (cell.number, cell.line, cell.values) == (1, 2, {"n": "int"})
    assert "\n\nIt was called from this cell:\n```python\nsize = 7\n" in cell.to_markdown()
