"""A run's log as it stays in the notebook file: a tree of text, and one that folds open."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from chatnb.notebook.views.numbers import duration
from chatnb.notebook.views.places import placed
from chatnb.notebook.views.run_tree_text import cut, failure_line, text_of
from chatnb.schema.run_log import RunLog
from chatnb.schema.run_state import RunState
from chatnb.schema.run_tree import RunRow, leaf_usage, run_rows

_MOST_ROWS = 200
_LONGEST = 2_000
_STYLE = (
    "margin: 0 0 0 1.25em; padding: 0; line-height: 1.6; font-variant-numeric: tabular-nums; "
    "font-family: var(--jp-ui-font-family, var(--vscode-font-family, sans-serif)); "
    "font-size: var(--jp-ui-font-size1, 13px);"
)
_PRE = "margin: 0 0 0.5em 1.25em; white-space: pre-wrap; overflow-wrap: anywhere;"


def run_tree_bundle(log: RunLog, place: str = "") -> dict[str, str]:
    """The runs of a log as text and as HTML.

    Args:
        log: The log, whole or not.
        place: The name under which a browser finds the HTML, to show the live tree there.

    Returns:
        `text/plain` and `text/html`; what runs were given and gave is escaped, and cut if it is
        long, as is the list of runs.

    Example:
        >>> run_tree_bundle(RunLog())["text/plain"]
        'No run yet.'
    """
    state = log.state
    rows = run_rows(state, log.root)
    text = _text_tree(rows) if rows else "No run yet."
    tree = _html_tree(rows, log) if rows else f"<div>{text}</div>"
    return {"text/plain": text, "text/html": placed(tree, "chatnb-run-log", place)}


def _text_tree(rows: Sequence[RunRow]) -> str:
    shown = rows[:_MOST_ROWS]
    lines = [f"{stem}{_facts(row)}" for stem, row in zip(_stems(shown), shown, strict=True)]
    return "\n".join([*lines, *_left_out(rows), _totals(rows)])


def _stems(rows: Sequence[RunRow]) -> Iterator[str]:
    """What stands before each row: the lines that lead to it from the rows above."""
    going_on = list[bool]()
    followed = _followed(rows)
    for row, more in zip(rows, followed, strict=True):
        del going_on[max(0, row.depth - 1) :]
        if row.depth == 0:
            yield ""
            continue
        yield "".join("│  " if on else "   " for on in going_on) + ("├─ " if more else "└─ ")
        going_on.append(more)


def _followed(rows: Sequence[RunRow]) -> list[bool]:
    """Whether a row is followed by another one of the same parent."""
    followed, seen = list[bool](), set[str | None]()
    for row in reversed(rows):
        followed.append(row.parent_id in seen)
        seen.add(row.parent_id)
    return followed[::-1]


def _facts(row: RunRow) -> str:
    facts = [row.type, *([row.status] if row.status != "done" else [])]
    seconds = _seconds(row.start, row.end)
    if seconds is not None:
        facts.append(duration(seconds))
    if row.usage:
        facts.append(f"{row.usage['total_tokens']:,} tokens")
    if row.error and row.status == "failed":
        facts.append(failure_line(row.error).partition("\n")[0])
    return _one_line(" · ".join([row.name or "Run", *facts]))


def _totals(rows: Sequence[RunRow]) -> str:
    parts = [f"{len(rows):,} run{'s' if len(rows) != 1 else ''}"]
    usage = leaf_usage(rows)
    if usage:
        parts.append(f"{usage['input_tokens']:,} tokens in, {usage['output_tokens']:,} out")
    return " · ".join(parts)


def _left_out(rows: Sequence[RunRow]) -> list[str]:
    more = len(rows) - _MOST_ROWS
    return [f"… and {more:,} more in the log"] if more > 0 else []


def _html_tree(rows: Sequence[RunRow], log: RunLog) -> str:
    parts, open_rows = list[str](), 0
    shown = rows[:_MOST_ROWS]
    for row in shown:
        parts += ["</details>"] * (open_rows - row.depth)
        open_rows = row.depth + 1
        parts.append(f'<details open style="{_STYLE}"><summary>{_summary(row)}</summary>')
        parts += _passages(row, log.state, log.root.get("inputs"))
    parts += ["</details>"] * open_rows
    notes = [*_left_out(rows), _totals(rows)]
    quiet = "".join(f"<div>{html.escape(note)}</div>" for note in notes)
    return f"{''.join(parts)}{quiet}"


def _summary(row: RunRow) -> str:
    name, _, facts = _facts(row).partition(" · ")
    return f"<b>{html.escape(name)}</b> · {html.escape(facts)}"


def _passages(row: RunRow, state: RunState, root_inputs: Any) -> list[str]:
    entry: Any = {**state, "inputs": root_inputs} if row.key is None else state["logs"][row.key]
    output = entry.get("final_output")
    streamed = entry["streamed_output"] if row.key is None else entry["streamed_output_str"]
    given = {
        "Input": "" if entry.get("inputs") is None else text_of(entry["inputs"]),
        "Output": "".join(map(text_of, streamed)) if output is None else text_of(output),
        "Error": f"{failure_line(row.error)}\n{row.error['traceback']}" if row.error else "",
    }
    return [_passage(title, text) for title, text in given.items() if text.strip()]


def _passage(title: str, text: str) -> str:
    kept, more = cut(text.strip("\n"), _LONGEST)
    note = f"\n… {more:,} more characters in the log" if more else ""
    return (
        f'<details style="{_STYLE}"><summary>{title}</summary>'
        f'<pre style="{_PRE}">{html.escape(kept + note)}</pre></details>'
    )


def _seconds(start: str | None, end: str | None) -> float | None:
    if start is None or end is None:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _one_line(text: str) -> str:
    kept, more = cut(" ".join(text.split()), 300)
    return f"{kept}…" if more else kept
