"""A table of calls of chat models, and of what they took."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from chatnb.notebook.views.places import is_watched_here, with_view
from chatnb.notebook.views.usage_table_static import usage_bundle
from chatnb.schema.call_totals import CallTotals, totals_of
from chatnb.schema.model_call import ModelCall
from chatnb.schema.model_calls import calls_of

if TYPE_CHECKING:
    import pandas
    import polars
    from matplotlib.axes import Axes

    from chatnb.notebook.views.usage_table_plot import By, What
    from chatnb.notebook.views.usage_table_view import UsageTableView


class UsageTable:
    """What calls of chat models took, a row a call: as the last line of a cell it shows itself.

    In a notebook that somebody looks at it can be sorted, filtered and copied; what is saved with
    the notebook, and what programs that run notebooks get, is a static table. What a provider did
    not tell is left blank and is never counted as nothing: sums say of how many calls they do not
    know.

    Args:
        source: What `generate` gave; a `RunLog`; a message or a conversation; what `track_usage`
            opened; or a list of any of these. Later calls of it are not in the table.

    Raises:
        TypeError: If the source is none of these.

    Example:
        >>> tokens = {"input_tokens": 1200, "output_tokens": 40, "total_tokens": 1240}
        >>> calls = [ModelCall("m", prompt="Hi", usage=tokens), ModelCall("m", prompt="Hey")]
        >>> UsageTable(calls)
        Prompt           Model              Input          Output              Total
        ───────────────  ─────  ─────────────────  ──────────────  ─────────────────
        Hi               m                  1,200              40              1,240
        Hey              m
        ───────────────  ─────  ─────────────────  ──────────────  ─────────────────
        Total · 2 calls         1,200 + 1 unknown  40 + 1 unknown  1,240 + 1 unknown
    """

    def __init__(self, source: object) -> None:
        self.rows: list[ModelCall] = calls_of(source)
        self._view: UsageTableView | None = None
        self._place = uuid4().hex

    @cached_property
    def totals(self) -> CallTotals:
        """What the calls took together."""
        return totals_of(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __bool__(self) -> bool:
        """A table without rows is a table."""
        return True

    def __repr__(self) -> str:
        return usage_bundle(self.rows)["text/plain"]

    def to_pandas(self) -> pandas.DataFrame:
        """The rows as a data frame of pandas.

        Returns:
            A column each for the prompt, model, tokens, cost in US dollars, seconds, seconds to
            the first text, finish reason, error, and whether the reply came out of a cache. What
            is not known is missing.

        Raises:
            MissingRuntimeError: If pandas is not installed.
        """
        from chatnb.notebook.views.usage_table_data import pandas_frame

        return pandas_frame(self.rows)

    def to_polars(self) -> polars.DataFrame:
        """The rows as a data frame of polars, in the columns of `to_pandas`.

        Raises:
            MissingRuntimeError: If polars is not installed.
        """
        from chatnb.notebook.views.usage_table_data import polars_frame

        return polars_frame(self.rows)

    def to_csv(self) -> str:
        """The rows as CSV, in the columns of `to_pandas`.

        Example:
            >>> UsageTable(ModelCall("m", prompt="Hi")).to_csv().splitlines()[1]
            'Hi,m,,,,,,,,,,,,False'
        """
        from chatnb.notebook.views.usage_table_data import csv_text

        return csv_text(self.rows)

    def to_markdown(self) -> str:
        """All rows and their totals as a table in Markdown.

        Example:
            >>> print(UsageTable(ModelCall("m", prompt="Hi")).to_markdown())
            | Prompt | Model |
            | --- | --- |
            | Hi | m |
        """
        from chatnb.notebook.views.usage_table_text import text_table, usage_markdown

        return usage_markdown(text_table(self.rows))

    def plot(self, what: What = "tokens", *, by: By = "model", ax: Axes | None = None) -> Axes:
        """Draw what the calls took.

        Args:
            what: `tokens`, or `cost` in US dollars.
            by: A bar a `model`, the dearest first, or a bar a `call`.
            ax: The axes to draw on; those of a new figure without it.

        Returns:
            The axes.

        Raises:
            ValueError: If there is nothing of that name to draw, or nothing of it is known.
            MissingRuntimeError: If matplotlib is not installed.
        """
        from chatnb.notebook.views.usage_table_plot import plot_calls

        return plot_calls(self.rows, what, by, ax)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        """What a notebook shows: the static table, and where somebody looks, a live one in it."""
        if self._view is None and self.rows and is_watched_here():
            from chatnb.notebook.views.usage_table_view import UsageTableView

            self._view = UsageTableView(self.rows, self._place)
        return with_view(usage_bundle(self.rows, self._place if self._view else ""), self._view)
