"""The columns of a usage table, and the text of their cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeAlias

from chatnb.notebook.widgets.formatting import count, duration, one_line, price
from chatnb.redaction import environment_secrets, redact
from chatnb.schema.model_call import CallTotals, ModelCall, Sum, get_cost, get_tokens

Kind: TypeAlias = Literal["text", "count", "dollars", "seconds", "flag"]

CACHED = "cached"
"""The cost of a reply out of a cache."""


class Column(NamedTuple):
    """A column of the table; one without a title is in data only."""

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
        lambda call: get_tokens(call, name),
        lambda totals: totals.tokens[name],
    )


def _time(name: str, title: str) -> Column:
    return Column(
        name, title, "seconds", lambda call: getattr(call, name), lambda all: getattr(all, name)
    )


@lru_cache(maxsize=1 << 14)  # A live table writes its cells again and again.
def _redacted(text: str | None) -> str | None:
    return redact(text, environment_secrets()) if text else None


COLUMNS: Sequence[Column] = (
    Column("prompt", "Prompt", "text", lambda call: _redacted(call.prompt)),
    Column("model", "Model", "text", lambda call: call.model or None),
    Column("provider", "", "text", lambda call: call.provider or None),
    *map(_tokens, ("input", "cached", "reasoning", "output", "total")),
    Column("cost_usd", "Cost", "dollars", get_cost, lambda totals: totals.cost),
    _time("queue_seconds", "Queue"),
    _time("seconds", "Latency"),
    _time("first_seconds", "First token"),
    Column("finish_reason", "Finish", "text", lambda call: call.finish_reason),
    Column("error", "", "text", lambda call: _redacted(call.error)),
    Column("from_cache", "", "flag", lambda call: call.cached),
)
"""All columns, in the order of display."""


def shown_columns(calls: Sequence[ModelCall]) -> list[Column]:
    """Return the columns with a known value, the prompt or the model always among them."""
    asked = [call for call in calls if not call.cached]
    shown = [column for column in COLUMNS if column.title and _is_known(column, calls, asked)]
    named = any(column.name in ("prompt", "model") for column in shown)
    return shown if named else [COLUMNS[0], *shown]


def _is_known(column: Column, calls: Sequence[ModelCall], asked: Sequence[ModelCall]) -> bool:
    # The zeros of cached replies do not make the tokens of the others known.
    if column.name == "finish_reason":
        return any(call.finish_reason or call.error for call in calls)
    if column.name == "queue_seconds":
        return any(call.queue_seconds for call in calls)  # Else none had to wait for others.
    rows = asked if column.kind == "count" else calls
    return any(column.value(call) is not None for call in rows)


class CellWriter:
    """The text of a table's cells; prices have the same number of decimals in each."""

    def __init__(self, digits: int) -> None:
        self.digits = digits

    def cell(self, column: Column, call: ModelCall) -> str:
        """Return the text of a value; empty where it is not known."""
        if column.name == "cost_usd" and call.cached:
            return CACHED
        if column.name == "finish_reason" and call.error:
            return one_line(_redacted(call.error) or "")
        return self._text(column, column.value(call))

    def total(self, column: Column, totals: CallTotals) -> tuple[str, str]:
        """Return the text below a column, and how many values are unknown; of times the mean."""
        total = column.total(totals)
        if isinstance(total, Sum):
            known = self._text(column, total.known)
            return known, f"+ {total.unknown:,} unknown" if known and total.unknown else ""
        return (f"avg {duration(total)}", "") if total is not None else ("", "")

    def _text(self, column: Column, value: Any) -> str:
        if value is None:
            return ""
        if column.kind == "count":
            return f"{value:,}"
        if column.kind == "dollars":
            return price(value, self.digits)
        return duration(value) if column.kind == "seconds" else one_line(str(value))


def calls_summary(totals: CallTotals) -> str:
    """Return the number of calls, of failed ones and of cached ones."""
    parts = [count(totals.calls, "call")]
    if totals.failed:
        parts.append(f"{totals.failed:,} failed")
    if totals.from_cache:
        parts.append(f"{totals.from_cache:,} from cache")
    return ", ".join(parts)
