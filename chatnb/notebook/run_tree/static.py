"""A run's log as it stays in the notebook file: a tree of text, and one that folds open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from chatnb.markdown.html import SafeHtml, element, join
from chatnb.markdown.mimebundle import Mimebundle
from chatnb.notebook.widgets.formatting import (
    count,
    duration,
    one_line,
    price,
    truncate,
    value_text,
)
from chatnb.notebook.widgets.html import MUTED, NO_MATH, WRAPPED
from chatnb.notebook.widgets.mounting import mount_point
from chatnb.schema.run_logs.log import RunLog
from chatnb.schema.run_logs.state import RunFailure, RunState
from chatnb.schema.run_logs.tree import RunRow, leaf_calls, leaf_usage, run_rows
from chatnb.schema.usage import usage_text
from chatnb.terminal import SafeText

_MAX_ROWS = 200
_MAX_CHARACTERS = 2_000
_NO_RUN = "No run yet."
# Other names say something; js/src/run_tree/outline.ts has the same rule.
_WRAPPERS = ("RunnableSequence", "RunnableRetry", "RunnableWithFallbacks")
_STYLE = (
    "margin: 0 0 0 1.25em; padding: 0; line-height: 1.6; font-variant-numeric: tabular-nums; "
    "font-family: var(--jp-ui-font-family, var(--vscode-font-family, sans-serif)); "
    "font-size: var(--jp-ui-font-size1, 13px);"
)
_PRE = f"margin: 0 0 0.5em 1.25em; {WRAPPED}"


def run_tree_mimebundle(log: RunLog, mount: str = "") -> Mimebundle:
    """Write the runs of a log as text and as escaped HTML, with long ones cut."""
    rows = run_rows(log.state, log.root)
    tree = _html_tree(rows, log) if rows else element("div", _NO_RUN)
    shown = mount_point(tree, f"chatnb-run-log {NO_MATH}", mount)
    return {"text/plain": _text_tree(rows), "text/html": shown}


def run_tree_text(log: RunLog) -> SafeText:
    """Write the runs of a log as text."""
    return _text_tree(run_rows(log.state, log.root))


def visible_rows(rows: Sequence[RunRow]) -> list[RunRow]:
    """Return the rows to show: without ended wrappers of one run with the same outcome."""
    visible = list[RunRow]()
    # For each level of the log, the id and the depth of the visible row.
    levels: list[tuple[str | None, int]] = []
    branch: str | None = None
    counts = _child_counts(rows)
    for index, row in enumerate(rows):
        del levels[row.depth :]
        parent_id, depth = levels[-1] if levels else (None, -1)
        branch = branch or row.branch
        if counts[index] == 1 and _adds_nothing(row, rows[index + 1]):
            levels.append((parent_id, depth))
            continue
        levels.append((row.id, depth + 1))
        visible.append(replace(row, parent_id=parent_id, depth=depth + 1, branch=branch))
        branch = None
    return visible


def _child_counts(rows: Sequence[RunRow]) -> list[int]:
    counts, above = [0] * len(rows), list[int]()
    for index, row in enumerate(rows):
        del above[row.depth :]
        if above:
            counts[above[-1]] += 1
        above.append(index)
    return counts


def _adds_nothing(row: RunRow, only_child: RunRow) -> bool:
    # A wrapper that runs may start another run yet, and rows that come and go are hard to read.
    if row.depth == 0 or row.type != "chain" or row.status == "running":
        return False
    # A retry of a named tool has its name; a function of that name may have called itself.
    has_its_name = row.name == only_child.name and only_child.type != "chain"
    return row.status == only_child.status and (row.name in _WRAPPERS or has_its_name)


def _text_tree(rows: Sequence[RunRow]) -> SafeText:
    visible = visible_rows(rows)
    shown = visible[:_MAX_ROWS]
    lines = [f"{stem}{_summary(row)}" for stem, row in zip(_stems(shown), shown, strict=True)]
    return SafeText("\n".join([*lines, *_notes(rows, len(visible))]) if rows else _NO_RUN)


def _stems(rows: Sequence[RunRow]) -> Iterator[str]:
    """Yield the lines that lead to each row from the rows above."""
    open_levels = list[bool]()
    for row, is_followed in zip(rows, _followed(rows), strict=True):
        del open_levels[max(0, row.depth - 1) :]
        if row.depth == 0:
            yield ""
            continue
        stem = "".join("│  " if is_open else "   " for is_open in open_levels)
        yield stem + ("├─ " if is_followed else "└─ ")
        open_levels.append(is_followed)


def _followed(rows: Sequence[RunRow]) -> list[bool]:
    """Return for each row if another one of the same parent follows."""
    followed, seen = list[bool](), set[str | None]()
    for row in reversed(rows):
        followed.append(row.parent_id in seen)
        seen.add(row.parent_id)
    return followed[::-1]


def _summary(row: RunRow) -> str:
    name = row.name or "Run"
    title = f"{row.branch}: {name}" if row.branch else name
    parts = [title, row.type, *([row.status] if row.status != "done" else [])]
    if row.seconds is not None:
        parts.append(duration(row.seconds))
    if row.usage:
        parts.append(count(row.usage["total_tokens"], "token"))
    if row.cost is not None:
        parts.append(price(row.cost))
    if row.error and row.status == "failed":
        parts.append(_error_line(row.error).partition("\n")[0])
    return one_line(" · ".join(parts), 300)


def _notes(rows: Sequence[RunRow], visible: int) -> list[str]:
    totals, usage = [count(len(rows), "run")], leaf_usage(rows)
    if usage:
        totals.append(usage_text(usage))
    costs = [row.cost for row in leaf_calls(rows) if row.cost is not None]
    if costs:
        totals.append(price(sum(costs)))
    more = visible - _MAX_ROWS
    return [*([f"… and {more:,} more in the log"] if more > 0 else []), " · ".join(totals)]


def _html_tree(rows: Sequence[RunRow], log: RunLog) -> SafeHtml:
    # The contents of the rows that are open, from the outermost in; the first are of the tree.
    contents = [list[SafeHtml]()]

    def close(depth: int) -> None:
        while len(contents) > depth + 1:
            row = element("details", *contents.pop(), open=True, style=_STYLE)
            contents[-1].append(row)

    visible = visible_rows(rows)
    for row in visible[:_MAX_ROWS]:
        close(row.depth)
        name, _, rest = _summary(row).partition(" · ")
        summary = element("summary", element("b", name), f" · {rest}")
        contents.append([summary, *_passages(row, log.state, log.root.get("inputs"))])
    close(0)
    return join(
        *contents[0], *(element("div", note, style=MUTED) for note in _notes(rows, len(visible)))
    )


def _passages(row: RunRow, state: RunState, root_inputs: Any) -> list[SafeHtml]:
    entry: Any = {**state, "inputs": root_inputs} if row.key is None else state["logs"][row.key]
    output = entry.get("final_output")
    streamed = entry["streamed_output"] if row.key is None else entry["streamed_output_str"]
    texts = {
        "Input": "" if entry.get("inputs") is None else value_text(entry["inputs"]),
        "Output": "".join(map(value_text, streamed)) if output is None else value_text(output),
        "Error": f"{_error_line(row.error)}\n{row.error['traceback']}" if row.error else "",
    }
    return [_passage(title, text) for title, text in texts.items() if text.strip()]


def _passage(title: str, text: str) -> SafeHtml:
    kept, more = truncate(text.strip("\n"), _MAX_CHARACTERS)
    note = f"\n… {more:,} more characters in the log" if more else ""
    return element(
        "details",
        element("summary", title),
        element("pre", kept, note, style=_PRE),
        style=_STYLE,
    )


def _error_line(failure: RunFailure) -> str:
    return ": ".join(part for part in (failure["type"], failure["message"]) if part)
