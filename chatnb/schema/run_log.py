"""The life of a run as patches, and what they add up to."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from pprint import pformat
from typing import Any, cast

from chatnb.schema.json_patch import copy_document
from chatnb.schema.run_history import Fold, History
from chatnb.schema.run_log_json import from_json, read_lines, to_json
from chatnb.schema.run_state import RunRoot, RunState
from chatnb.schema.run_tree import leaf_usage, run_rows
from chatnb.schema.usage import UsageMetadata


class RunLogPatch:
    """One step of a run: how its log's state changes.

    Patches add up to a `RunLog`. The repr is of the operations alone.

    Args:
        ops: The operations, of JSON Patch: `op`, `path` and `value`.
        time: When the step was made, ISO 8601 in UTC.
        root: What the step tells of the logged run itself that its state has no place for.

    Example:
        >>> RunLogPatch({"op": "add", "path": "/streamed_output/-", "value": "Hi"})
        RunLogPatch({'op': 'add', 'path': '/streamed_output/-', 'value': 'Hi'})
    """

    __slots__ = ("ops", "root", "time")

    def __init__(
        self, *ops: dict[str, Any], time: str | None = None, root: RunRoot | None = None
    ) -> None:
        self.ops = list(ops)
        self.time = time
        self.root = root

    def __add__(self, other: RunLogPatch) -> RunLog:
        return RunLog(self) + other

    def __radd__(self, other: int) -> RunLog:
        """Let `sum` begin with its 0."""
        if other != 0:
            return NotImplemented
        return RunLog(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RunLogPatch):
            return NotImplemented
        return (self.ops, self.time, self.root) == (other.ops, other.time, other.root)

    def __repr__(self) -> str:
        return f"RunLogPatch({pformat(self.ops)[1:-1]})"

    def to_json(self) -> str:
        """Write the patch as a line of JSON.

        Returns:
            One line of plain ASCII. Messages, chunks and prompts are read back equal, as is what
            JSON knows, and tuples, sets, bytes, dates, times, UUIDs and numbers of any size. Of
            dataclasses, pydantic models and exceptions the plain data is written, without the
            fields that their reprs leave out; of everything else the repr.

        Example:
            >>> RunLogPatch({"op": "remove", "path": "/error"}, time="2026-11-22").to_json()
            '{"ops":[{"op":"remove","path":"/error"}],"time":"2026-11-22"}'
        """
        written: dict[str, Any] = {"ops": self.ops, "time": self.time, "root": self.root}
        return to_json({name: said for name, said in written.items() if said is not None})

    @classmethod
    def from_json(cls, line: str | bytes) -> RunLogPatch:
        """Read a patch from JSON.

        Args:
            line: What `to_json` gave.

        Returns:
            The patch.

        Raises:
            ValueError: If this is not JSON of a patch.

        Example:
            >>> RunLogPatch.from_json('{"ops": [{"op": "remove", "path": "/error"}]}')
            RunLogPatch({'op': 'remove', 'path': '/error'})
        """
        return _as_patch(from_json(line))


class RunLog:
    """What the patches of a run add up to.

    Adding a patch makes another log at no cost that grows with the log; `+=` and `apply` change
    the log itself. What `state` gave stays as it was, whatever comes after.

    Args:
        patches: What has come so far.

    Example:
        >>> empty = {"id": "r", "streamed_output": [], "final_output": None, "logs": {}}
        >>> log = RunLog(RunLogPatch({"op": "replace", "path": "", "value": empty}))
        >>> log += RunLogPatch({"op": "add", "path": "/streamed_output/-", "value": "Hi"})
        >>> log.state["streamed_output"]
        ['Hi']
    """

    __slots__ = ("_count", "_fold", "_history")

    def __init__(self, *patches: RunLogPatch) -> None:
        self._history = History(list(patches))
        self._count = len(patches)
        self._fold: Fold | None = None

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
        """What the patches have made, to be read and not changed; an empty dict before the first.

        It is made when it is first read. Reading many logs of one run costs one pass over its
        patches if they are read in their order, and a pass each if not.

        Raises:
            ValueError: If a patch cannot be applied.
        """
        return self._folded().document.share()

    @property
    def root(self) -> RunRoot:
        """What the patches tell of the logged run beside its state, to be read and not changed.

        Raises:
            ValueError: If a patch cannot be applied.
        """
        return self._folded().root

    @property
    def usage(self) -> UsageMetadata | None:
        """What the run cost, in tokens: the sum over its model calls, each once."""
        return leaf_usage(run_rows(self.state, self.root))

    def __add__(self, other: RunLogPatch) -> RunLog:
        if not isinstance(other, RunLogPatch):  # pyright: ignore[reportUnnecessaryIsInstance]
            return NotImplemented
        total = object.__new__(RunLog)
        total._history = self._history.with_patch(self._count, other)
        total._count = self._count + 1
        total._fold = None
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
        return f"RunLog({pformat(self.state)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return RunLog, tuple(self.patches)

    def apply(self, patch: RunLogPatch) -> None:
        """Add a patch to this very log.

        Args:
            patch: The next step of the run.

        Raises:
            ValueError: If the patch cannot be applied; the log is as it was.

        Example:
            >>> log = RunLog()
            >>> log.apply(RunLogPatch({"op": "add", "path": "/id", "value": "r"}))
            >>> log
            RunLog({'id': 'r'})
        """
        fold = self._folded()
        self._fold = None
        fold.apply(patch)
        self._history = self._history.with_patch(self._count, patch)
        self._count += 1
        self._fold = fold

    def snapshot(self) -> RunState:
        """Copy the state.

        Returns:
            The state as it is now, its dicts and lists the caller's own; messages and other
            objects in it are shared.

        Raises:
            ValueError: If a patch cannot be applied.
        """
        return copy_document(self.state)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the log to a file, a line of JSON a patch.

        Args:
            path: The file; one that is there is replaced.

        Raises:
            OSError: If the file cannot be written.
        """
        with Path(path).open("w", encoding="ascii", newline="\n") as file:
            file.writelines(f"{patch.to_json()}\n" for patch in self.patches)

    @classmethod
    def load(cls, source: str | os.PathLike[str] | Iterable[str | bytes]) -> RunLog:
        """Read a log from a file, or from its lines.

        A last line without a line end that is not whole JSON is what a crash left of a patch; it
        is left out, and nothing is said about it.

        Args:
            source: The file's path, or lines as `RunLogPatch.to_json` writes them.

        Returns:
            The log.

        Raises:
            ValueError: If any other line is not a patch; the message has its number.
            OSError: If the file cannot be read.

        Example:
            >>> RunLog.load(['{"ops": [{"op": "add", "path": "/id", "value": "r"}]}'])
            RunLog({'id': 'r'})
        """
        if isinstance(source, str | os.PathLike):
            with Path(source).open("rb") as file:
                return cls(*read_lines(file, _as_patch))
        return cls(*read_lines(source, _as_patch))

    def _folded(self) -> Fold:
        if self._fold is None:
            self._fold = self._history.fold(self._count)
        return self._fold


def _as_patch(value: Any) -> RunLogPatch:
    written = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    ops, time, root = (written.get(name) for name in ("ops", "time", "root"))
    if not isinstance(ops, list) or not all(map(_is_op, cast("list[Any]", ops))):
        raise ValueError(
            f'A patch is written {{"ops": [{{"op": .., "path": ..}}]}}: {value!r:.200}'
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
