"""What a prompt says once the notebook's values are put into it."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

_REFERENCE = re.compile(
    r"""
    (?P<name>[^\W\d]\w*)
    (?P<path>(?: \.[^\W\d]\w* | \[-?\d+\] | \[(?:'[^'\]\n]*'|"[^"\]\n]*")\] )*)
    """,
    re.VERBOSE,
)
_STEP = re.compile(
    r"""\.(?P<attribute>\w+) | \[(?P<index>-?\d+)\] | \[['"](?P<key>[^\]]*)['"]\]""", re.X
)
_UNTOUCHED = re.compile(
    r"""
      \{\{ (?P<escaped> [^{}\s][^{}\n]*? ) \}\}
    | \{\{ .*? \}\} | \{% .*? %\} | \{\# .*? \#\}
    | (?<![\w\\]) (?: [fF][rR]? | [rR][fF] ) (?P<quote> \"\"\" | ''' | " | ' )
        (?: \\. | (?!(?P=quote)). )*? (?P=quote)
    | (?: \\[a-zA-Z]+\*? | [\^_] ) (?: \[[^\]\n]*\] )? (?: \{[^{}\n]*\} )+
    | \{ (?P<reference> [^{}\n]+ ) \}
    """,
    re.VERBOSE | re.DOTALL,
)
_MOST_ROWS = 30
_MOST_COLUMNS = 20
_MOST_CELL_CHARACTERS = 80


def fill(template: str, namespace: Mapping[str, Any]) -> str:
    """Put the values of variables into a prompt.

    `{name}`, `{name.attribute}`, `{name[0]}` and `{name["key"]}` are replaced when `name` is a
    variable; every other brace stays as it is, and so do the braces of f-strings, of LaTeX
    commands and of Jinja. `{{name}}` writes `{name}`.

    Args:
        template: The prompt as it was typed.
        namespace: The variables by name.

    Returns:
        The prompt with the values' text: tables as Markdown, functions and classes as source.

    Raises:
        LookupError: If a variable has no such item.
        AttributeError: If a variable has no such attribute.

    Example:
        >>> fill('{n} of {"n": 1}, {{n}}, {unknown}', {"n": 3})
        '3 of {"n": 1}, {n}, {unknown}'
    """
    return _UNTOUCHED.sub(lambda match: _filled(match, namespace), template)


def _filled(match: re.Match[str], namespace: Mapping[str, Any]) -> str:
    escaped, reference = match["escaped"], match["reference"]
    if escaped is not None and _parse(escaped, namespace):
        return "{" + escaped + "}"
    parsed = _parse(reference, namespace) if reference is not None else None
    if parsed is None:
        return match[0]
    return as_text(_value(parsed, namespace))


def _parse(reference: str, namespace: Mapping[str, Any]) -> re.Match[str] | None:
    parsed = _REFERENCE.fullmatch(reference)
    return parsed if parsed and parsed["name"] in namespace else None


def _value(parsed: re.Match[str], namespace: Mapping[str, Any]) -> Any:
    value = namespace[parsed["name"]]
    for step in _STEP.finditer(parsed["path"]):
        try:
            value = _item(value, step)
        except (LookupError, AttributeError, TypeError) as error:
            raise LookupError(
                f"{{{parsed[0]}}} in the prompt: {parsed['name']!r} has no {step[0]!r} "
                f"({type(error).__name__}: {error}). Write {{{{{parsed[0]}}}}} for literal braces."
            ) from error
    return value


def _item(value: Any, step: re.Match[str]) -> Any:
    if step["attribute"] is not None:
        return getattr(value, step["attribute"])
    return value[int(step["index"]) if step["index"] is not None else step["key"]]


def as_text(value: Any) -> str:
    """Write a value the way a model reads it best.

    Args:
        value: Anything. A pandas or polars DataFrame or Series becomes a Markdown table of at
            most 30 rows and 20 columns that says what was cut; a function, method or class
            becomes its source; everything else is `str(value)`.

    Example:
        >>> as_text(3.5)
        '3.5'
    """
    if isinstance(value, type | FunctionType) or inspect.ismethod(value):
        return _source(value)
    kind = type(value)
    library = kind.__module__.partition(".")[0]
    if library in _TABLES and kind.__name__ in ("DataFrame", "Series"):
        return _table(value, _TABLES[library])
    return str(value)


def _source(value: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(value)).rstrip()
    except (OSError, TypeError):
        return repr(value)


def _pandas_rows(frame: Any) -> list[list[Any]]:
    header = [frame.index.name or "", *frame.columns]
    return [
        header,
        *([label, *row] for label, row in zip(frame.index, frame.to_numpy(), strict=True)),
    ]


def _polars_rows(frame: Any) -> list[list[Any]]:
    return [list(frame.columns), *(list(row) for row in frame.iter_rows())]


_TABLES: dict[str, Callable[[Any], list[list[Any]]]] = {
    "pandas": _pandas_rows,
    "polars": _polars_rows,
}


def _table(value: Any, rows_of: Callable[[Any], list[list[Any]]]) -> str:
    frame = value.to_frame() if type(value).__name__ == "Series" else value
    height, width = frame.shape
    header, *rows = rows_of(frame[:_MOST_ROWS][list(frame.columns)[:_MOST_COLUMNS]])
    lines = [_row(header), _row(["---"] * len(header)), *(_row(row) for row in rows)]
    cut = [
        f"{most} of {total} {what}"
        for most, total, what in (
            (_MOST_ROWS, height, "rows"),
            (_MOST_COLUMNS, width, "columns"),
        )
        if total > most
    ]
    return "\n".join(lines) + (f"\n\n(The first {' and '.join(cut)} are shown.)" if cut else "")


def _row(cells: list[Any]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(value: Any) -> str:
    text = " ".join(str(value).split()).replace("|", "\\|")
    return text if len(text) <= _MOST_CELL_CHARACTERS else text[: _MOST_CELL_CHARACTERS - 1] + "…"
