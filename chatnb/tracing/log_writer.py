"""The events of runs, written as the patches of a log: pure but for what it remembers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from threading import Lock
from typing import Any

from chatnb.schema.json_patch import escape_key
from chatnb.schema.run_log import RunLogPatch
from chatnb.schema.run_state import RunRoot, RunState
from chatnb.tracing.run import Run


@dataclass(frozen=True)
class Selection:
    """Which runs within the logged one get an entry: all, unless something is said.

    Args:
        include_names: Only runs of these names.
        include_types: Only runs of these kinds.
        include_tags: Only runs with one of these tags.
        exclude_names: No runs of these names.
        exclude_types: No runs of these kinds.
        exclude_tags: No runs with one of these tags.

    Example:
        >>> Selection(exclude_types=["prompt"]).includes("p", "prompt", [])
        False
    """

    include_names: Collection[str] | None = None
    include_types: Collection[str] | None = None
    include_tags: Collection[str] | None = None
    exclude_names: Collection[str] | None = None
    exclude_types: Collection[str] | None = None
    exclude_tags: Collection[str] | None = None

    def includes(self, name: str, type: str, tags: Collection[str]) -> bool:
        """Whether such a run gets an entry."""
        wanted = [
            name in (self.include_names or ()),
            type in (self.include_types or ()),
            any(tag in tags for tag in self.include_tags or ()),
        ]
        unwanted = [
            name in (self.exclude_names or ()),
            type in (self.exclude_types or ()),
            any(tag in tags for tag in self.exclude_tags or ()),
        ]
        asked = (self.include_names, self.include_types, self.include_tags)
        return (any(wanted) or all(each is None for each in asked)) and not any(unwanted)


class LogWriter:
    """Writes the patches of one logged run; may be called from several threads.

    The end of the logged run ends the log: of what outlives it on a thread nothing is written.

    Args:
        root_id: The id of the logged run.
        selection: Which runs within it get an entry.
    """

    def __init__(self, root_id: str, selection: Selection) -> None:
        self._root_id = root_id
        self._selection = selection
        self._keys: dict[str, str] = {}
        self._names: set[str] = set()
        self._lock = Lock()
        self._ended = False

    def start(self, run: Run) -> RunLogPatch | None:
        """What to write when a run starts."""
        if run.id == self._root_id:
            return self._start_of_root(run)
        if self._ended or not self._selection.includes(run.name, run.type, run.tags):
            return None
        key = self._new_key(run)
        entry = {
            "id": run.id,
            "name": run.name,
            "type": run.type,
            "tags": list(run.tags),
            "metadata": dict(run.metadata),
            "start_time": written(run.start_time),
            "streamed_output_str": [],
            "final_output": None,
            "end_time": None,
            "parent_id": self._logged_parent(run),
            "inputs": run.inputs,
            "error": None,
            "first_token_time": None,
            "usage_metadata": None,
        }
        return RunLogPatch(_add(f"/logs/{key}", entry), time=written(run.start_time))

    def has_entry(self, run: Run) -> bool:
        """Whether a run that has started got an entry."""
        return run.id in self._keys

    def token(self, run: Run, text: str, time: datetime) -> RunLogPatch | None:
        """What to write when a chat model says something."""
        key = self._keys.get(run.id)
        if key is None or self._ended or not text:
            return None
        return RunLogPatch(_add(f"/logs/{key}/streamed_output_str/-", text), time=written(time))

    def end(self, run: Run) -> RunLogPatch | None:
        """What to write when a run ended, in whatever way."""
        if run.id == self._root_id:
            return self._end_of_root(run)
        key = self._keys.get(run.id)
        if key is None or self._ended:
            return None
        said: dict[str, Any] = {"final_output": run.output, "end_time": written(run.end_time)}
        more = {
            "first_token_time": written(run.first_token_time),
            "usage_metadata": run.usage_metadata,
            "cost": run.cost,
            "error": run.error,
            "inputs": run.inputs if run.inputs_came_late else None,
        }
        said.update((name, value) for name, value in more.items() if value is not None)
        ops = [_add(f"/logs/{key}/{name}", value) for name, value in said.items()]
        return RunLogPatch(*ops, time=written(run.end_time))

    def _start_of_root(self, run: Run) -> RunLogPatch:
        state = RunState(id=run.id, streamed_output=[], final_output=None, logs={})
        root = RunRoot(
            name=run.name,
            type=run.type,
            tags=list(run.tags),
            metadata=dict(run.metadata),
            start_time=written(run.start_time) or "",
            inputs=run.inputs,
        )
        op = {"op": "replace", "path": "", "value": state}
        return RunLogPatch(op, time=root.get("start_time"), root=root)

    def _end_of_root(self, run: Run) -> RunLogPatch:
        self._ended = True
        ops = [{"op": "replace", "path": "/final_output", "value": run.output}]
        if run.error is not None:
            ops.append(_add("/error", run.error))
        root = RunRoot(
            end_time=written(run.end_time),
            first_token_time=written(run.first_token_time),
            usage_metadata=run.usage_metadata,
        )
        if run.cost is not None:
            root["cost"] = run.cost
        return RunLogPatch(*ops, time=written(run.end_time), root=root)

    def _new_key(self, run: Run) -> str:
        with self._lock:
            numbers = count(2)
            name = run.name
            while name in self._names:
                name = f"{run.name}:{next(numbers)}"
            self._names.add(name)
            key = self._keys[run.id] = escape_key(name)
            return key

    def _logged_parent(self, run: Run) -> str:
        above = run.parent
        while above is not None and above.id not in self._keys:
            above = above.parent
        return above.id if above is not None else self._root_id


def written(time: datetime | None) -> str | None:
    """A time as logs have it: ISO 8601 in UTC, with microseconds."""
    return None if time is None else time.isoformat(timespec="microseconds")


def _add(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}
