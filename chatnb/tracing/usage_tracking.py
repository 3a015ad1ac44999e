"""Track the usage of model calls: call trackers, usage totals and budgets."""

from __future__ import annotations

import itertools
import threading
from collections import Counter, deque
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, Protocol

from chatnb.concurrency.locks import Lock
from chatnb.errors import BudgetSpentError
from chatnb.schema.model_call import ModelCall
from chatnb.schema.prices import is_charged_for
from chatnb.schema.usage import UsageMetadata, add_usage
from chatnb.terminal import warn

_MAX_NAMED_MODELS = 3


class CallTracker(Protocol):
    """An observer of model calls; both methods may be called from any thread."""

    def admit(self) -> None:
        """Raise an error if a call that is about to be made may not be made."""
        ...

    def record(self, call: ModelCall) -> None:
        """Record a call that succeeded, failed or was stopped."""
        ...


class BatchSlot:
    """The place of an input in its batch, and the seconds that it waited before it was run."""

    __slots__ = ("_queue_seconds", "position")

    def __init__(self, position: tuple[int, ...], queue_seconds: float) -> None:
        self.position = position
        self._queue_seconds: float | None = queue_seconds

    def take_queue_seconds(self) -> float | None:
        """Return the wait, to the first call of the input only."""
        seconds, self._queue_seconds = self._queue_seconds, None
        return seconds


current_slot: ContextVar[BatchSlot | None] = ContextVar("chatnb_batch_slot", default=None)
_started = itertools.count()


def next_position() -> tuple[int, ...]:
    """Return the position of what starts now: in its batch by the input, otherwise in time."""
    slot = current_slot.get()
    return (*(slot.position if slot else ()), next(_started))


class _Block(NamedTuple):
    tracker: CallTracker
    thread: int


_context_trackers: ContextVar[tuple[CallTracker, ...] | None] = ContextVar(
    "chatnb_call_trackers", default=None
)
_open_blocks: list[_Block] = []
_global_trackers: list[CallTracker] = []


def add_global_tracker(tracker: CallTracker) -> None:
    """Track every call of this process from now on."""
    _global_trackers.append(tracker)


@contextmanager
def track_calls(tracker: CallTracker) -> Generator[None]:
    """Track the calls made within the block, across its tasks and threads."""
    block = _Block(tracker, threading.get_ident())
    # Threads started in the block inherit no context; they are found through _open_blocks. A
    # thread that opens a block of its own tracks only that: a server's requests stay apart.
    _context_trackers.set((*(_context_trackers.get() or ()), tracker))
    _open_blocks.append(block)
    try:
        yield
    finally:
        _open_blocks.remove(block)
        # Blocks within generators need not close in reverse order, so a token would not do.
        remaining = (other for other in _context_trackers.get() or () if other is not tracker)
        _context_trackers.set(tuple(remaining) or None)


def track_calls_in_context(tracker: CallTracker) -> None:
    """Track the calls of this context from now on, without those of plain threads."""
    _context_trackers.set((*_trackers_of_context(), tracker))


def current_trackers() -> tuple[CallTracker, ...]:
    """Return the trackers of a call that is made here and now."""
    # Every call of a model asks; few are within a block.
    in_context = _trackers_of_context() if _open_blocks else _context_trackers.get() or ()
    return (*_global_trackers, *in_context)


def _trackers_of_context() -> tuple[CallTracker, ...]:
    trackers = _context_trackers.get()
    if trackers is not None or not _open_blocks:
        return trackers or ()
    thread = threading.get_ident()
    return tuple(block.tracker for block in tuple(_open_blocks) if block.thread != thread)


class UsageTracker:
    """The model calls of a block and their usage in sum; `track_usage` opens one."""

    # The sums are over the calls whose tokens, or whose price, are known; `unknown` is the number
    # of the others. A cached reply is in `calls` and uses no tokens.

    def __init__(self) -> None:
        self._recorded: list[ModelCall] = []
        # Recording is on the path of each call, so the sums are made when they are read.
        self._summed = self._priced = 0  # The number of calls that are in the sums so far.
        self._usage: UsageMetadata | None = None
        self._unknown = 0
        self._cost: float | None = None
        self._lock = Lock()  # As for a budget.

    @property
    def calls(self) -> list[ModelCall]:
        """The finished calls: of a batch in the order of its inputs, otherwise as they started."""
        return sorted(self._recorded, key=lambda call: call.position)

    @property
    def usage(self) -> UsageMetadata | None:
        """The tokens of the calls whose usage is known; None if there are none."""
        self._sum_up()
        return self._usage

    @property
    def unknown(self) -> int:
        """The number of calls whose usage is not known."""
        self._sum_up()
        return self._unknown

    @property
    def cost(self) -> float | None:
        """US dollars of the calls whose price is known; None if there are none."""
        with self._lock:
            new = self._recorded[self._priced :]
            self._priced += len(new)
            for call in new:
                if call.cost is not None:
                    self._cost = (self._cost or 0.0) + call.cost
            return self._cost

    def admit(self) -> None:
        """Admit every call."""

    def record(self, call: ModelCall) -> None:
        """Add a finished call."""
        self._recorded.append(call)

    def _sum_up(self) -> None:
        with self._lock:
            new = self._recorded[self._summed :]
            self._summed += len(new)
            self._unknown += sum(call.usage is None and not call.cached for call in new)
            for call in new:
                self._usage = add_usage(self._usage, call.usage)

    def __len__(self) -> int:
        return len(self._recorded)

    def __repr__(self) -> str:
        calls = f"{len(self)} call{'' if len(self) == 1 else 's'}"
        tokens = [f"{self.usage['total_tokens']:,} tokens"] if self.usage else []
        unknown = [f"{self.unknown} of unknown usage"] if self.unknown else []
        cost = [] if self.cost is None else [f"${self.cost:.4f}"]
        return f"<{type(self).__name__}: {', '.join([calls, *tokens, *unknown, *cost])}>"


class UsageTotals:
    """The usage of calls in sum alone, for more calls than fit in memory."""

    def __init__(self) -> None:
        # As above, the sums are made when they are read; a deque gives each call to one reader.
        self._recorded = deque[ModelCall]()
        self._usage: UsageMetadata | None = None
        self._cost: float | None = None

    @property
    def usage(self) -> UsageMetadata | None:
        """The tokens of the calls whose usage is known; None if there are none."""
        self._sum_up()
        return self._usage

    @property
    def cost(self) -> float | None:
        """US dollars of the calls whose price is known; None if there are none."""
        self._sum_up()
        return self._cost

    def admit(self) -> None:
        """Admit every call."""

    def record(self, call: ModelCall) -> None:
        """Add a finished call; one of unknown usage, and so cost, adds nothing."""
        if call.usage is not None or call.given_cost is not None:
            self._recorded.append(call)

    def _sum_up(self) -> None:
        while self._recorded:
            call = self._recorded.popleft()
            self._usage = add_usage(self._usage, call.usage)
            if call.cost is not None:
                self._cost = (self._cost or 0.0) + call.cost


@contextmanager
def track_usage() -> Generator[UsageTracker]:
    """Track every call of a chat model within the block, across threads and tasks.

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
    with track_calls(tracker):
        yield tracker


class Budget:
    """A limit on what calls of chat models may cost; `budget` opens one."""

    def __init__(self, *, usd: float | None = None, tokens: int | None = None) -> None:
        limits = [limit for limit in (usd, tokens) if limit is not None]
        if not limits or not all(limit >= 0 for limit in limits):
            raise ValueError("A budget takes usd=, tokens= or both, such as budget(usd=0.50)")
        self.usd = usd
        self.tokens = tokens
        self.spent_usd = 0.0
        self.spent_tokens = 0
        self._calls_by_model = Counter[str]()
        self._without_price = set[str]()
        self._lock = Lock()  # A finalizer may record a stopped call within `record`.

    def admit(self) -> None:
        """Raise a BudgetSpentError once the budget is spent."""
        with self._lock:
            if self.tokens is not None and self.spent_tokens >= self.tokens:
                raise self._error(f"{self.spent_tokens:,} of {self.tokens:,} tokens")
            if self.usd is not None and self.spent_usd >= self.usd:
                raise self._error(f"${self.spent_usd:.4f} of ${self.usd:.4f}")

    def record(self, call: ModelCall) -> None:
        """Add the tokens and the cost of a finished call."""
        with self._lock:
            self._calls_by_model[call.model] += 1
            if call.usage is not None:
                self.spent_tokens += call.usage["total_tokens"]
            if self.usd is None or call.cached:
                return
            cost = call.known_cost()
            if cost is not None:
                self.spent_usd += cost
            elif is_charged_for(call.provider) and call.model not in self._without_price:
                self._without_price.add(call.model)
                warn(
                    f"The price of {call.model} is not known, so the budget in dollars does not "
                    "include it: pass tokens= as well.",
                    stacklevel=2,
                )

    def _error(self, spent: str) -> BudgetSpentError:
        counts = self._calls_by_model.most_common(_MAX_NAMED_MODELS)
        by = f", by {', '.join(f'{n:,} x {model}' for model, n in counts)}" if counts else ""
        return BudgetSpentError(f"The budget is spent: {spent}{by}")

    def __repr__(self) -> str:
        dollars = [] if self.usd is None else [f"${self.spent_usd:.4f} of ${self.usd:.4f}"]
        tokens = [] if self.tokens is None else [f"{self.spent_tokens:,} of {self.tokens:,} tokens"]
        return f"<Budget: {', '.join([*dollars, *tokens])}>"


@contextmanager
def budget(*, usd: float | None = None, tokens: int | None = None) -> Generator[Budget]:
    """Allow no new calls of chat models in the block once the budget is spent.

    A call that is running when the budget is spent is not stopped, so that a reply that is paid
    for is kept: the block may cost a little more than the budget.

    Args:
        usd: US dollars, by the price list; None for no limit.
        tokens: Tokens of input and output together; None for no limit.

    Yields:
        The budget, with `spent_usd` and `spent_tokens`.

    Raises:
        BudgetSpentError: From the first call after the budget is spent.
        ValueError: If both are None, or one is negative.

    Example:
        >>> from chatnb import ScriptedChatModel
        >>> with budget(usd=0.50, tokens=100_000) as allowed:
        ...     _ = ScriptedChatModel(["Hello."]).invoke("Hi")
        >>> allowed
        <Budget: $0.0000 of $0.5000, 0 of 100,000 tokens>
    """
    allowed = Budget(usd=usd, tokens=tokens)
    with track_calls(allowed):
        yield allowed
