"""Runs as lines of a file, as they happen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from os import PathLike
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any
from weakref import WeakSet

from chatnb.schema.run_log_json import to_json
from chatnb.tracing.run import Origin, Run

_NOW = Origin().now


class JSONLHandler:
    r"""Appends a line of JSON for each event of a run.

    Each line is a dict with `event`, `time` (ISO 8601, UTC) and `run`, whose `id`, `parent_id`,
    `name` and `type` are always there, and beside them:

    - `start`: `tags`, `metadata` and `inputs` in `run`;
    - `token`: `chunk`;
    - `retry`: `attempt`, `error` (`type` and `message`) and `pause`, in seconds;
    - `end`: `output`, `usage`, `start_time`, `end_time` and `first_token_time` in `run`, and
      `inputs` too where they were still on their way at the start;
    - `error`: the same, and `error`: `type`, `message`, `traceback`, and `stopped` for a run that
      was cancelled, interrupted or closed by its reader.

    Values are written as in the file of a run's log: messages and chunks as
    `{"__chatnb__": "message", "value": {"type", "data"}}`. The file holds prompts and replies. A
    line is on its way to the disk before the run goes on, and is written whole, so threads and
    processes may share a file (processes not over a network).

    Args:
        path: The file; what it holds already is kept.
        now: Tells the time of tokens and retries.

    Raises:
        OSError: If the file cannot be opened.

    Example:
        >>> import json, tempfile
        >>> path = Path(tempfile.mkdtemp(), "runs.jsonl")
        >>> run = Run("r1", "add", "chain", Origin().now(), inputs=[1, 2])
        >>> with JSONLHandler(path) as handler:
        ...     handler.on_start(run)
        >>> line = json.loads(path.read_text())
        >>> line["event"], line["run"]["inputs"]
        ('start', [1, 2])
    """

    def __init__(self, path: str | PathLike[str], *, now: Callable[[], datetime] = _NOW) -> None:
        self.path = Path(path)
        self._now = now
        self._lock = Lock()
        # Unbuffered, so that a line is one write; in mode "a" each write goes to the end.
        self._file = self.path.open("ab", buffering=0)
        self._inputs_on_their_way: WeakSet[Run] = WeakSet()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def __enter__(self) -> JSONLHandler:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; events that come later are a ValueError."""
        with self._lock:
            self._file.close()

    def on_start(self, run: Run) -> None:
        """Write that a run starts."""
        if run.inputs is None:
            with self._lock:
                self._inputs_on_their_way.add(run)
        facts = {"tags": run.tags, "metadata": run.metadata, "inputs": run.inputs}
        self._append("start", run.start_time, {**_identity(run), **facts})

    def on_token(self, run: Run, chunk: Any) -> None:
        """Write a chunk."""
        self._append("token", self._now(), _identity(run), chunk=chunk)

    def on_retry(self, run: Run, attempt: int, error: BaseException, pause: float) -> None:
        """Write that an attempt failed."""
        beside = {"attempt": attempt, "error": error, "pause": pause}
        self._append("retry", self._now(), _identity(run), **beside)

    def on_end(self, run: Run) -> None:
        """Write that a run has given its output."""
        self._append("end", run.end_time or self._now(), self._ended(run))

    def on_error(self, run: Run) -> None:
        """Write that a run broke off."""
        self._append("error", run.end_time or self._now(), self._ended(run), error=run.error)

    def _ended(self, run: Run) -> dict[str, Any]:
        facts: dict[str, Any] = _identity(run)
        with self._lock:
            if run in self._inputs_on_their_way:
                self._inputs_on_their_way.discard(run)
                facts["inputs"] = run.inputs
        return {
            **facts,
            "output": run.output,
            "usage": run.usage_metadata,
            "start_time": _iso(run.start_time),
            "end_time": _iso(run.end_time),
            "first_token_time": _iso(run.first_token_time),
        }

    def _append(self, event: str, time: datetime, run: dict[str, Any], **beside: Any) -> None:
        line = to_json({"event": event, "time": _iso(time), "run": run, **beside})
        data = line.encode() + b"\n"
        with self._lock:
            if self._file.write(data) != len(data):
                raise OSError(
                    f"A line of {self.path} could not be written whole: is the disk full?"
                )


def _identity(run: Run) -> dict[str, Any]:
    return {"id": run.id, "parent_id": run.parent_id, "name": run.name, "type": run.type}


def _iso(time: datetime | None) -> str | None:
    return time.isoformat(timespec="microseconds") if time else None
