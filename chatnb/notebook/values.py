"""The notebook's values as texts for models: tables, sources, and whatever raises errors."""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Callable
from itertools import chain
from types import FunctionType
from typing import Any

from chatnb.notebook.widgets.formatting import count, markdown_table
from chatnb.redaction import is_secret_name

_MAX_ROWS = 30
_MAX_COLUMNS = 20
_MAX_CELL_CHARACTERS = 80


def as_text(value: Any) -> str:
    """Write a value the way a model reads it best."""
    return text_and_cut(value)[0]


def text_and_cut(value: Any) -> tuple[str, str]:
    """Return a value as text, and what of it is left out, such as "the first 30 of 200 rows"."""
    # A DataFrame or Series of pandas or polars becomes a Markdown table, cut to 30 rows and 20
    # columns with a note; a function, method or class becomes its source; all else is `str(value)`.
    if isinstance(value, type | FunctionType) or inspect.ismethod(value):
        return _source(value), ""
    library = _library_of(value)
    if library is not None:
        return _table(value, _TABLES[library])
    if type(value).__module__ == "IPython.core.display" and isinstance(value.data, str):
        return value.data, ""  # HTML, Markdown and the like.
    text = str(value)
    return text, "numpy's short form was sent" if _is_summarized(value) else ""


def is_table(value: Any) -> bool:
    """Return whether a value is a DataFrame or Series, which becomes a Markdown table."""
    return _library_of(value) is not None


def _library_of(value: Any) -> str | None:
    """Return the library of a DataFrame or Series, or None for another value."""
    library = type(value).__module__.partition(".")[0]
    is_table = library in _TABLES and type(value).__name__ in ("DataFrame", "Series")
    return library if is_table else None


def _is_summarized(value: Any) -> bool:
    numpy: Any = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.ndarray):
        return False
    return bool(value.size > numpy.get_printoptions()["threshold"])


def _source(value: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(value)).rstrip()
    except (OSError, TypeError):
        return repr(value)


def _pandas_rows(frame: Any) -> list[list[Any]]:
    frame = frame.iloc[:_MAX_ROWS, :_MAX_COLUMNS]
    rows = zip(frame.index, frame.to_numpy(), strict=True)
    return [[frame.index.name or "", *frame.columns], *([label, *row] for label, row in rows)]


def _polars_rows(frame: Any) -> list[list[Any]]:
    frame = frame[:_MAX_ROWS, :_MAX_COLUMNS]
    return [list(frame.columns), *(list(row) for row in frame.iter_rows())]


_TABLES: dict[str, Callable[[Any], list[list[Any]]]] = {
    "pandas": _pandas_rows,
    "polars": _polars_rows,
}


def _table(value: Any, rows_of: Callable[[Any], list[list[Any]]]) -> tuple[str, str]:
    header, *rows = rows_of(value.to_frame() if type(value).__name__ == "Series" else value)
    cells = [list(map(_cell, row)) for row in (header, ["---"] * len(header), *rows)]
    text = markdown_table(cells)
    height, width = (*value.shape, 1)[:2]
    sizes = ((_MAX_ROWS, height, "rows"), (_MAX_COLUMNS, width, "columns"))
    shown = " and ".join(f"{most} of {all_} {what}" for most, all_, what in sizes if all_ > most)
    long = sum(len(cell) == _MAX_CELL_CHARACTERS and cell[-1] == "…" for cell in chain(*cells))
    cut = [f"the first {shown} were sent" if shown else ""]
    if long:
        cut.append(f"{count(long, 'long cell')} cut to {_MAX_CELL_CHARACTERS} characters")
    text += f"\n\n(The first {shown} are shown.)" if shown else ""
    return text, ", ".join(filter(None, cut))


def _cell(value: Any) -> str:
    text = " ".join(written(value, str).split()).replace("|", "\\|")
    return text if len(text) <= _MAX_CELL_CHARACTERS else text[: _MAX_CELL_CHARACTERS - 1] + "…"


def written(value: Any, write: Callable[[Any], str]) -> str:
    """Return a value's `str` or `repr`; its type, if the code of its class raises an error."""
    try:
        return write(value)
    except Exception:  # Anything, as a limit of digits.
        return f"<{type(value).__name__}>"


def without_secrets(table: Any) -> tuple[Any, list[str]]:
    """Return a table without the values that are secret by their columns' names, and the names."""
    index = getattr(getattr(table, "index", None), "names", ())
    hidden = [str(name) for name in index if is_secret_name(str(name))]
    if hidden:
        table = table.reset_index(drop=True)
    if not hasattr(table, "columns"):  # A Series.
        name = str(table.name)
        return (table[:0], [*hidden, name]) if is_secret_name(name) else (table, hidden)
    names = list(map(str, table.columns))
    kept = [place for place, name in enumerate(names) if not is_secret_name(name)]
    if len(kept) == len(names):
        return table, hidden
    # By their places: pandas has columns of one name.
    shown = table.iloc[:, kept] if hasattr(table, "iloc") else table[:, kept]
    return shown, [*hidden, *filter(is_secret_name, names)]
