"""A handler that writes run events as JSON lines."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any
from weakref import WeakSet

from chatnb.concurrency.locks import Lock
from chatnb.files import open_private
from chatnb.redaction import environment_secrets, redact_json
from chatnb.schema.run_logs.json_values import to_json
from chatnb.schema.run_logs.state import format_time
from chatnb.tracing.run import ClockAndIds, Run

_NOW = ClockAndIds().now


class JSONLHandler:
    r"""Appends a line of JSON for each event of a run.

    Each line is a dict with `event`, `time` (ISO 8601, UTC) and `run`, which always has `id`,
    `parent_id`, `name` and `type`, and also:

    - `start`: `tags`, `metadata` and `inputs` in `run`;
    - `token`: `chunk`;
    - `retry`: `attempt`, `error` (`type` and `message`) and `pause`, in seconds;
    - `end`: `output`, `usage`, `start_time`, `end_time` and `first_token_time` in `run`, and
      `inputs` too if they were still streaming in at the start;
    - `error`: the same, and `error`: `type`, `message`, `traceback`, and `stopped` for a run that
      was cancelled, interrupted or closed by its reader.

    Values have the form of a run log's file: messages and chunks are
    `{"__chatnb__": "message", "value": {"type", "data"}}`. The file holds prompts and replies. A
    line is flushed before the run goes on, and is written in one call, so threads and
    processes may share a file (processes not over a network).

    Args:
        path: The file; existing lines are kept.
        now: Returns the time of tokens and retries.

    Raises:
        OSError: If the file cannot be opened.

    Example:
        >>> import json, tempfile
        >>> from datetime import UTC
        >>> path = Path(tempfile.mkdtemp(), "runs.jsonl")
        >>> run = Run("r1", "add", "chain", datetime.now(UTC), inputs=[1, 2])
        >>> with JSONLHandler(path) as handler:
        ...     handler.on_start(run)
        >>> line = json.loads(path.read_text())
        >>> line["event"], line["run"]["inputs"]
        ('start', [1, 2])
    """

    def __init__(self, path: str | PathLike[str], *, now: Callable[[], datetime] = _NOW) -> None:
        self.path = Path(path)
        self._now = now
        self._lock = Lock()  # A finalizer may end a run while its thread writes.
        self._secrets = environment_secrets()
        # Unbuffered, so that a line is one write; in mode "a" each write goes to the end.
        self._file = open(self.path, "ab", buffering=0, opener=open_private)  # noqa: SIM115
        self._without_inputs: WeakSet[Run] = WeakSet()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process opens the file anew: it may work in another folder.
        made = type(self) if self._now is _NOW else partial(type(self), now=self._now)
        return made, (str(self.path.absolute()),)

    def __enter__(self) -> JSONLHandler:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; later events raise a ValueError."""
        with self._lock:
            self._file.close()

    def on_start(self, run: Run) -> None:
        """Write the start of `run`."""
        if run.inputs is None:
            with self._lock:
                self._without_inputs.add(run)
        details = {"tags": run.tags, "metadata": run.metadata, "inputs": run.inputs}
        self._append("start", run.start_time, {**_identity(run), **details})

    def on_token(self, run: Run, chunk: Any) -> None:
        """Write a `chunk` of `run`."""
        self._append("token", self._now(), _identity(run), chunk=chunk)

    def on_retry(self, run: Run, attempt: int, error: BaseException, pause: float) -> None:
        """Write a failed `attempt` of `run`: its `error`, and the `pause` after it."""
        details = {"attempt": attempt, "error": error, "pause": pause}
        self._append("retry", self._now(), _identity(run), **details)

    def on_end(self, run: Run) -> None:
        """Write the end of `run`."""
        self._append("end", run.end_time or self._now(), self._result(run))

    def on_error(self, run: Run) -> None:
        """Write the failure of `run`."""
        self._append("error", run.end_time or self._now(), self._result(run), error=run.error)

    def _result(self, run: Run) -> dict[str, Any]:
        result: dict[str, Any] = _identity(run)
        with self._lock:
            if run in self._without_inputs:
                self._without_inputs.discard(run)
                result["inputs"] = run.inputs
        return {
            **result,
            "output": run.output,
            "usage": run.usage_metadata,
            "start_time": format_time(run.start_time),
            "end_time": format_time(run.end_time),
            "first_token_time": format_time(run.first_token_time),
        }

    def _append(self, event: str, time: datetime, run: dict[str, Any], **details: Any) -> None:
        line = to_json({"event": event, "time": format_time(time), "run": run, **details})
        data = redact_json(line, self._secrets).encode() + b"\n"
        with self._lock:
            if self._file.write(data) != len(data):
                raise OSError(
                    f"A line of {self.path} could not be written completely: is the disk full?"
                )


def _identity(run: Run) -> dict[str, Any]:
    return {"id": run.id, "parent_id": run.parent_id, "name": run.name, "type": run.type}
