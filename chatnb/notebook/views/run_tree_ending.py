"""The end of a log that breaks off: whoever closes a stream of patches gets no more of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chatnb.schema.json_patch import escape_key
from chatnb.schema.run_log import RunLog, RunLogPatch
from chatnb.schema.run_state import RunFailure
from chatnb.schema.run_tree import run_rows
from chatnb.tracing.failure import failure_of


def closing_patch(log: RunLog, error: BaseException, now: datetime) -> RunLogPatch | None:
    """End every run that a log leaves open.

    Args:
        log: The log, as far as it came.
        error: Why nothing follows; a cancellation means that it was stopped.
        now: When that was.

    Returns:
        The patch, or None if no run is open.

    Example:
        >>> closing_patch(RunLog(), KeyboardInterrupt(), datetime(2026, 11, 22))
    """
    time = now.isoformat(timespec="microseconds")
    rows = [row for row in run_rows(log.state, log.root) if row.status == "running"]
    if not rows:
        return None
    failure = failure_of(error)
    ops = [op for row in rows if row.key is not None for op in _closing(row.key, time, failure)]
    if rows[0].key is None:
        ops += [
            {"op": "replace", "path": "/final_output", "value": None},
            {"op": "add", "path": "/error", "value": failure},
        ]
    return RunLogPatch(*ops, time=time, root={"end_time": time})


def _closing(key: str, time: str, failure: RunFailure) -> list[dict[str, Any]]:
    entry = f"/logs/{escape_key(key)}"
    fields = {"final_output": None, "end_time": time, "error": failure}
    return [
        {"op": "add", "path": f"{entry}/{name}", "value": value} for name, value in fields.items()
    ]
