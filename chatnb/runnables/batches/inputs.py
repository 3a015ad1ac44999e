"""The inputs of a batch: any iterable of what `invoke` takes."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import Any, cast

_RECORDS = {
    "pandas": 'to_dict("records")',
    "polars": "to_dicts()",
    "pyarrow": "to_pylist()",
}
_TABLES = ("DataFrame", "Table", "RecordBatch")
_ARROW_COLUMNS = ("Array", "ChunkedArray")


def check_inputs(inputs: object) -> Iterable[Any] | AsyncIterable[Any]:
    """Return the inputs of a batch; raise a TypeError for what is one input, or a table."""
    if library := _library_of_table(inputs):
        table: Any = inputs
        columns = [*(table.column_names if library == "pyarrow" else table.columns)]
        column = columns[0] if columns else "COLUMN"
        raise TypeError(
            f"A batch takes a list of inputs, not a {type(table).__name__}. Write "
            f"df[{column!r}] for the texts of a column, or df.{_RECORDS[library]} for a dict of "
            "each row, as a prompt takes it."
        )
    if isinstance(inputs, str | bytes | Mapping):
        raise TypeError(
            "A batch takes a list of inputs, not "
            f"{type(cast('object', inputs)).__name__}. Put one input into a list: [input]."
        )
    if not isinstance(inputs, Iterable | AsyncIterable):
        raise TypeError(f"A batch takes a list of inputs, not {type(inputs).__name__}")
    values = cast("Any", inputs)
    # The items of Arrow's columns are scalars of its own.
    return values.to_pylist() if _is_arrow_column(values) else values


def input_list(inputs: object) -> Sequence[Any]:
    """Return the inputs of a batch that needs all of them, as a list."""
    checked = check_inputs(inputs)
    if isinstance(checked, Sequence):
        return checked
    if isinstance(checked, Iterable):
        return list(checked)
    raise TypeError(
        f"A batch takes a list of inputs, not {type(inputs).__name__}. map() and "
        "batch_as_completed() take asynchronous iterables."
    )


def _library_of_table(value: object) -> str | None:
    """Return the library of a DataFrame, which would be iterated over by its columns."""
    library = _library(value)
    return library if library in _RECORDS and type(value).__name__ in _TABLES else None


def _is_arrow_column(value: object) -> bool:
    names = {base.__name__ for base in type(value).__mro__}
    return _library(value) == "pyarrow" and not names.isdisjoint(_ARROW_COLUMNS)


def _library(value: object) -> str:
    return type(value).__module__.partition(".")[0]
