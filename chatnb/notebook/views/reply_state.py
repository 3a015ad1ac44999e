"""What a reply's view knows, folded from the text as it arrives: no clock, no comm."""

from __future__ import annotations

import math
from typing import TypedDict

from chatnb.schema.surrogates import SurrogateJoiner

_FIRST_SNAPSHOT_CHARACTERS = 64
_GROWTH = 4


class Snapshot(TypedDict):
    """The whole text up to and with the delta numbered `seq`."""

    seq: int
    text: str


class Delta(TypedDict):
    """The next piece of text; numbers run 1, 2, 3 without a gap."""

    kind: str
    seq: int
    text: str


class ReplyState:
    """The text of a reply and the number of the last delta.

    A browser that missed a delta asks for a snapshot. Where the kernel hears nothing while a cell
    runs, one is due whenever the text has grown fourfold, which costs at most 4/3 of the text.

    Args:
        heard: Whether the kernel hears the browser while the reply streams.

    Example:
        >>> state = ReplyState()
        >>> state.push("Hello")
        >>> state.take_delta()
        {'kind': 'delta', 'seq': 1, 'text': 'Hello'}
        >>> state.snapshot()
        {'seq': 1, 'text': 'Hello'}
    """

    def __init__(self, *, heard: bool = True) -> None:
        self._sent: list[str] = []
        self._waiting: list[str] = []
        self._joiner = SurrogateJoiner()
        self._seq = 0
        self._length = 0
        self._snapshot_at = math.inf if heard else _FIRST_SNAPSHOT_CHARACTERS

    def push(self, text: str) -> None:
        """Take the next piece of text."""
        whole = self._joiner.push(text)
        if whole:
            self._waiting.append(whole)

    def end(self) -> None:
        """Take no more text."""
        rest = self._joiner.flush()
        if rest:
            self._waiting.append(rest)

    def take_delta(self) -> Delta | None:
        """What has come since the last delta, or None if nothing has."""
        if not self._waiting:
            return None
        text = "".join(self._waiting)
        self._waiting.clear()
        self._sent.append(text)
        self._seq += 1
        self._length += len(text)
        return Delta(kind="delta", seq=self._seq, text=text)

    def take_due_snapshot(self) -> Snapshot | None:
        """A snapshot if the text has grown enough since the last one, else None."""
        if self._length < self._snapshot_at:
            return None
        self._snapshot_at = _GROWTH * self._length
        return self.snapshot()

    def snapshot(self) -> Snapshot:
        """Everything up to the last delta."""
        self._sent = ["".join(self._sent)]
        return Snapshot(seq=self._seq, text=self._sent[0])

    @property
    def text(self) -> str:
        """Everything that was pushed."""
        return "".join([*self._sent, *self._waiting])
