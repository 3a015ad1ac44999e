"""A table of model calls with their usage and cost."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from chatnb.markdown.mimebundle import Mimebundle
from chatnb.markdown.safe_markdown import SafeMarkdown
from chatnb.notebook.usage_table.sources import table_rows
from chatnb.notebook.usage_table.static import (
    MAX_ROWS,
    text_table,
    usage_markdown,
    usage_mimebundle,
    usage_plain_text,
)
from chatnb.notebook.usage_table.widget import UsageTableView
from chatnb.notebook.widgets.front_end import Form
from chatnb.runnables.batches.checkpoint_calls import CheckpointCalls
from chatnb.schema.model_call import CallTotals, ModelCall, sum_calls

if TYPE_CHECKING:
    import pandas
    import polars
    from matplotlib.axes import Axes

    from chatnb.notebook.usage_table.plot import By, What


class UsageTable(UsageTableView):
    """Usage and cost of model calls, one row per call; the last line of a cell shows it.

    In an interactive notebook the table can be sorted, filtered and copied; the notebook file, and
    programs that run notebooks, get a static table. A value that a provider did not report is left
    blank and never counts as zero: totals show how many values are unknown.

    Args:
        source: An `LLMResult`; a `RunLog`; a message or a conversation; a usage tracker; a list
            of any of these; or the path of a `checkpoint=`. Calls that it gets later are not in
            the table.

    A checkpoint has no prompts and times. One of more than 10,000 calls stays in its file: the
    table shows the first of them and the totals of all, `rows[5_000:5_100]` reads a page, and only
    exports and plots read all of them.

    Raises:
        TypeError: If the source is none of these.
        FileNotFoundError: If there is no checkpoint of that name.
        ConfigurationError: If the file is no checkpoint, or is damaged.

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

    rows: Sequence[ModelCall]
    """The calls, in their order."""

    def __init__(self, source: object) -> None:
        super().__init__(table_rows(source))

    @cached_property
    def totals(self) -> CallTotals:
        """The usage, cost and times of all calls together."""
        return self.rows.totals if isinstance(self.rows, CheckpointCalls) else sum_calls(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __bool__(self) -> bool:
        return True  # Also without rows.

    def __repr__(self) -> str:
        return usage_plain_text(text_table(self.rows, MAX_ROWS))

    def to_pandas(self) -> pandas.DataFrame:
        """Return the rows as a data frame of pandas.

        Returns:
            Columns for the prompt, model, tokens, cost in US dollars, seconds in the queue, of the
            call, and to the first text, finish reason, error, and whether the reply came from a
            cache. The rows of a batch are in the order of its inputs. Unknown
            values are missing.

        Raises:
            MissingRuntimeError: If pandas is not installed.
        """
        from chatnb.notebook.usage_table.data import pandas_frame

        return pandas_frame(list(self.rows))

    def to_polars(self) -> polars.DataFrame:
        """Return the rows as a data frame of polars, with the columns of `to_pandas`.

        Raises:
            MissingRuntimeError: If polars is not installed.
        """
        from chatnb.notebook.usage_table.data import polars_frame

        return polars_frame(list(self.rows))

    def to_csv(self) -> str:
        """Return the rows as CSV, with the columns of `to_pandas`.

        Example:
            >>> UsageTable(ModelCall("m", prompt="Hi")).to_csv().splitlines()[1]
            'Hi,m,,,,,,,,,,,,,False'
        """
        from chatnb.notebook.usage_table.data import csv_text

        return csv_text(list(self.rows))

    def to_markdown(self) -> SafeMarkdown:
        """Return all rows and their totals as a Markdown table.

        Example:
            >>> print(UsageTable(ModelCall("m", prompt="Hi")).to_markdown())
            | Prompt | Model |
            | --- | --- |
            | Hi | m |
        """
        return usage_markdown(text_table(self.rows))

    def plot(self, what: What = "tokens", *, by: By = "model", ax: Axes | None = None) -> Axes:
        """Plot the usage or the cost of the calls.

        Args:
            what: `tokens`, or `cost` in US dollars.
            by: One bar per `model`, the highest first, or per `call`.
            ax: The axes to draw on. Default: those of a new figure.

        Returns:
            The axes.

        Raises:
            ValueError: If `what` or `by` is another word, or no value is known.
            MissingRuntimeError: If matplotlib is not installed.
        """
        from chatnb.notebook.usage_table.plot import plot_calls

        return plot_calls(list(self.rows), what, by, ax)

    def static_mimebundle(self, mount: str = "") -> Mimebundle:
        """Return the table as HTML, Markdown and text, for the mount point `mount` of a widget."""
        return usage_mimebundle(self.rows, mount)

    def mimebundle(self, form: Form) -> tuple[Mimebundle, dict[str, Any]]:
        """Return an output of a `form`: a widget only if the table has rows, and not too many."""
        return super().mimebundle(form if self.rows and not self.is_paged else "static")
