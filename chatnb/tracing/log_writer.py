"""Run events as patches of a run log, without I/O."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chatnb.schema.json_patch import escape_key
from chatnb.schema.run_logs.log import RunLogPatch
from chatnb.schema.run_logs.state import RunRoot, RunState, format_time
from chatnb.tracing.run import Run


@dataclass(frozen=True)
class Selection:
    """A filter of the runs within the logged one that get an entry: all by default."""

    include_names: Collection[str] | None = None
    include_types: Collection[str] | None = None
    include_tags: Collection[str] | None = None
    exclude_names: Collection[str] | None = None
    exclude_types: Collection[str] | None = None
    exclude_tags: Collection[str] | None = None

    def includes(self, name: str, type: str, tags: Collection[str]) -> bool:
        """Return whether a run gets an entry."""
        included = [
            name in (self.include_names or ()),
            type in (self.include_types or ()),
            any(tag in tags for tag in self.include_tags or ()),
        ]
        excluded = [
            name in (self.exclude_names or ()),
            type in (self.exclude_types or ()),
            any(tag in tags for tag in self.exclude_tags or ()),
        ]
        includes = (self.include_names, self.include_types, self.include_tags)
        if any(include is not None for include in includes) and not any(included):
            return False
        return not any(excluded)


class LogWriter:
    """The patches of one logged run; callers on several threads take turns."""

    def __init__(self, root_id: str, selection: Selection) -> None:
        self._root_id = root_id
        self._selection = selection
        self._keys: dict[str, str] = {}
        self._next_numbers: dict[str, int] = {}
        # The end of the logged run closes the log: threads may outlive the run.
        self._closed = False

    def start(self, run: Run) -> RunLogPatch | None:
        """Return the patch for the start of a run."""
        if run.id == self._root_id:
            return self._start_of_root(run)
        if self._closed or not self._selection.includes(run.name, run.type, run.tags):
            return None
        key = self._new_key(run)
        entry = {
            "id": run.id,
            "name": run.name,
            "type": run.type,
            "tags": list(run.tags),
            "metadata": dict(run.metadata),
            "start_time": format_time(run.start_time),
            "streamed_output_str": [],
            "final_output": None,
            "end_time": None,
            "parent_id": self._logged_parent(run),
            "inputs": run.inputs,
            "error": None,
            "first_token_time": None,
            "usage_metadata": None,
        }
        return RunLogPatch(_add(f"/logs/{key}", entry), time=run.start_time)

    def has_entry(self, run: Run) -> bool:
        """Return whether a started run has an entry."""
        return run.id in self._keys

    def token(self, run: Run, text: str, time: datetime) -> RunLogPatch | None:
        """Return the patch for text that a chat model streams."""
        key = self._keys.get(run.id)
        if key is None or self._closed or not text:
            return None
        return RunLogPatch(_add(f"/logs/{key}/streamed_output_str/-", text), time=time)

    def end(self, run: Run) -> RunLogPatch | None:
        """Return the patch for the end or failure of a run."""
        if run.id == self._root_id:
            return self._end_of_root(run)
        key = self._keys.get(run.id)
        if key is None or self._closed:
            return None
        values: dict[str, Any] = {"final_output": run.output, "end_time": format_time(run.end_time)}
        optional = {
            "first_token_time": format_time(run.first_token_time),
            "usage_metadata": run.usage_metadata,
            "cost": run.cost,
            "error": run.error,
            "inputs": run.inputs if run.inputs_came_late else None,
        }
        values.update((name, value) for name, value in optional.items() if value is not None)
        ops = [_add(f"/logs/{key}/{name}", value) for name, value in values.items()]
        return RunLogPatch(*ops, time=run.end_time)

    def _start_of_root(self, run: Run) -> RunLogPatch:
        state = RunState(id=run.id, streamed_output=[], final_output=None, logs={})
        root = RunRoot(
            name=run.name,
            type=run.type,
            tags=list(run.tags),
            metadata=dict(run.metadata),
            start_time=format_time(run.start_time) or "",
            inputs=run.inputs,
        )
        op = {"op": "replace", "path": "", "value": state}
        return RunLogPatch(op, time=run.start_time, root=root)

    def _end_of_root(self, run: Run) -> RunLogPatch:
        self._closed = True
        ops = [{"op": "replace", "path": "/final_output", "value": run.output}]
        if run.error is not None:
            ops.append(_add("/error", run.error))
        root = RunRoot(
            end_time=format_time(run.end_time),
            first_token_time=format_time(run.first_token_time),
            usage_metadata=run.usage_metadata,
        )
        if run.cost is not None:
            root["cost"] = run.cost
        return RunLogPatch(*ops, time=run.end_time, root=root)

    def _new_key(self, run: Run) -> str:
        name, numbers = run.name, self._next_numbers
        while name in numbers:
            name = f"{run.name}:{numbers[run.name]}"
            numbers[run.name] += 1
        numbers[name] = 2
        key = self._keys[run.id] = escape_key(name)
        return key

    def _logged_parent(self, run: Run) -> str:
        above = run.parent
        while above is not None and above.id not in self._keys:
            above = above.parent
        return above.id if above is not None else self._root_id


def _add(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}
