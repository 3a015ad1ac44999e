"""The summary of a usage table: its columns, totals, and the source of its prices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from chatnb.notebook.usage_table.columns import COLUMNS, Column, shown_columns
from chatnb.notebook.widgets.formatting import one_line, price_digits
from chatnb.runnables.batches.checkpoint_calls import CallGroup, CheckpointCalls, sum_groups
from chatnb.schema.model_call import (
    CallTotals,
    ModelCall,
    Sum,
    get_cost,
    group_by_model,
    qualified_names,
    sum_calls,
)
from chatnb.schema.prices import price_list

T = TypeVar("T")
_MAX_MODELS = 20
_MAX_CHARACTERS = 48


@dataclass(frozen=True)
class TableSummary:
    """The columns with a known value, the decimals of prices, lines of totals, and a note."""

    columns: list[Column]
    price_digits: int
    totals: list[tuple[str, CallTotals]]
    """The totals of each model, if there are several, and of all; each with its label."""
    prices_note: str


def sum_up(calls: Sequence[ModelCall]) -> TableSummary:
    """Return the summary of calls; those of a checkpoint are added up in its file."""
    if isinstance(calls, CheckpointCalls):
        return _from_checkpoint(calls)
    priced = any(not call.cached and get_cost(call) is not None for call in calls)
    return TableSummary(
        shown_columns(calls),
        price_digits(map(get_cost, calls)),
        list(_totals(len(calls), group_by_model(calls), sum_calls)),
        _prices_note(priced),
    )


def _from_checkpoint(calls: CheckpointCalls) -> TableSummary:
    groups, totals = calls.groups, calls.totals
    names = qualified_names((group.provider, group.model) for group in groups)
    by_model = {names[group.provider, group.model]: [group] for group in groups}
    return TableSummary(
        [column for column in COLUMNS if column.title and _is_known(column, groups, totals)],
        price_digits(group.lowest_cost for group in groups),
        list(_totals(len(calls), by_model, sum_groups)),
        _prices_note(totals.cost.known is not None and len(calls) > 0),
    )


def _is_known(column: Column, groups: Sequence[CallGroup], totals: CallTotals) -> bool:
    if column.name == "model":
        return True
    if column.name == "finish_reason":
        return any(group.finish_reason for group in groups)
    total = column.total(totals)
    return isinstance(total, Sum) and total.known is not None


def _prices_note(priced: bool) -> str:
    return f"Costs by {price_list()}" if priced else ""


def _totals(
    calls: int, by_model: Mapping[str, Sequence[T]], add_up: Callable[[Sequence[T]], CallTotals]
) -> Iterator[tuple[str, CallTotals]]:
    if calls < 2:
        return
    if len(by_model) > 1:
        for model in list(by_model)[:_MAX_MODELS]:
            yield one_line(model, _MAX_CHARACTERS) or "unknown model", add_up(by_model[model])
        rest = [each for some in list(by_model.values())[_MAX_MODELS:] for each in some]
        if rest:
            yield f"{len(by_model) - _MAX_MODELS:,} more models", add_up(rest)
    yield "Total", add_up([each for some in by_model.values() for each in some])
