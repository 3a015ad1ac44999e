"""The runs of a log as rows of a tree, and their usage in sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from chatnb.schema.run_logs.state import LogEntry, RunFailure, RunRoot, RunState
from chatnb.schema.usage import UsageMetadata, add_usage

_BRANCH_TAG = "map:key:"
RunStatus: TypeAlias = Literal["running", "done", "failed", "stopped"]


@dataclass(frozen=True)
class RunRow:
    """One run of a log.

    Args:
        id: The run's id.
        parent_id: The id of the row above; None for the logged run itself.
        key: The run's key in the state's `logs`; None for the logged run itself.
        depth: 0 for the logged run, 1 for the runs that it started.
        name: The run's name.
        type: The run's type: llm, chain, prompt, parser or tool.
        start: The start time, ISO 8601 in UTC; None where it is not logged.
        first_token: The time of the first token, ISO 8601 in UTC.
        end: The end time, ISO 8601 in UTC.
        usage: The token usage.
        error: The failure, if any.
        status: running, done, failed or stopped.
        cost: The cost in US dollars; None where it is not known.
        branch: The key of the RunnableParallel's branch that the run is, from its tags.

    Example:
        >>> from chatnb import RunLog, ScriptedChatModel
        >>> log = RunLog(*ScriptedChatModel(["Hello."]).stream_log("Hi"))
        >>> [(row.name, row.status) for row in run_rows(log.state, log.root)]
        [('ScriptedChatModel', 'done')]
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
    cost: float | None = None
    branch: str | None = None

    @property
    def seconds(self) -> float | None:
        """Seconds from the start to the end; None where one of them is not logged."""
        return _seconds_between(self.start, self.end)

    @property
    def first_token_seconds(self) -> float | None:
        """Seconds from the start to the first text; None where one of them is not logged."""
        return _seconds_between(self.start, self.first_token)


def run_rows(state: RunState, root: RunRoot | None = None) -> list[RunRow]:
    """Return the runs of a log as rows of a tree.

    Args:
        state: A log's state, at any moment.
        root: Metadata of the logged run beside its state.

    Returns:
        The logged run, below it the runs it started in order of their start, below each of them
        its own. A run whose parent was not logged is below the logged run. An empty log has no
        rows.

    Example:
        >>> from chatnb.schema import RunLog, RunLogPatch
        >>> state = {"id": "r", "streamed_output": [], "final_output": None, "logs": {}}
        >>> log = RunLog(RunLogPatch({"op": "replace", "path": "", "value": state}))
        >>> [(row.id, row.status) for row in run_rows(log.state, {"name": "chain"})]
        [('r', 'running')]
    """
    if not (state and "logs" in state and "final_output" in state):
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
    """Sum the token usage of the model calls among some runs, each counted once.

    Args:
        rows: The runs, each after its parent.

    Returns:
        The sum over the model calls without a model call below them, since an outer call reports
        the tokens of the inner one again. None where no usage is known.

    Example:
        >>> leaf_usage([]) is None
        True
    """
    total: UsageMetadata | None = None
    for row in leaf_calls(rows):
        total = add_usage(total, row.usage)
    return total


def leaf_calls(rows: Sequence[RunRow]) -> list[RunRow]:
    """Return the model calls among some runs that have no model call below them."""
    leaves, around = list[RunRow](), set[str | None]()
    for row in reversed(rows):
        is_call, is_around = row.type == "llm", row.id in around
        if is_call or is_around:
            around.add(row.parent_id)
        if is_call and not is_around:
            leaves.append(row)
    return leaves[::-1]


def _children(state: RunState) -> dict[str | None, list[str]]:
    """Return the keys below each key; the parent is the first logged run of that id."""
    below: dict[str | None, list[str]] = {None: []}
    key_by_id = dict[str, str]()
    for key, entry in state["logs"].items():
        below[key] = []
        below[key_by_id.get(entry.get("parent_id") or "")].append(key)
        key_by_id.setdefault(entry["id"], key)
    return below


def _root_row(state: RunState, root: RunRoot) -> RunRow:
    error, end = state.get("error"), root.get("end_time")
    finished = end is not None or state["final_output"] is not None
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
        status=_status(error, finished=finished),
        cost=root.get("cost"),
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
        status=_status(error, finished=end is not None),
        cost=entry.get("cost"),
        branch=_branch(entry.get("tags") or ()),
    )


def _branch(tags: Sequence[str]) -> str | None:
    # LangChain's runs have such tags as well. A run's own comes before those of its caller.
    keys = (tag.removeprefix(_BRANCH_TAG) for tag in tags if tag.startswith(_BRANCH_TAG))
    return next(keys, "") or None


def _status(error: RunFailure | None, *, finished: bool) -> RunStatus:
    if error is not None:
        return "stopped" if error["stopped"] else "failed"
    return "done" if finished else "running"


def _seconds_between(start: str | None, end: str | None) -> float | None:
    if start is None or end is None:
        return None
    return (_time(end) - _time(start)).total_seconds()


def _time(written: str) -> datetime:
    time = datetime.fromisoformat(written)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
