"""A usage table as a data frame or as CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from chatnb.notebook.usage_table.columns import COLUMNS
from chatnb.optional_packages import installed
from chatnb.schema.model_call import ModelCall

if TYPE_CHECKING:
    import pandas
    import polars

# Behind spaces and quotation marks, too, and behind what ends a cell elsewhere: in many countries
# spreadsheets part cells at semicolons, and see no quotation mark that stands within one.
_FORMULA = re.compile('(?:^|[;\t\r\n])[ "]*(?=[=+@\uff1d\uff0b\uff0d\uff20-])|^(?=[\t\r\n])')
_PANDAS = {"text": "object", "count": "Int64", "dollars": "Float64", "seconds": "Float64"}
_POLARS = {"text": "String", "count": "Int64", "dollars": "Float64", "seconds": "Float64"}


def pandas_frame(calls: Sequence[ModelCall]) -> pandas.DataFrame:
    """Return the calls as a data frame of pandas; unknown values are missing, of integers too."""
    pandas = installed("pandas", "to_pandas")
    types = {column.name: _PANDAS.get(column.kind, "bool") for column in COLUMNS}
    data = _values_by_column(calls).items()
    return pandas.DataFrame(
        {name: pandas.Series(values, dtype=types[name]) for name, values in data}
    )


def polars_frame(calls: Sequence[ModelCall]) -> polars.DataFrame:
    """Return the calls as a data frame of polars; unknown values are null."""
    polars = installed("polars", "to_polars")
    types = {c.name: getattr(polars, _POLARS.get(c.kind, "Boolean")) for c in COLUMNS}
    return polars.DataFrame(_values_by_column(calls), schema=types)


def csv_text(calls: Sequence[ModelCall]) -> str:
    """Return the calls as CSV with a header; unknown values are empty, formulas are text."""
    data = _values_by_column(calls)
    # With this line end the writer quotes fields with a carriage return, too, which else end a row.
    rows = [data, *(map(_as_text, row) for row in zip(*data.values(), strict=True))]
    return "".join(_csv_row(row).removesuffix("\r\n") + "\n" for row in rows)


def _csv_row(values: Iterable[Any]) -> str:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\r\n").writerow(values)
    return file.getvalue()


def _as_text(value: Any) -> Any:
    """Return a cell that spreadsheets show as it is, and do not run as a formula."""
    # Source: https://owasp.org/www-community/attacks/CSV_Injection
    return _FORMULA.sub(r"\g<0>'", value) if isinstance(value, str) else value


def _values_by_column(calls: Sequence[ModelCall]) -> dict[str, list[Any]]:
    return {column.name: [column.value(call) for call in calls] for column in COLUMNS}
