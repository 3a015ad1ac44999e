"""A usage table as data: columns of plain values, data frames, CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from chatnb.errors import MissingRuntimeError
from chatnb.notebook.views.usage_table_columns import COLUMNS, Column
from chatnb.schema.model_call import ModelCall

if TYPE_CHECKING:
    import pandas
    import polars

_PANDAS = {"text": "object", "count": "Int64", "dollars": "Float64", "seconds": "Float64"}
_POLARS = {"text": "String", "count": "Int64", "dollars": "Float64", "seconds": "Float64"}


def data_of(calls: Sequence[ModelCall], columns: Sequence[Column] = COLUMNS) -> dict[str, Any]:
    """The values of each column by its name; None where one is not known.

    Args:
        calls: The rows.
        columns: The columns to write.

    Example:
        >>> data_of([ModelCall("m")], COLUMNS[1:4])
        {'model': ['m'], 'provider': [None], 'input_tokens': [None]}
    """
    return {column.name: [column.value(call) for call in calls] for column in columns}


def pandas_frame(calls: Sequence[ModelCall]) -> pandas.DataFrame:
    """The calls as a data frame of pandas; what is not known is missing, in integers as well.

    Raises:
        MissingRuntimeError: If pandas is not installed.
    """
    pandas = installed("pandas", "to_pandas")
    types = {column.name: _PANDAS.get(column.kind, "bool") for column in COLUMNS}
    return pandas.DataFrame(
        {name: pandas.Series(values, dtype=types[name]) for name, values in data_of(calls).items()}
    )


def polars_frame(calls: Sequence[ModelCall]) -> polars.DataFrame:
    """The calls as a data frame of polars; what is not known is null.

    Raises:
        MissingRuntimeError: If polars is not installed.
    """
    polars = installed("polars", "to_polars")
    types = {c.name: getattr(polars, _POLARS.get(c.kind, "Boolean")) for c in COLUMNS}
    return polars.DataFrame(data_of(calls), schema=types)


def csv_text(calls: Sequence[ModelCall]) -> str:
    """The calls as CSV, a line a call below a line of names; what is not known is left empty."""
    data = data_of(calls)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(data)
    writer.writerows(zip(*data.values(), strict=True))
    return file.getvalue()


def installed(module: str, method: str) -> Any:
    """Load a module of an optional package.

    Args:
        module: Its name, which begins with the name that pip knows the package by.
        method: What it is needed for.

    Raises:
        MissingRuntimeError: If the package is not installed.

    Example:
        >>> installed("no_such_package.sheets", "to_excel")
        Traceback (most recent call last):
        chatnb.errors.MissingRuntimeError: to_excel needs the package no_such_package. \
Install it with: pip install no_such_package
    """
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise MissingRuntimeError(
            f"{method} needs the package {package}. Install it with: pip install {package}"
        ) from None
