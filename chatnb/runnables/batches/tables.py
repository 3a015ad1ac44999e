"""Tables of prompts: a callable that adds replies to a table, for any engine of tables."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import copy_context
from dataclasses import asdict, is_dataclass
from functools import partial
from importlib import import_module
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from chatnb.concurrency.pickling import dumps
from chatnb.errors import error_line
from chatnb.runnables.batches.batch import BatchOptions, values_of
from chatnb.schema.message_types import BaseMessage
from chatnb.tracing.usage_tracking import UsageTotals, track_calls_in_context

if TYPE_CHECKING:
    from chatnb.runnables.base import Runnable

Columns = dict[str, list[Any]]
ColumnType = Literal["text", "int", "float", "any"]
_TABLE_CLASSES = ("DataFrame", "Table", "RecordBatch")
_OWN_COLUMNS: dict[str, ColumnType] = {"tokens": "int", "cost": "float", "error": "text"}


def mapper(
    chain: Runnable[Any, Any],
    columns: str | Mapping[str, str],
    into: str = "reply",
    *,
    fields: Sequence[str] = (),
    max_concurrency: int | None = None,
    checkpoint: str | Path | None = None,
    send_keys: bool = False,
) -> TableMapper:
    """Return a callable that adds replies to a table, one a row; a row that fails has its error.

    It takes and returns a table of pandas, polars or Arrow, a dict of columns, a list of dicts, or
    an iterator of these, and can be pickled: `frame.map_partitions(ask, meta=ask.meta(frame))` of
    Dask, `dataset.map_batches(ask)` of Ray, `frame.mapInPandas(ask, schema)` of Spark.

    Args:
        chain: A chat model, or any runnable.
        columns: The column of the inputs; or, for inputs that are dicts, the column of each of
            their keys. A chat model takes one column.
        into: The column of the replies. It names the others: `reply_tokens`, `reply_cost`,
            `reply_error`, and `reply_NAME` of each field.
        fields: The names of fields of replies that are dicts or objects, such as those of
            `with_structured_output`; each gets a column.
        max_concurrency: The number of rows that run at a time; 64 by default.
        checkpoint: A file of replies: a table that is mapped again requests only what is missing.
        send_keys: True if pickles have API keys, which workers otherwise have in their environment.

    A row without a value has an error, and makes no call.

    Raises:
        ValueError: If a new column would replace a column of inputs, or another new one.
        KeyError: When it is called, if the table has no such column.
        TypeError: When it is called with something else than a table.

    Example:
        >>> from chatnb import ScriptedChatModel
        >>> ask = mapper(ScriptedChatModel(["Hello."]), "prompt")
        >>> ask([{"prompt": "Hi"}])[0]["reply"]
        'Hello.'
    """
    return TableMapper(chain, columns, into, tuple(fields), max_concurrency, checkpoint, send_keys)


class TableMapper:
    """A callable that adds replies to tables; `mapper` makes one."""

    def __init__(
        self,
        chain: Runnable[Any, Any],
        columns: str | Mapping[str, str],
        into: str,
        fields: tuple[str, ...],
        max_concurrency: int | None,
        checkpoint: str | Path | None,
        send_keys: bool,
    ) -> None:
        if not columns or not isinstance(columns, str | Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError('mapper takes a column, or columns by key: {"prompt": "question"}')
        if isinstance(columns, Mapping) and len(columns) == 1 and chain.run_type == "llm":
            [columns] = columns.values()
        self._chain = chain
        self._columns = columns if isinstance(columns, str) else dict(columns)
        self._into = into
        self._fields = fields
        self._types = _new_columns(into, fields)
        given = {columns} if isinstance(columns, str) else {*columns.values()}
        if taken := sorted(given & self._types.keys()):
            raise ValueError(f"into={into!r} would replace the prompts in {taken[0]!r}: rename it")
        self._options = BatchOptions(
            max_concurrency, return_exceptions=True, checkpoint=checkpoint, progress=False
        )
        self._send_keys = send_keys

    def __reduce__(self) -> tuple[Any, ...]:
        return _load, (dumps(vars(self), send_keys=self._send_keys),)

    def __repr__(self) -> str:
        return f"mapper({self._chain!r}, {self._columns!r}, into={self._into!r})"

    def __call__(self, table: Any) -> Any:
        """Return the table with the columns of the replies."""
        if isinstance(table, Iterator):
            return map(self, cast("Iterator[Any]", table))
        names = [self._columns] if isinstance(self._columns, str) else [*self._columns.values()]
        return _with_columns(table, self._reply_columns(_columns_of(table, names)), self._types)

    def meta(self, table: Any) -> Any:
        """Return the empty table that a table would become; engines need its columns.

        Args:
            table: A table, or a frame of Dask.
        """
        table = getattr(table, "_meta", table)
        return self(table[:0])

    def _reply_columns(self, columns: Columns) -> Columns:
        inputs = self._inputs(columns)
        totals = [UsageTotals() for _ in inputs]
        missing = self._missing(columns)
        calls = [partial(self._call, *row) for row in zip(inputs, totals, missing, strict=True)]
        outputs = values_of(calls, self._options)
        rows = [self._row(outputs[index], total) for index, total in enumerate(totals)]
        return {name: [row[number] for row in rows] for number, name in enumerate(self._types)}

    def _missing(self, columns: Columns) -> list[str]:
        """Return the name of a column without a value for each row, or an empty text."""
        found = [""] * len(next(iter(columns.values())))
        for name, values in columns.items():
            found = [name if _is_missing(v) else f for v, f in zip(values, found, strict=True)]
        return found

    def _inputs(self, columns: Columns) -> list[Any]:
        if isinstance(self._columns, str):
            return columns[self._columns]
        keys = list(self._columns)
        rows = zip(*(columns[self._columns[key]] for key in keys), strict=True)
        return [dict(zip(keys, row, strict=True)) for row in rows]

    def _call(self, input: Any, totals: UsageTotals, missing: str) -> Any:
        if missing:
            raise ValueError(f"The row has no value in the column {missing!r}, and was not sent.")
        context = copy_context()
        context.run(track_calls_in_context, totals)
        return context.run(self._chain.invoke, input)

    def _row(self, output: Any, totals: UsageTotals) -> list[Any]:
        usage, cost = totals.usage, totals.cost
        if isinstance(output, Exception):
            tokens = usage["total_tokens"] if usage else None
            return [None, *(None for _ in self._fields), tokens, cost, error_line(output)]
        if usage is None:  # The reply was in the checkpoint.
            usage, cost = self._chain.usage_of_run(output), self._chain.cost_of_run(output)
        spent = [usage["total_tokens"] if usage else None, cost]
        fields = [_field(output, name) for name in self._fields]
        return [_text(output), *fields, *spent, None]


def _load(pickled: bytes) -> TableMapper:
    loaded = TableMapper.__new__(TableMapper)
    vars(loaded).update(pickle.loads(pickled))
    return loaded


def _text(output: Any) -> str:
    if isinstance(output, BaseMessage):
        return output.text
    if hasattr(output, "model_dump_json"):
        return output.model_dump_json()
    if is_dataclass(output) and not isinstance(output, type):
        output = asdict(output)
    return (
        output if isinstance(output, str) else json.dumps(output, ensure_ascii=False, default=str)
    )


def _field(output: Any, name: str) -> Any:
    if isinstance(output, Mapping):
        return cast("Mapping[str, Any]", output).get(name)
    return getattr(output, name, None)


def _library(table: Any) -> str:
    return type(table).__module__.split(".")[0]


def _columns_of(table: Any, names: list[str]) -> Columns:
    """Return columns of a table as lists."""
    if isinstance(table, list):
        rows = cast("list[dict[str, Any]]", table)
        known: Sequence[Any] = [*rows[0]] if rows else names
        columns: Columns = {name: [row.get(name) for row in rows] for name in names}
    elif isinstance(table, dict):
        known, columns = [*cast("dict[str, Any]", table)], {}
    elif _library(table) in _NEW_COLUMNS and type(table).__name__ in _TABLE_CLASSES:
        known, columns = getattr(table, "column_names", None) or list(table.columns), {}
    else:
        raise TypeError(
            "A mapper takes a DataFrame of pandas or polars, a Table of Arrow, a dict of columns "
            f"or a list of dicts, not {type(table).__name__}"
        )
    for name in names:
        if known.count(name) > 1:
            raise ValueError(f"The table has {known.count(name)} columns {name!r}: rename them")
        if name not in known:
            shown = ", ".join(map(str, known))
            raise KeyError(f"The table has no column {name!r}; it has {shown}")
    if columns:
        return columns
    whole = cast("Any", table)
    return {name: _as_list(whole[name]) for name in names}


def _as_list(column: Any) -> list[Any]:
    for method in ("to_pylist", "to_list", "tolist"):
        if hasattr(column, method):
            return getattr(column, method)()
    return list(column)


def _with_columns(table: Any, columns: Columns, types: Mapping[str, ColumnType]) -> Any:
    if isinstance(table, list):
        rows = zip(*columns.values(), strict=True)
        added = [dict(zip(columns, row, strict=True)) for row in rows]
        given = cast("list[dict[str, Any]]", table)
        return [{**row, **new} for row, new in zip(given, added, strict=True)]
    if isinstance(table, dict):
        given = cast("dict[str, Any]", table)
        if any(_library(column) == "numpy" for column in given.values()):
            array = import_module("numpy").array
            return {**given, **{k: array(v, dtype=object) for k, v in columns.items()}}
        return {**given, **columns}
    return _NEW_COLUMNS[_library(table)](table, columns, types)


def _with_pandas_columns(table: Any, columns: Columns, types: Mapping[str, ColumnType]) -> Any:
    pandas: Any = import_module("pandas")
    own = {"int": "Int64", "float": "float64", "text": "object", "any": "object"}
    return table.assign(
        **{
            name: pandas.Series(values, index=table.index, dtype=own[types[name]])
            for name, values in columns.items()
        }
    )


def _with_polars_columns(table: Any, columns: Columns, types: Mapping[str, ColumnType]) -> Any:
    polars: Any = import_module("polars")
    own = {"int": polars.Int64, "float": polars.Float64, "text": polars.String, "any": None}
    return table.with_columns(
        polars.Series(name, values, dtype=own[types[name]], strict=False)
        for name, values in columns.items()
    )


def _with_arrow_columns(table: Any, columns: Columns, types: Mapping[str, ColumnType]) -> Any:
    arrow: Any = import_module("pyarrow")
    own = {"int": arrow.int64(), "float": arrow.float64(), "text": arrow.string(), "any": None}
    names = [name for name in table.column_names if name not in columns]
    arrays = [table.column(name) for name in names]
    arrays += [arrow.array(v, type=own[types[name]]) for name, v in columns.items()]
    table_class = cast("Any", type(table))
    return table_class.from_arrays(arrays, names=[*names, *columns])


def _new_columns(into: str, fields: Sequence[str]) -> dict[str, ColumnType]:
    """Return the columns that a mapper adds, which have their type in tables without rows, too."""
    if taken := [name for name in fields if name in _OWN_COLUMNS or fields.count(name) > 1]:
        raise ValueError(f"fields= cannot name {taken[0]!r}: there is a column {into}_{taken[0]}")
    columns: dict[str, ColumnType] = {into: "text"}
    columns.update((f"{into}_{name}", "any") for name in fields)
    columns.update((f"{into}_{name}", kind) for name, kind in _OWN_COLUMNS.items())
    return columns


def _is_missing(value: Any) -> bool:
    """Return whether a cell has no value, as the libraries of tables say so."""
    not_a_number = isinstance(value, float) and isnan(value)
    return value is None or not_a_number or type(value).__name__ in ("NAType", "NaTType")


_NEW_COLUMNS: dict[str, Callable[[Any, Columns, Mapping[str, ColumnType]], Any]] = {
    "pandas": _with_pandas_columns,
    "polars": _with_polars_columns,
    "pyarrow": _with_arrow_columns,
}
