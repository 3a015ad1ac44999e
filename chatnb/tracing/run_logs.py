"""Read the events that a `JSONLHandler` wrote as run logs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from chatnb.errors import DamagedFileError
from chatnb.schema.messages import BaseMessage
from chatnb.schema.run_logs.json_values import from_json, read_lines
from chatnb.schema.run_logs.log import RunLog, RunLogPatch
from chatnb.tracing.log_writer import LogWriter, Selection
from chatnb.tracing.run import Run

_START = b'{"event":'


def holds_events(path: str | os.PathLike[str]) -> bool:
    """Return whether a file begins with an event of a `JSONLHandler`, and not with a patch."""
    with Path(path).open("rb") as file:
        return file.read(len(_START)) == _START


def load_run_logs(path: str | os.PathLike[str]) -> list[RunLog]:
    """Read the runs that a `JSONLHandler` has written, a log for each that nothing else started.

    Events of runs whose start is not in the file, and an incomplete last line, are left out.

    Args:
        path: The file.

    Returns:
        The logs, in the order in which the runs started.

    Raises:
        DamagedFileError: If a line is no event.
        OSError: If the file cannot be read.

    Example:
        >>> import tempfile
        >>> from chatnb.chat_models import ScriptedChatModel
        >>> from chatnb.tracing import JSONLHandler
        >>> path = Path(tempfile.mkdtemp(), "runs.jsonl")
        >>> with JSONLHandler(path) as handler:
        ...     reply = ScriptedChatModel(["Hello."]).invoke("Hi", {"callbacks": [handler]})
        >>> (log,) = load_run_logs(path)
        >>> log.state["final_output"]["generations"][0][0]["text"]
        'Hello.'
    """
    reader = _Reader()
    try:
        with Path(path).open("rb") as file:
            for event in read_lines(file, _read_event):
                reader.add(event)
    except ValueError as error:
        raise DamagedFileError(
            f"{os.fspath(path)} has no events of a JSONLHandler, or is damaged: {error}"
        ) from error
    return reader.logs()


class _Reader:
    """The runs of a file so far, and the patches of their logs."""

    def __init__(self) -> None:
        self._runs = dict[str, Run]()
        self._writers = dict[str, LogWriter]()  # By the id of the run at the top.
        self._patches = dict[str, list[RunLogPatch]]()

    def add(self, event: Mapping[str, Any]) -> None:
        """Add an event."""
        written = cast("dict[str, Any]", event["run"])
        if event["event"] == "start":
            self._start(_run_from(written, event["time"], self._runs.get(written["parent_id"])))
            return
        run = self._runs.get(written["id"])
        if run is None:
            return
        if event["event"] == "token":
            self._keep(run, self._token(run, event["chunk"], _time(event["time"])))
        elif event["event"] in ("end", "error"):
            _finish(run, written, event)
            self._keep(run, self._writer(run).end(run))

    def logs(self) -> list[RunLog]:
        """Return the logs of all runs at the top."""
        return [RunLog(*patches) for patches in self._patches.values()]

    def _start(self, run: Run) -> None:
        self._runs[run.id] = run
        if run.parent is None:
            self._writers[run.id] = LogWriter(run.id, Selection())
        self._keep(run, self._writer(run).start(run))

    def _token(self, run: Run, chunk: Any, time: datetime) -> RunLogPatch | None:
        if run.parent is None:
            op = {"op": "add", "path": "/streamed_output/-", "value": chunk}
            return RunLogPatch(op, time=time)
        text = chunk.text if isinstance(chunk, BaseMessage) else str(chunk)
        return self._writer(run).token(run, text, time)

    def _keep(self, run: Run, patch: RunLogPatch | None) -> None:
        if patch is not None:
            self._patches.setdefault(_top(run).id, []).append(patch)

    def _writer(self, run: Run) -> LogWriter:
        return self._writers[_top(run).id]


def _top(run: Run) -> Run:
    while run.parent is not None:
        run = run.parent
    return run


def _run_from(written: Mapping[str, Any], time: str, parent: Run | None) -> Run:
    return Run(
        written["id"],
        written["name"],
        written["type"],
        _time(time),
        parent,
        tags=written.get("tags") or [],
        metadata=written.get("metadata") or {},
        inputs=written.get("inputs"),
    )


def _finish(run: Run, written: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    run.output, run.usage_metadata = written.get("output"), written.get("usage")
    run.end_time = _time(event["time"])
    first = written.get("first_token_time")
    run.first_token_time = None if first is None else _time(first)
    if "inputs" in written:
        run.inputs, run.inputs_came_late = written["inputs"], True
    run.error = event.get("error")


def _read_event(line: str | bytes) -> Mapping[str, Any]:
    match from_json(line):
        case {
            "event": str(),
            "time": str() as time,
            "run": {"id": str(), "parent_id": str() | None, "name": str(), "type": str()},
        } as event:
            _time(time)
            return cast("Mapping[str, Any]", event)
        case other:
            raise ValueError(
                f'An event has the form {{"event": .., "time": .., "run": ..}}: {other!r:.200}'
            )


def _time(written: str) -> datetime:
    return datetime.fromisoformat(written)
