"""What calls took, counted while they are made."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager

from chatnb.schema.model_call import ModelCall
from chatnb.schema.usage import UsageMetadata, add_usage
from chatnb.tracing.counting import counting


class UsageTracker:
    """Counts the calls of chat models; `track_usage` opens one.

    What calls took in sum is of those whose tokens, or whose price, are known: `unknown` says how
    many there were besides. A reply out of a cache took nothing, and is in `calls` nevertheless.

    Example:
        >>> tracker = UsageTracker()
        >>> tokens = {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4}
        >>> tracker.take(ModelCall("m", usage=tokens))
        >>> tracker.take(ModelCall("m"))
        >>> tracker.usage, tracker.cost, tracker.unknown
        ({'input_tokens': 3, 'output_tokens': 1, 'total_tokens': 4}, None, 1)
    """

    def __init__(self) -> None:
        self.calls: list[ModelCall] = []
        self.usage: UsageMetadata | None = None
        self.unknown = 0
        self._priced = 0
        self._cost: float | None = None
        self._lock = threading.Lock()

    @property
    def cost(self) -> float | None:
        """US dollars of the calls whose price is known; None if none is."""
        with self._lock:
            for call in self.calls[self._priced :]:
                if call.cost is not None:
                    self._cost = (self._cost or 0.0) + call.cost
            self._priced = len(self.calls)
            return self._cost

    def admit(self) -> None:
        """Every call may be made."""

    def take(self, call: ModelCall) -> None:
        """Count a call that has ended."""
        with self._lock:
            self.calls.append(call)
            if call.usage is not None:
                self.usage = add_usage(self.usage, call.usage)
            elif not call.cached:
                self.unknown += 1

    def __len__(self) -> int:
        return len(self.calls)

    def __repr__(self) -> str:
        calls = f"{len(self)} call{'' if len(self) == 1 else 's'}"
        tokens = [f"{self.usage['total_tokens']:,} tokens"] if self.usage else []
        unknown = [f"{self.unknown} of unknown usage"] if self.unknown else []
        cost = [] if self.cost is None else [f"${self.cost:.4f}"]
        return f"<{type(self).__name__}: {', '.join([calls, *tokens, *unknown, *cost])}>"


@contextmanager
def track_usage() -> Generator[UsageTracker]:
    """Count every call of a chat model within the block, across threads and tasks.

    Yields:
        The tracker, with `calls`, `usage`, `cost` and `unknown`; `UsageTable(tracker)` shows it.

    Example:
        >>> from chatnb import ScriptedChatModel
        >>> with track_usage() as tracker:
        ...     _ = ScriptedChatModel(["Hello."]).batch(["Hi", "Hey"])
        >>> len(tracker)
        2
    """
    tracker = UsageTracker()
    with counting(tracker):
        yield tracker
