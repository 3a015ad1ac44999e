"""An evaluation, as a cell shows it: a row for each model, and the first outputs that failed."""

from __future__ import annotations

from chatnb.evaluation import Evaluation, Result
from chatnb.markdown.html import SafeHtml, element
from chatnb.markdown.mimebundle import Mimebundle
from chatnb.markdown.safe_markdown import join_blocks, plain_markdown
from chatnb.notebook.widgets.formatting import (
    aligned,
    count,
    duration,
    markdown_table,
    one_line,
    price,
    value_text,
)
from chatnb.notebook.widgets.html import LONG_TEXT, MUTED, NO_MATH, Column, table_html
from chatnb.schema.model_call import sum_calls
from chatnb.terminal import SafeText

_FIRST = f"padding: 2px 16px 2px 0; {LONG_TEXT}"
_NUMBER = "padding: 2px 16px 2px 0; text-align: right; vertical-align: top; white-space: nowrap;"
_MAX_FAILURES = 10
_MAX_CHARACTERS = 120


def evaluation_mimebundle(evaluation: Evaluation) -> Mimebundle:
    """Write an evaluation as HTML, Markdown and text."""
    head = ["Model", *evaluation.checks, "Rows", "Failed", "Tokens", "Cost", "Time"]
    rows = [_model_row(evaluation, *scored) for scored in evaluation.scores.items()]
    failed = evaluation.failures
    failures = [_failure_row(failure) for failure in failed[:_MAX_FAILURES]]
    more = len(failed) - len(failures)
    note = f"and {more:,} more: .failures" if more else ""
    titles = ["Model", "Row", "Output", "Reason"]
    listing = ["", aligned([titles, *failures])] if failures else []
    lines = [aligned([head, *rows]), *listing, *([note] if note else [])]
    table = _table(head, rows, _NUMBER)
    below = [_fold(len(failed), _table(titles, failures, _FIRST), note)]
    return {
        "text/html": element("div", table, *(below if failures else []), class_=NO_MATH),
        "text/markdown": join_blocks(_markdown(head, rows), _markdown(titles, failures), note),
        "text/plain": SafeText("\n".join(lines)),
    }


def _fold(failures: int, table: SafeHtml, note: str) -> SafeHtml:
    title = f"{count(failures, 'output')} below the full score"
    return element("details", element("summary", title), table, note, style=MUTED)


def _model_row(evaluation: Evaluation, model: str, scores: dict[str, float]) -> list[str]:
    results, calls = evaluation.results_of(model), evaluation.calls_of(model)
    totals = sum_calls(calls)
    tokens, cost = totals.tokens["total"].known, totals.cost.known
    seconds = sum(call.seconds or 0 for call in calls)
    return [
        model,
        *(f"{score:.2f}" for score in scores.values()),
        f"{len(results):,}",
        f"{sum(not result.passed for result in results):,}",
        "" if tokens is None else f"{tokens:,}",
        "" if cost is None else price(cost),
        duration(seconds) if calls else "",
    ]


def _failure_row(failure: Result) -> list[str]:
    values = failure.row.values()
    row = ", ".join(one_line(str(value), _MAX_CHARACTERS) for value in values)
    output = "" if failure.error else one_line(value_text(failure.output), _MAX_CHARACTERS)
    return [failure.model, one_line(row, _MAX_CHARACTERS), output, failure.reason]


def _table(head: list[str], rows: list[list[str]], style: str) -> SafeHtml:
    columns = [Column(head[0], _FIRST), *(Column(title, style) for title in head[1:])]
    return table_html(columns, rows)


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return ""
    cells = [[plain_markdown(one_line(cell)) for cell in row] for row in [head, *rows]]
    return markdown_table([cells[0], ["---" for _ in head], *cells[1:]])
