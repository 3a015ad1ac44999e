"""The columns of a usage table: what each holds, and how it is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from chatnb.notebook.views.numbers import duration, price, price_digits
from chatnb.notebook.views.run_tree_text import cut
from chatnb.schema.call_totals import CallTotals, Sum, cost_of, tokens_of
from chatnb.schema.model_call import ModelCall

Kind: TypeAlias = Literal["text", "count", "dollars", "seconds", "flag"]

CACHED = "cached"
"""What stands in place of the cost of a reply out of a cache."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What would act on a terminal, or turn the direction of what follows it."""


class Column(NamedTuple):
    """A column.

    Args:
        name: What data frames and CSV files call it.
        title: What stands above it in tables; nothing where it is in data only.
        kind: How its values are written.
        value: Takes a call, gives its value; None where that is not known.
        total: Takes what calls took together, gives what stands below the column.
    """

    name: str
    title: str
    kind: Kind
    value: Callable[[ModelCall], Any]
    total: Callable[[CallTotals], Sum | float | None] = lambda _: None


def _tokens(name: str) -> Column:
    return Column(
        f"{name}_tokens",
        name.capitalize(),
        "count",
        lambda call: tokens_of(call, name),
        lambda totals: totals.tokens[name],
    )


def _time(name: str, title: str) -> Column:
    return Column(
        name, title, "seconds", lambda call: getattr(call, name), lambda all: getattr(all, name)
    )


COLUMNS: Sequence[Column] = (
    Column("prompt", "Prompt", "text", lambda call: call.prompt or None),
    Column("model", "Model", "text", lambda call: call.model or None),
    Column("provider", "", "text", lambda call: call.provider or None),
    *map(_tokens, ("input", "cached", "reasoning", "output", "total")),
    Column("cost_usd", "Cost", "dollars", cost_of, lambda totals: totals.cost),
    _time("seconds", "Latency"),
    _time("first_seconds", "First token"),
    Column("finish_reason", "Finish", "text", lambda call: call.finish_reason),
    Column("error", "", "text", lambda call: call.error),
    Column("from_cache", "", "flag", lambda call: call.cached),
)
"""All of them, in the order in which they are shown."""


def shown_columns(calls: Sequence[ModelCall]) -> list[Column]:
    """The columns of which anything is known.

    Args:
        calls: The rows.

    Returns:
        Columns with a title. There is always one that says which call a row is of.

    Example:
        >>> [column.name for column in shown_columns([ModelCall("m", seconds=0.5)])]
        ['model', 'seconds']
    """
    asked = [call for call in calls if not call.cached]
    shown = [column for column in COLUMNS if column.title and _is_known(column, calls, asked)]
    named = any(column.name in ("prompt", "model") for column in shown)
    return shown if named else [COLUMNS[0], *shown]


def _is_known(column: Column, calls: Sequence[ModelCall], asked: Sequence[ModelCall]) -> bool:
    """That cached replies took no tokens tells nothing of what the others took."""
    if column.name == "finish_reason":
        return any(call.finish_reason or call.error for call in calls)
    rows = asked if column.kind == "count" else calls
    return any(column.value(call) is not None for call in rows)


class CellWriter:
    """Writes the values of a table as people read them.

    Args:
        calls: All rows of the table: prices have the same digits in each.

    Example:
        >>> call = ModelCall("m", cached=True)
        >>> [CellWriter([call]).cell(column, call) for column in COLUMNS[7:9]]
        ['0', 'cached']
    """

    def __init__(self, calls: Sequence[ModelCall]) -> None:
        self.digits = price_digits(map(cost_of, calls))

    def cell(self, column: Column, call: ModelCall) -> str:
        """The value of a row; nothing where it is not known."""
        if column.name == "cost_usd" and call.cached:
            return CACHED
        if column.name == "finish_reason" and call.error:
            return one_line(call.error)
        return self._written(column, column.value(call))

    def total(self, column: Column, totals: CallTotals) -> tuple[str, str]:
        """What stands below a column, and how much more is not known; of times it is the mean."""
        total = column.total(totals)
        if isinstance(total, Sum):
            known = self._written(column, total.known)
            return known, f"+ {total.unknown:,} unknown" if known and total.unknown else ""
        return (f"avg {duration(total)}", "") if total is not None else ("", "")

    def _written(self, column: Column, value: Any) -> str:
        if value is None:
            return ""
        if column.kind == "count":
            return f"{value:,}"
        if column.kind == "dollars":
            return price(value, self.digits)
        return duration(value) if column.kind == "seconds" else one_line(str(value))


def one_line(text: str, longest: int = 500) -> str:
    """A text for one line of a table.

    Args:
        text: Any text.
        longest: The most characters of it.

    Example:
        >>> one_line("What is\\na \\x1b[31mcell?", 12)
        'What is a \ufffd…'
    """
    # Only so much of a long text is looked at as can be shown.
    line = " ".join(_CONTROL.sub(_visible, text[: 4 * longest]).split())
    kept, more = cut(line, longest)
    if not more:
        return kept
    return f"{cut(line, longest - 1)[0].rstrip()}…"


def _visible(control: re.Match[str]) -> str:
    return " " if control[0].isspace() else "\ufffd"


def told_of(totals: CallTotals) -> str:
    """How many calls there were and how they went.

    Args:
        totals: What they took together.

    Example:
        >>> from chatnb.schema.call_totals import totals_of
        >>> told_of(totals_of([ModelCall("m", error="OSError"), ModelCall("m", cached=True)]))
        '2 calls, 1 failed, 1 from cache'
    """
    parts = [f"{totals.calls:,} call{'' if totals.calls == 1 else 's'}"]
    if totals.failed:
        parts.append(f"{totals.failed:,} failed")
    if totals.from_cache:
        parts.append(f"{totals.from_cache:,} from cache")
    return ", ".join(parts)
