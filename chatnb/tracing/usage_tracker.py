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
        self._summed = self._priced = 0  # How many of the calls are in the sums so far.
        self._usage: UsageMetadata | None = None
        self._unknown = 0
        self._cost: float | None = None
        self._lock = threading.Lock()

    @property
    def usage(self) -> UsageMetadata | None:
        """The tokens of the calls that told them; None if none did."""
        self._sum_up()
        return self._usage

    @property
    def unknown(self) -> int:
        """How many calls did not tell what they took."""
        self._sum_up()
        return self._unknown

    @property
    def cost(self) -> float | None:
        """US dollars of the calls whose price is known; None if none is."""
        with self._lock:
            new = self.calls[self._priced :]
            self._priced += len(new)
            for call in new:
                if call.cost is not None:
                    self._cost = (self._cost or 0.0) + call.cost
            return self._cost

    def admit(self) -> None:
        """Every call may be made."""

    def take(self, call: ModelCall) -> None:
        """Count a call that has ended; it is summed up when somebody asks."""
        self.calls.append(call)

    def _sum_up(self) -> None:
        with self._lock:
            new = self.calls[self._summed :]
            self._summed += len(new)
            self._unknown += sum(call.usage is None and not call.cached for call in new)
            for call in new:
                self._usage = add_usage(self._usage, call.usage)

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
