"""Run logs: the patches of a run, and the state that they add up to."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from pprint import pformat
from typing import Any, cast

from chatnb.concurrency.locks import Lock
from chatnb.errors import DamagedFileError
from chatnb.files import PRIVATE, replace_text
from chatnb.schema.json_patch import PatchedDocument, copy_document
from chatnb.schema.run_logs.json_values import from_json, read_lines, read_text_line, to_json
from chatnb.schema.run_logs.state import RunRoot, RunState, check_op, check_root, format_time
from chatnb.schema.run_logs.tree import leaf_usage, run_rows
from chatnb.schema.usage import UsageMetadata

_OUTPUT = "/streamed_output/-"


class RunLogPatch:
    """A step of a run: a change of its log's state.

    Patches add up to a `RunLog`. The repr shows the operations alone.

    Args:
        ops: JSON Patch operations: `op`, `path` and `value`.
        time: The time of the step, ISO 8601 in UTC; a datetime becomes such a text.
        root: Metadata of the logged run that its state has no field for.

    Example:
        >>> RunLogPatch({"op": "add", "path": "/streamed_output/-", "value": "Hi"})
        RunLogPatch({'op': 'add', 'path': '/streamed_output/-', 'value': 'Hi'})
    """

    __slots__ = ("_time", "ops", "root")

    def __init__(
        self,
        *ops: dict[str, Any],
        time: str | datetime | None = None,
        root: RunRoot | None = None,
    ) -> None:
        self.ops = list(ops)
        self._time = time
        self.root = root

    @property
    def time(self) -> str | None:
        """The time of the step, ISO 8601 in UTC."""
        # Formatting takes longer than all else of a patch, and most readers of a stream need none.
        if isinstance(self._time, datetime):
            self._time = format_time(self._time)
        return self._time

    def __add__(self, other: RunLogPatch) -> RunLog:
        return RunLog(self) + other

    def __radd__(self, other: int) -> RunLog:
        """Accept the 0 that `sum` starts with."""
        if other != 0:
            return NotImplemented
        return RunLog(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RunLogPatch):
            return NotImplemented
        return (self.ops, self.time, self.root) == (other.ops, other.time, other.root)

    def __repr__(self) -> str:
        return f"RunLogPatch({_shown(self.ops)[1:-1]})"

    def to_json(self) -> str:
        """Return the patch as a line of JSON.

        Returns:
            One line of plain ASCII. Messages, chunks, prompts, tuples, sets, bytes, dates, times,
            UUIDs and numbers of any size are read back equal. Dataclasses, pydantic models and
            exceptions become plain data, without the fields that their reprs leave out; anything
            else becomes its repr.

        Example:
            >>> RunLogPatch({"op": "remove", "path": "/error"}, time="2026-11-22").to_json()
            '{"ops":[{"op":"remove","path":"/error"}],"time":"2026-11-22"}'
        """
        written: dict[str, Any] = {"ops": self.ops, "time": self.time, "root": self.root}
        return to_json({name: value for name, value in written.items() if value is not None})

    @classmethod
    def from_json(cls, line: str | bytes) -> RunLogPatch:
        """Read a patch from JSON.

        Args:
            line: The return value of `to_json`.

        Returns:
            The patch.

        Raises:
            ValueError: If this is not JSON of a patch.

        Example:
            >>> RunLogPatch.from_json('{"ops": [{"op": "remove", "path": "/error"}]}')
            RunLogPatch({'op': 'remove', 'path': '/error'})
        """
        return _read_patch(line)


class RunLog:
    """The sum of a run's patches.

    Adding a patch returns another log at a cost that does not grow with the log; `+=` and `apply`
    change the log itself. A state that was read does not change when patches are added.

    Args:
        patches: The patches so far.

    Example:
        >>> empty = {"id": "r", "streamed_output": [], "final_output": None, "logs": {}}
        >>> log = RunLog(RunLogPatch({"op": "replace", "path": "", "value": empty}))
        >>> log += RunLogPatch({"op": "add", "path": "/streamed_output/-", "value": "Hi"})
        >>> log.state["streamed_output"]
        ['Hi']
    """

    # A log that is changed has a fold of its own; others keep what they read.
    __slots__ = ("_count", "_fold", "_history", "_seen")

    def __init__(self, *patches: RunLogPatch) -> None:
        self._history = _History(list(patches))
        self._count = len(patches)
        self._fold: _Fold | None = None
        self._seen: tuple[Any, RunRoot] | None = None

    @property
    def patches(self) -> list[RunLogPatch]:
        """The patches, in a new list."""
        return self._history.patches[: self._count]

    @property
    def ops(self) -> list[dict[str, Any]]:
        """The operations of all patches, in a new list."""
        return [op for patch in self.patches for op in patch.ops]

    @property
    def state(self) -> RunState:
        """The state after all patches, read-only; an empty dict before the first.

        It is computed when first read. Reading many logs of one run costs one pass over its patches
        if they are read in order, and a pass each if not.

        Raises:
            ValueError: If a patch cannot be applied.
        """
        return self._read()[0]

    @property
    def root(self) -> RunRoot:
        """Metadata of the logged run beside its state, read-only.

        Raises:
            ValueError: If a patch cannot be applied.
        """
        return self._read()[1]

    @property
    def usage(self) -> UsageMetadata | None:
        """The token usage of the run: the sum over its model calls, each counted once."""
        return leaf_usage(run_rows(self.state, self.root))

    def __add__(self, other: RunLogPatch) -> RunLog:
        if not isinstance(other, RunLogPatch):  # pyright: ignore[reportUnnecessaryIsInstance]
            return NotImplemented
        total = object.__new__(RunLog)
        total._history = self._history.with_patch(self._count, other)
        total._count = self._count + 1
        total._fold = total._seen = None
        return total

    def __iadd__(self, other: RunLogPatch) -> RunLog:
        if not isinstance(other, RunLogPatch):  # pyright: ignore[reportUnnecessaryIsInstance]
            return NotImplemented
        self.apply(other)
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RunLog):
            return NotImplemented
        return self.patches == other.patches

    def __repr__(self) -> str:
        return f"RunLog({_shown(self.state)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return RunLog, tuple(self.patches)

    def apply(self, patch: RunLogPatch) -> None:
        """Add a patch to this log.

        Args:
            patch: The next step of the run.

        Raises:
            ValueError: If the patch cannot be applied; the log is then unchanged.

        Example:
            >>> log = RunLog()
            >>> log.apply(RunLogPatch({"op": "add", "path": "/id", "value": "r"}))
            >>> log
            RunLog({'id': 'r'})
        """
        fold = self._fold or _Fold(*self._read(), self._count)
        self._fold = self._seen = None
        fold.apply(patch)
        self._history = self._history.with_patch(self._count, patch)
        self._count += 1
        self._fold = fold

    def snapshot(self) -> RunState:
        """Copy the state.

        Returns:
            The state now. Its dicts and lists are copies; messages and other objects are shared.

        Raises:
            ValueError: If a patch cannot be applied.
        """
        return copy_document(self.state)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the log to a file, a line of JSON for each patch.

        Args:
            path: The file; an existing file is replaced whole, a new one is for you alone.

        Raises:
            OSError: If the file cannot be written.
        """
        lines = (f"{patch.to_json()}\n" for patch in self.patches)
        replace_text(Path(path), lines, mode=PRIVATE)

    @classmethod
    def load(cls, source: str | os.PathLike[str] | Iterable[str | bytes]) -> RunLog:
        """Read a log from a file, or from its lines.

        An incomplete last line without a line end, which a crash leaves, is ignored.

        Args:
            source: The file's path, or lines as `RunLogPatch.to_json` returns them.

        Returns:
            The log.

        Raises:
            ValueError: If any other line is not a patch of a run; the message has its number. For
                a file it is a DamagedFileError.
            OSError: If the file cannot be read.

        Example:
            >>> RunLog.load(['{"ops": [{"op": "add", "path": "/id", "value": "r"}]}'])
            RunLog({'id': 'r'})
        """
        if not isinstance(source, str | os.PathLike):
            return _checked_log(read_lines(source, _read_patch))
        try:
            with Path(source).open("rb") as file, _no_collections():
                return _checked_log(read_lines(file, _read_patch))
        except ValueError as error:
            raise DamagedFileError(
                f"{os.fspath(source)} is no run log, or is damaged: {error} "
                "Save the log again, or remove the lines from there on."
            ) from error

    def _read(self) -> tuple[Any, RunRoot]:
        if self._fold is not None:
            return self._fold.share()
        if self._seen is None:
            self._seen = self._history.state_after(self._count)
        return self._seen


class _Fold:
    """The state after some patches."""

    __slots__ = ("count", "document", "root")

    def __init__(self, value: Any, root: RunRoot, count: int) -> None:
        self.document = PatchedDocument(value)
        self.root = root
        self.count = count

    def apply(self, patch: RunLogPatch) -> None:
        for op in patch.ops:
            self.document.apply(op)
        if patch.root:
            self.root = cast("RunRoot", {**self.root, **patch.root})
        self.count += 1

    def share(self) -> tuple[Any, RunRoot]:
        return self.document.share(), self.root


class _History:
    """The patches that logs with the same beginning share; each log counts how many are its own."""

    # One fold advances with the patches, so that logs read in their order cost one pass in all.

    __slots__ = ("_fold", "_lock", "patches")

    def __init__(self, patches: list[RunLogPatch]) -> None:
        self.patches = patches
        self._fold = _Fold({}, {}, 0)
        self._lock = Lock()

    def with_patch(self, count: int, patch: RunLogPatch) -> _History:
        """Return the history with the patch at index `count`: this one, if the index is free."""
        self.patches.append(patch)
        if self.patches[count] is patch:
            return self
        return _History([*self.patches[:count], patch])

    def state_after(self, count: int) -> tuple[Any, RunRoot]:
        """Return the state, and the root's metadata, after `count` patches."""
        with self._lock:
            fold = self._fold if count >= self._fold.count else _Fold({}, {}, 0)
            try:
                for patch in self.patches[fold.count : count]:
                    fold.apply(patch)
            except BaseException:  # Some of the patch may have been applied.
                self._fold = _Fold({}, {}, 0)
                raise
            return fold.share()


@contextmanager
def _no_collections() -> Generator[None]:
    """Keep the garbage collector from looking at what is being read, time and again."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _shown(value: object) -> str:
    try:
        return pformat(value)
    except ValueError:  # Python writes no longer integers in decimals.
        return pformat(json.loads(to_json(value)))


def _checked_log(patches: Iterable[RunLogPatch]) -> RunLog:
    """Return the log of patches that were read, all of which can be applied."""
    log = RunLog(*patches)
    for number, patch in enumerate(log.patches, start=1):
        try:
            for op in patch.ops:
                if op["path"] != _OUTPUT:
                    check_op(op)
            if patch.root is not None:
                check_root(patch.root)
        except ValueError as error:
            raise ValueError(f"Patch {number}: {error}") from error
    _ = log.state
    return log


def _read_patch(line: str | bytes) -> RunLogPatch:
    if (text := read_text_line(line)) is not None:
        path, chunk, time = text
        return RunLogPatch({"op": "add", "path": path, "value": chunk}, time=time)
    value = from_json(line)
    written = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    ops, time, root = (written.get(name) for name in ("ops", "time", "root"))
    if not isinstance(ops, list) or not all(map(_is_op, cast("list[Any]", ops))):
        raise ValueError(
            f'A patch has the form {{"ops": [{{"op": .., "path": ..}}]}}: {value!r:.200}'
        )
    if not isinstance(time, str | None) or not isinstance(root, dict | None):
        raise ValueError(f"A patch's time is a string and its root a dict: {value!r:.200}")
    return RunLogPatch(*cast("list[Any]", ops), time=time, root=cast("RunRoot | None", root))


def _is_op(value: Any) -> bool:
    match value:
        case {"op": str(), "path": str()}:
            return True
        case _:
            return False
