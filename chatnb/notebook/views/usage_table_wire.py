"""What a browser is told of a usage table: columns, for rows would say every name in every row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chatnb.notebook.views.usage_table_columns import COLUMNS, Column, one_line, shown_columns
from chatnb.notebook.views.usage_table_data import data_of
from chatnb.notebook.views.usage_table_static import prices_note
from chatnb.schema.model_call import ModelCall

_LONGEST_TEXT = 200
_DECIMALS = {"dollars": 9, "seconds": 6}


def usage_wire(calls: Sequence[ModelCall]) -> dict[str, Any]:
    """A table as it goes to browsers.

    Args:
        calls: The rows.

    Returns:
        `length`, the number of rows; `note`, where the prices are from; and `columns`, those of
        which anything is known: each with its `name`, `title` and `kind` and its `values`, None
        where one is not known. Texts are numbers of `words`, so that each is said once; of flags
        there are the numbers of the rows that have them.

    Example:
        >>> usage_wire([ModelCall("m"), ModelCall("m")])["columns"]
        [{'name': 'model', 'title': 'Model', 'kind': 'text', 'values': [0, 0], 'words': ['m']}]
    """
    shown = shown_columns(calls)
    asked = [c for c in COLUMNS if c in shown or (not c.title and any(map(c.value, calls)))]
    data = data_of(calls, asked)
    return {
        "length": len(calls),
        "note": prices_note(calls),
        "columns": [_column(column, data[column.name]) for column in asked],
    }


def _column(column: Column, values: Sequence[Any]) -> dict[str, Any]:
    about = {"name": column.name, "title": column.title, "kind": column.kind}
    if column.kind == "text":
        numbers: dict[str | None, int] = {}
        lines = [None if text is None else one_line(text, _LONGEST_TEXT) for text in values]
        told = [None if each is None else numbers.setdefault(each, len(numbers)) for each in lines]
        return {**about, "values": told, "words": list(numbers)}
    if column.kind == "flag":
        return {**about, "values": [at for at, flag in enumerate(values) if flag]}
    if column.kind == "count":
        return {**about, "values": values}
    decimals = _DECIMALS[column.kind]
    return {**about, "values": [None if each is None else round(each, decimals) for each in values]}
