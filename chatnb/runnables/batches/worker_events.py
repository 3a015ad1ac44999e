"""Events of runs in another process, which handlers get where the batch was started."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from chatnb.concurrency.pickling import dumps
from chatnb.runnables.config import RunnableConfig, merge_configs
from chatnb.runnables.tracing import notify
from chatnb.tracing.run import Run

_ANY_VALUES = {"inputs", "output"}
_FIELDS = [field.name for field in fields(Run) if field.init]
# The fields of a run that may be new at an event between its start and its end.
_CHANGES = {"on_token": ("first_token_time",), "on_retry": ()}


@dataclass(frozen=True)
class Event:
    """An event: a pickle of the fields of its run that are new, and of the event's arguments."""

    name: str
    run_id: str
    parent_id: str | None
    pickled: bytes


class EventRecorder:
    """A handler that records the events of the runs of a worker."""

    def __init__(self) -> None:
        self.events = list[Event]()

    def on_start(self, run: Run) -> None:
        self._record("on_start", run)

    def on_token(self, run: Run, chunk: Any) -> None:
        self._record("on_token", run, chunk)

    def on_retry(self, run: Run, attempt: int, error: BaseException, pause: float) -> None:
        self._record("on_retry", run, attempt, error, pause)

    def on_end(self, run: Run) -> None:
        self._record("on_end", run)

    def on_error(self, run: Run) -> None:
        self._record("on_error", run)

    def _record(self, name: str, run: Run, *args: Any) -> None:
        # Runs may have thousands of tokens, and inputs of megabytes.
        state = {field: getattr(run, field) for field in _CHANGES.get(name, _FIELDS)}
        state |= {field: None for field in ("parent", "exception") if field in state}
        self.events.append(Event(name, run.id, run.parent_id, _pickled(state, args)))


def _pickled(fields: dict[str, Any], args: tuple[Any, ...]) -> bytes:
    try:
        pickled = dumps((fields, args))
        pickle.loads(pickled)
    except Exception:  # A live object in an input, output or error.
        shown: dict[str, Any] = {name: repr(fields[name]) for name in _ANY_VALUES & fields.keys()}
        if "metadata" in fields:
            shown["metadata"] = {}
        return dumps(({**fields, **shown}, tuple(map(_plain, args))))
    return pickled


def _plain(value: Any) -> Any:
    return RuntimeError(str(value)) if isinstance(value, BaseException) else str(value)


def replay(events: Iterable[Event], config: RunnableConfig | None) -> None:
    """Give events to the handlers of a config, as runs below the run that passed it on."""
    runs, parent = dict[str, Run](), (config or {}).get("parent_run")
    for event in events:
        fields, args = pickle.loads(event.pickled)
        if event.name not in _CHANGES:
            fields["parent"] = runs.get(event.parent_id or "", parent)
        if event.run_id not in runs:
            runs[event.run_id] = Run(**fields)
        run = runs[event.run_id]
        vars(run).update(fields)
        notify(merge_configs(config, {"parent_run": run}), event.name, *args)
