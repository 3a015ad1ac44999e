"""A plot of what calls took: tokens or money, by model or call by call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from chatnb.notebook.views.usage_table_columns import one_line
from chatnb.notebook.views.usage_table_data import installed
from chatnb.schema.call_totals import calls_by_model, cost_of, tokens_of, totals_of
from chatnb.schema.model_call import ModelCall

if TYPE_CHECKING:
    from matplotlib.axes import Axes

What: TypeAlias = Literal["tokens", "cost"]
By: TypeAlias = Literal["model", "call"]

_INPUT, _OUTPUT = "#7a8ea8", "#3f6fb5"
_LONGEST_NAME = 32
_MOST_BARS = 40


class _Part:
    """One colour of the bars: its name, and its value of each bar."""

    def __init__(self, name: str, colour: str, values: Sequence[float | None]) -> None:
        self.name, self.colour = name, colour
        self.values = [value or 0 for value in values]
        self.is_known = any(value is not None for value in values)


def plot_calls(calls: Sequence[ModelCall], what: What, by: By, axes: Axes | None) -> Axes:
    """Draw bars of what calls took.

    Args:
        calls: The calls.
        what: `tokens`, input and output on top of each other, or `cost` in US dollars.
        by: A bar a `model`, the dearest first, or a bar a `call` in their order.
        axes: Where to draw; axes of a new figure without it.

    Returns:
        The axes. What is not known is not drawn, and the axis says of how many calls that is.

    Raises:
        ValueError: If there is nothing of that name to draw, or nothing of it is known.
        MissingRuntimeError: If matplotlib is not installed.
    """
    if what not in ("tokens", "cost"):
        raise ValueError(f'plot draws "tokens" or "cost", not {what!r}')
    if by not in ("model", "call"):
        raise ValueError(f'plot draws a bar a "model" or a "call", not {by!r}')
    groups = {str(n + 1): [call] for n, call in enumerate(calls)}
    if by == "model":
        groups = _dearest_first(calls_by_model(calls), what)
    parts = _parts(list(groups.values()), what)
    if not any(part.is_known for part in parts):
        raise ValueError(f"Of no call the {what} {'are' if what == 'tokens' else 'is'} known")
    pyplot = installed("matplotlib.pyplot", "plot")
    drawn: Any = axes if axes is not None else _new_axes(pyplot, by, len(groups))
    (_draw_models if by == "model" else _draw_calls)(drawn, list(groups), parts)
    _calm(drawn, by, _title(calls, what), legend=len(parts) > 1)
    return drawn


def _parts(groups: Sequence[Sequence[ModelCall]], what: What) -> list[_Part]:
    def sums(value: Callable[[ModelCall], float | None]) -> list[float | None]:
        known = ([each for each in map(value, some) if each is not None] for some in groups)
        return [sum(some) if some else None for some in known]

    if what == "cost":
        return [_Part("cost", _OUTPUT, sums(cost_of))]
    return [
        _Part("input", _INPUT, sums(lambda call: tokens_of(call, "input"))),
        _Part("output", _OUTPUT, sums(lambda call: tokens_of(call, "output"))),
    ]


def _dearest_first(groups: dict[str, list[ModelCall]], what: What) -> dict[str, list[ModelCall]]:
    def taken(model: str) -> float:
        totals = totals_of(groups[model])
        return (totals.cost if what == "cost" else totals.tokens["total"]).known or 0

    models = sorted(groups, key=taken, reverse=True)[:_MOST_BARS]
    return {one_line(model, _LONGEST_NAME) or "unknown": groups[model] for model in models}


def _new_axes(pyplot: Any, by: By, bars: int) -> Any:
    height = min(0.9 + 0.34 * bars, 12) if by == "model" else 3.0
    return pyplot.subplots(figsize=(7, height), layout="constrained")[1]


def _draw_models(axes: Any, names: Sequence[str], parts: Sequence[_Part]) -> None:
    left = [0.0] * len(names)
    places = range(len(names))
    for part in parts:
        axes.barh(places, part.values, left=left, height=0.62, color=part.colour, label=part.name)
        left = [before + value for before, value in zip(left, part.values, strict=True)]
    # A model's name is no formula, whatever stands in it.
    axes.set_yticks(places, names, parse_math=False)
    axes.invert_yaxis()


def _draw_calls(axes: Any, names: Sequence[str], parts: Sequence[_Part]) -> None:
    bottom = [0.0] * len(names)
    places = range(1, len(names) + 1)
    width = 0.8 if len(names) < 100 else 1.0
    for part in parts:
        axes.bar(
            places, part.values, bottom=bottom, width=width, color=part.colour, label=part.name
        )
        bottom = [before + value for before, value in zip(bottom, part.values, strict=True)]
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("call")


def _title(calls: Sequence[ModelCall], what: What) -> str:
    totals = totals_of(calls)
    unknown = (totals.cost if what == "cost" else totals.tokens["total"]).unknown
    name = "US dollars" if what == "cost" else "tokens"
    return f"{name} ({unknown:,} of {len(calls):,} calls unknown)" if unknown else name


def _calm(axes: Any, by: By, title: str, *, legend: bool) -> None:
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
