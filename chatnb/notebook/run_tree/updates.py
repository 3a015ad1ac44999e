"""The updates of a run tree: the patches of its log, with values cut to short texts."""

# A browser folds the patches itself, so it has every earlier moment that it shows.

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

from chatnb.notebook.widgets.formatting import truncate, value_text
from chatnb.schema.characters import SurrogateJoiner
from chatnb.schema.run_logs.log import RunLogPatch

_MAX_CHARACTERS = 10_000
_MAX_WORD_CHARACTERS = 1_000
# A browser reads and folds a message of this size well within a frame.
_PAGE_PATCHES = 250
_PAGE_BYTES = 200_000


class Operation(TypedDict):
    """An operation of a patch, with texts cut and times in milliseconds since 1970."""

    path: str
    value: Any


class Patch(TypedDict):
    """A patch of the log."""

    ops: list[Operation]
    time: NotRequired[float | None]
    root: NotRequired[dict[str, Any]]


class Text(TypedDict):
    """A value as text; `more` is the number of characters that were cut off."""

    text: str
    more: NotRequired[int]


class Page(TypedDict):
    """The patches from index `first` on, of `total` that there are."""

    type: Literal["page"]
    first: int
    patches: list[Patch]
    total: int


class Stop(TypedDict):
    """Stop the run."""

    type: Literal["stop"]


class Resync(TypedDict):
    """Ask for patches from the number `first` on."""

    type: Literal["resync"]
    first: int


Request: TypeAlias = Stop | Resync


class RunTreeUpdates:
    """The patches of a log for browsers, in pages."""

    def __init__(self) -> None:
        self._patches: list[Patch] = []
        self._sizes: list[int] = []
        self._joiners: dict[str, SurrogateJoiner] = {}

    def __len__(self) -> int:
        return len(self._patches)

    def push(self, patch: RunLogPatch) -> None:
        """Add the next patch of the log."""
        written: Patch = {"ops": [self._op(op) for op in patch.ops]}
        if patch.time is not None:
            written["time"] = _milliseconds(patch.time)
        if patch.root is not None:
            written["root"] = _fields(patch.root)
        self._sizes.append(len(json.dumps(written)))
        self._patches.append(written)

    def page(self, first: int) -> Page:
        """Return the patches from index `first` on that fit one message, at least one."""
        total, end, size = len(self._patches), first, 0
        while end < min(total, first + _PAGE_PATCHES) and (size == 0 or size < _PAGE_BYTES):
            size += self._sizes[end]
            end += 1
        return Page(type="page", first=first, patches=self._patches[first:end], total=total)

    def _op(self, op: Mapping[str, Any]) -> Operation:
        path: str = op["path"]
        value: Any = op.get("value")
        match path.split("/"):
            case [""] | ["", "logs", _]:
                written: Any = _fields(value)
            case ["", "streamed_output", "-"] | ["", "logs", _, "streamed_output_str", "-"]:
                written = self._chunk(path, value)
            case ["", *_, field]:
                written = _field(field, value)
            case _:
                written = None
        return {"path": path, "value": written}

    def _chunk(self, path: str, value: object) -> str:
        joiner = self._joiners.setdefault(path, SurrogateJoiner())
        text = value if isinstance(value, str) else _chunk_text(value)
        kept, more = truncate(joiner.push(text), _MAX_CHARACTERS)
        return f"{kept}… [{more:,} more characters]" if more else kept


def _chunk_text(value: object) -> str:
    # A streamed value that is not text gets a line of its own.
    text = value_text(value)
    return f"{text}\n" if isinstance(value, dict | list) else text


def _fields(values: Mapping[str, Any]) -> dict[str, Any]:
    written = {name: _field(name, value) for name, value in values.items()}
    return {name: value for name, value in written.items() if value not in (None, [])}


def _field(name: str, value: Any) -> Any:
    """Return what a browser shows of a field, or None for nothing."""
    write = _WRITERS.get(name)
    empty = value is None or value in ([], {})
    return None if write is None or empty else write(value)


def _short(value: object) -> Text:
    text, more = truncate(value_text(value), _MAX_CHARACTERS)
    return {"text": text, "more": more} if more else {"text": text}


def _word(value: object) -> str:
    return truncate(str(value), _MAX_WORD_CHARACTERS)[0]


def _words(values: list[object]) -> list[str]:
    return [_word(value) for value in values]


def _failure(failure: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: _cut(str(failure[name])) for name in ("message", "traceback")}
    return {"type": _word(failure["type"]), **texts, "stopped": failure["stopped"]}


def _cut(text: str) -> str:
    return truncate(text, _MAX_CHARACTERS)[0]


def _milliseconds(time: str) -> float | None:
    # Milliseconds since 1970: a browser's own dates have no parts of them.
    try:
        return round(datetime.fromisoformat(time).timestamp() * 1000, 3)
    except (TypeError, ValueError):
        return None


def _usage(usage: Mapping[str, int]) -> dict[str, int]:
    counts = ("input_tokens", "output_tokens", "total_tokens")
    return {name: usage[name] for name in counts if name in usage}


_WRITERS: dict[str, Callable[[Any], Any]] = {
    "id": _word,
    "parent_id": _word,
    "name": _word,
    "type": _word,
    "tags": _words,
    "metadata": _short,
    "inputs": _short,
    "final_output": _short,
    "start_time": _milliseconds,
    "end_time": _milliseconds,
    "first_token_time": _milliseconds,
    "usage_metadata": _usage,
    "cost": float,
    "error": _failure,
}
