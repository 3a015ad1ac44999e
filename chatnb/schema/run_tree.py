"""The runs of a log as rows of a tree, and what they cost together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from chatnb.schema.run_state import LogEntry, RunFailure, RunRoot, RunState
from chatnb.schema.usage import UsageMetadata, add_usage

RunStatus: TypeAlias = Literal["running", "done", "failed", "stopped"]


@dataclass(frozen=True)
class RunRow:
    """One run of a log.

    Args:
        id: The run's id.
        parent_id: The id of the row that it stands below; None for the logged run itself.
        key: Where its entry is in the state's `logs`; None for the logged run itself.
        depth: 0 for the logged run, 1 for the runs that it started.
        name: The run's name.
        type: Its kind: llm, chain, prompt, parser or tool.
        start: When it began, ISO 8601 in UTC; None where that is not logged.
        first_token: When the first text came, ISO 8601 in UTC.
        end: When it ended, ISO 8601 in UTC.
        usage: What it cost, in tokens.
        error: How it broke off.
        status: running, done, failed or stopped.
    """

    id: str
    parent_id: str | None
    key: str | None
    depth: int
    name: str
    type: str
    start: str | None
    first_token: str | None
    end: str | None
    usage: UsageMetadata | None
    error: RunFailure | None
    status: RunStatus


def run_rows(state: RunState, root: RunRoot | None = None) -> list[RunRow]:
    """Write a log's state as the rows of a tree.

    Args:
        state: A log's state, at any moment.
        root: What is known of the logged run beside its state.

    Returns:
        The logged run, below it the runs it started in the order they began, below each of them
        its own. A run whose parent was not logged stands below the logged run. No rows where
        nothing is logged yet.

    Example:
        >>> from chatnb.schema import RunLog, RunLogPatch
        >>> state = {"id": "r", "streamed_output": [], "final_output": None, "logs": {}}
        >>> log = RunLog(RunLogPatch({"op": "replace", "path": "", "value": state}))
        >>> [(row.id, row.status) for row in run_rows(log.state, {"name": "chain"})]
        [('r', 'running')]
    """
    if not state:
        return []
    below = _children(state)
    rows = [_root_row(state, root or {})]
    waiting = [(key, state["id"], 1) for key in reversed(below[None])]
    while waiting:
        key, parent_id, depth = waiting.pop()
        entry = state["logs"][key]
        rows.append(_entry_row(key, entry, parent_id, depth))
        waiting += ((child, entry["id"], depth + 1) for child in reversed(below[key]))
    return rows


def leaf_usage(rows: Sequence[RunRow]) -> UsageMetadata | None:
    """Sum up what the model calls among some runs cost, each once.

    Args:
        rows: The runs, each after the one it stands below.

    Returns:
        The sum over the model calls that have no model call below them, since a run around
        another one tells the same tokens again. None where none of them tells.

    Example:
        >>> leaf_usage([]) is None
        True
    """
    total: UsageMetadata | None = None
    for row in leaf_calls(rows):
        total = add_usage(total, row.usage)
    return total


def leaf_calls(rows: Sequence[RunRow]) -> list[RunRow]:
    """The model calls among some runs that have no model call below them.

    Args:
        rows: The runs, each after the one it stands below.

    Example:
        >>> leaf_calls([])
        []
    """
    leaves, around = list[RunRow](), set[str | None]()
    for row in reversed(rows):
        is_call, is_around = row.type == "llm", row.id in around
        if is_call or is_around:
            around.add(row.parent_id)
        if is_call and not is_around:
            leaves.append(row)
    return leaves[::-1]


def _children(state: RunState) -> dict[str | None, list[str]]:
    """The keys below each key; a parent is whoever of that id was logged before."""
    below: dict[str | None, list[str]] = {None: []}
    key_of = dict[str, str]()
    for key, entry in state["logs"].items():
        below[key] = []
        below[key_of.get(entry.get("parent_id") or "")].append(key)
        key_of.setdefault(entry["id"], key)
    return below


def _root_row(state: RunState, root: RunRoot) -> RunRow:
    error, end = state.get("error"), root.get("end_time")
    ended = end is not None or state["final_output"] is not None
    return RunRow(
        id=state["id"],
        parent_id=None,
        key=None,
        depth=0,
        name=root.get("name", ""),
        type=root.get("type", "chain"),
        start=root.get("start_time"),
        first_token=root.get("first_token_time"),
        end=end,
        usage=root.get("usage_metadata"),
        error=error,
        status=_status(error, ended=ended),
    )


def _entry_row(key: str, entry: LogEntry, parent_id: str, depth: int) -> RunRow:
    error, end = entry.get("error"), entry["end_time"]
    return RunRow(
        id=entry["id"],
        parent_id=parent_id,
        key=key,
        depth=depth,
        name=entry["name"],
        type=entry["type"],
        start=entry["start_time"],
        first_token=entry.get("first_token_time"),
        end=end,
        usage=entry.get("usage_metadata"),
        error=error,
        status=_status(error, ended=end is not None),
    )


def _status(error: RunFailure | None, *, ended: bool) -> RunStatus:
    if error is not None:
        return "stopped" if error["stopped"] else "failed"
    return "done" if ended else "running"
