"""What a browser is told of a run's log: the same patches, their values made short texts.

A browser folds the patches itself, so whatever it shows of an earlier moment it knows already.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypedDict

from chatnb.notebook.views.run_tree_text import cut, text_of
from chatnb.schema.run_log import RunLogPatch
from chatnb.schema.surrogates import SurrogateJoiner

_LONGEST = 10_000
"""The most characters of a value that are sent."""
_PAGE_PATCHES = 250
_PAGE_BYTES = 200_000
"""A message no longer than this is read and folded well within a frame."""

WirePatch = dict[str, Any]


class Page(TypedDict):
    """Patches from the number `first` on, counted from 0, of `total` that there are."""

    kind: str
    first: int
    patches: list[WirePatch]
    total: int


class RunTreeWire:
    """The patches of a log as they go to browsers, in pages.

    Example:
        >>> wire = RunTreeWire()
        >>> wire.push(RunLogPatch({"op": "add", "path": "/streamed_output/-", "value": "Hi"}))
        >>> wire.page(0)["patches"]
        [{'ops': [{'path': '/streamed_output/-', 'value': 'Hi'}]}]
    """

    def __init__(self) -> None:
        self._patches: list[WirePatch] = []
        self._sizes: list[int] = []
        self._joiners: dict[str, SurrogateJoiner] = {}

    def __len__(self) -> int:
        return len(self._patches)

    def push(self, patch: RunLogPatch) -> None:
        """Take the next patch of the log."""
        written: WirePatch = {"ops": [self._op(op) for op in patch.ops]}
        if patch.time is not None:
            written["time"] = _milliseconds(patch.time)
        if patch.root is not None:
            written["root"] = _fields(patch.root)
        self._sizes.append(len(json.dumps(written)))
        self._patches.append(written)

    def page(self, first: int) -> Page:
        """As many patches as go into one message.

        Args:
            first: The number of the first one.

        Returns:
            At least one patch, where there is one.
        """
        total, end, size = len(self._patches), first, 0
        while end < min(total, first + _PAGE_PATCHES) and (size == 0 or size < _PAGE_BYTES):
            size += self._sizes[end]
            end += 1
        return Page(kind="patches", first=first, patches=self._patches[first:end], total=total)

    def _op(self, op: Mapping[str, Any]) -> dict[str, Any]:
        path: str = op["path"]
        value: Any = op.get("value")
        match path.split("/"):
            case [""] | ["", "logs", _]:
                written: Any = _fields(value)
            case ["", "streamed_output", "-"] | ["", "logs", _, "streamed_output_str", "-"]:
                written = self._piece(path, value)
            case ["", *_, field]:
                written = _field(field, value)
            case _:
                written = None
        return {"path": path, "value": written}

    def _piece(self, path: str, value: object) -> str:
        """The next piece of a stream; half a surrogate pair waits for the other half."""
        joiner = self._joiners.setdefault(path, SurrogateJoiner())
        text = value if isinstance(value, str) else _piece_of(value)
        kept, more = cut(joiner.push(text), _LONGEST)
        return f"{kept}… [{more:,} more characters]" if more else kept


def _piece_of(value: object) -> str:
    """A streamed value that is no text stands on a line of its own."""
    text = text_of(value)
    return f"{text}\n" if isinstance(value, dict | list) else text


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    written = {name: _field(name, value) for name, value in given.items()}
    return {name: value for name, value in written.items() if value not in (None, [])}


def _field(name: str, value: Any) -> Any:
    """What a browser shows of a field, or None if it shows nothing of it."""
    write = _WRITERS.get(name)
    empty = value is None or value in ([], {})
    return None if write is None or empty else write(value)


def _short(value: object) -> dict[str, Any]:
    text, more = cut(text_of(value), _LONGEST)
    return {"text": text, "more": more} if more else {"text": text}


def _word(value: object) -> str:
    return cut(str(value), 1_000)[0]


def _words(values: list[object]) -> list[str]:
    return [_word(value) for value in values]


def _failure(failure: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: cut(str(failure[name]), _LONGEST)[0] for name in ("message", "traceback")}
    return {"type": _word(failure["type"]), **texts, "stopped": failure["stopped"]}


def _milliseconds(time: str) -> float | None:
    """Milliseconds since 1970: a browser's own dates know no parts of them."""
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
