"""A plot of the usage or the cost of calls, by model or by call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from chatnb.notebook.widgets.formatting import one_line
from chatnb.optional_packages import installed
from chatnb.schema.model_call import ModelCall, get_cost, get_tokens, group_by_model, sum_calls

if TYPE_CHECKING:
    from matplotlib.axes import Axes

What: TypeAlias = Literal["tokens", "cost"]
By: TypeAlias = Literal["model", "call"]

_INPUT, _OUTPUT = "#7a8ea8", "#3f6fb5"
_MAX_NAME = 32
_MAX_BARS = 40


class _Series:
    """One colour of the bars: its name, and a value for each bar."""

    def __init__(self, name: str, colour: str, values: Sequence[float | None]) -> None:
        self.name, self.colour = name, colour
        self.values = [value or 0 for value in values]
        self.is_known = any(value is not None for value in values)


def plot_calls(calls: Sequence[ModelCall], what: What, by: By, axes: Axes | None) -> Axes:
    """Draw bars of the usage or the cost of calls, as `UsageTable.plot` documents it."""
    if what not in ("tokens", "cost"):
        raise ValueError(f'plot draws "tokens" or "cost", not {what!r}')
    if by not in ("model", "call"):
        raise ValueError(f'plot draws a bar a "model" or a "call", not {by!r}')
    groups = {str(n + 1): [call] for n, call in enumerate(calls)}
    if by == "model":
        groups = _highest_first(group_by_model(calls), what)
    series = _series(list(groups.values()), what)
    if not any(one.is_known for one in series):
        raise ValueError(f"Of no call the {what} {'are' if what == 'tokens' else 'is'} known")
    pyplot = installed("matplotlib.pyplot", "plot")
    drawn: Any = axes if axes is not None else _new_axes(pyplot, by, len(groups))
    (_draw_models if by == "model" else _draw_calls)(drawn, list(groups), series)
    _style_axes(drawn, by, _title(calls, what), legend=len(series) > 1)
    return drawn


def _series(groups: Sequence[Sequence[ModelCall]], what: What) -> list[_Series]:
    def sums(value: Callable[[ModelCall], float | None]) -> list[float | None]:
        known = ([v for v in map(value, calls) if v is not None] for calls in groups)
        return [sum(values) if values else None for values in known]

    if what == "cost":
        return [_Series("cost", _OUTPUT, sums(get_cost))]
    return [
        _Series("input", _INPUT, sums(lambda call: get_tokens(call, "input"))),
        _Series("output", _OUTPUT, sums(lambda call: get_tokens(call, "output"))),
    ]


def _highest_first(groups: dict[str, list[ModelCall]], what: What) -> dict[str, list[ModelCall]]:
    def total(model: str) -> float:
        totals = sum_calls(groups[model])
        return (totals.cost if what == "cost" else totals.tokens["total"]).known or 0

    models = sorted(groups, key=total, reverse=True)[:_MAX_BARS]
    return {one_line(model, _MAX_NAME) or "unknown": groups[model] for model in models}


def _new_axes(pyplot: Any, by: By, bars: int) -> Any:
    height = min(0.9 + 0.34 * bars, 12) if by == "model" else 3.0
    return pyplot.subplots(figsize=(7, height), layout="constrained")[1]


def _draw_models(axes: Any, names: Sequence[str], series: Sequence[_Series]) -> None:
    left = [0.0] * len(names)
    positions = range(len(names))
    for one in series:
        axes.barh(positions, one.values, left=left, height=0.62, color=one.colour, label=one.name)
        left = [before + value for before, value in zip(left, one.values, strict=True)]
    # Dollars in a model's name are no formula.
    axes.set_yticks(positions, names, parse_math=False)
    axes.invert_yaxis()


def _draw_calls(axes: Any, names: Sequence[str], series: Sequence[_Series]) -> None:
    bottom = [0.0] * len(names)
    positions = range(1, len(names) + 1)
    width = 0.8 if len(names) < 100 else 1.0
    for one in series:
        axes.bar(
            positions, one.values, bottom=bottom, width=width, color=one.colour, label=one.name
        )
        bottom = [before + value for before, value in zip(bottom, one.values, strict=True)]
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("call")


def _title(calls: Sequence[ModelCall], what: What) -> str:
    totals = sum_calls(calls)
    unknown = (totals.cost if what == "cost" else totals.tokens["total"]).unknown
    name = "US dollars" if what == "cost" else "tokens"
    return f"{name} ({unknown:,} of {len(calls):,} calls unknown)" if unknown else name


def _style_axes(axes: Any, by: By, title: str, *, legend: bool) -> None:
    amount = axes.xaxis if by == "model" else axes.yaxis
    amount.set_label_text(title)
    amount.get_major_formatter().set_scientific(False)
    if "tokens" in title:
        amount.set_major_formatter("{x:,.0f}")
    axes.grid(visible=True, axis="x" if by == "model" else "y", linewidth=0.5, alpha=0.35)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    for side in ("top", "right", "left" if by == "model" else "bottom"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set(color="#999999", linewidth=0.8)
    if legend:
        axes.legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
