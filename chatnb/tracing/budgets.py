"""Budgets: no new calls of chat models once so much is spent."""

from __future__ import annotations

import threading
import warnings
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from chatnb.errors import BudgetSpentError
from chatnb.schema.model_call import ModelCall
from chatnb.schema.prices import is_charged_for
from chatnb.tracing.counting import counting

_MOST_NAMED = 3


class Budget:
    """What may be spent on calls of chat models; `budget` opens one.

    Args:
        usd: US dollars, by the price list; None for any amount.
        tokens: Tokens of input and output together; None for any number.

    Raises:
        ValueError: If there is neither, or one is not 0 or more.

    Example:
        >>> allowed = Budget(tokens=10)
        >>> tokens = {"input_tokens": 8, "output_tokens": 4, "total_tokens": 12}
        >>> allowed.take(ModelCall("m", usage=tokens))
        >>> allowed
        <Budget: 12 of 10 tokens>
    """

    def __init__(self, *, usd: float | None = None, tokens: int | None = None) -> None:
        limits = [limit for limit in (usd, tokens) if limit is not None]
        if not limits or not all(limit >= 0 for limit in limits):
            raise ValueError("A budget takes usd=, tokens= or both, such as budget(usd=0.50)")
        self.usd = usd
        self.tokens = tokens
        self.spent_usd = 0.0
        self.spent_tokens = 0
        self._by_model = Counter[str]()
        self._without_price = set[str]()
        self._lock = threading.Lock()

    def admit(self) -> None:
        """Let a call be made while something is left.

        Raises:
            BudgetSpentError: If nothing is.
        """
        with self._lock:
            if self.tokens is not None and self.spent_tokens >= self.tokens:
                raise self._spent(f"{self.spent_tokens:,} of {self.tokens:,} tokens")
            if self.usd is not None and self.spent_usd >= self.usd:
                raise self._spent(f"${self.spent_usd:.4f} of ${self.usd:.4f}")

    def take(self, call: ModelCall) -> None:
        """Count what a call took."""
        with self._lock:
            self._by_model[call.model] += 1
            if call.usage is not None:
                self.spent_tokens += call.usage["total_tokens"]
            if self.usd is None or call.cached:
                return
            if call.cost is not None:
                self.spent_usd += call.cost
            elif is_charged_for(call.provider) and call.model not in self._without_price:
                self._without_price.add(call.model)
                warnings.warn(
                    f"What {call.model} costs is not known, so the budget in dollars does not "
                    "count it: give tokens= as well.",
                    stacklevel=2,
                )

    def _spent(self, how_much: str) -> BudgetSpentError:
        named = [f"{n:,} x {model}" for model, n in self._by_model.most_common(_MOST_NAMED)]
        by = f", by {', '.join(named)}" if named else ""
        return BudgetSpentError(f"The budget is spent: {how_much}{by}")

    def __repr__(self) -> str:
        dollars = [] if self.usd is None else [f"${self.spent_usd:.4f} of ${self.usd:.4f}"]
        tokens = [] if self.tokens is None else [f"{self.spent_tokens:,} of {self.tokens:,} tokens"]
        return f"<Budget: {', '.join([*dollars, *tokens])}>"


@contextmanager
def budget(*, usd: float | None = None, tokens: int | None = None) -> Generator[Budget]:
    """Make no new calls of chat models in the block once so much is spent.

    A call that is under way when the budget ends is not broken off, so that what was paid for is
    kept: a little more may be spent in the end.

    Args:
        usd: US dollars, by the price list; None for any amount.
        tokens: Tokens of input and output together; None for any number.

    Yields:
        The budget, with `spent_usd` and `spent_tokens`.

    Raises:
        BudgetSpentError: From the call that would have been one too many.
        ValueError: If there is neither, or one is below 0.

    Example:
        >>> from chatnb import ScriptedChatModel
        >>> with budget(usd=0.50, tokens=100_000) as allowed:
        ...     _ = ScriptedChatModel(["Hello."]).invoke("Hi")
        >>> allowed
        <Budget: $0.0000 of $0.5000, 0 of 100,000 tokens>
    """
    allowed = Budget(usd=usd, tokens=tokens)
    with counting(allowed):
        yield allowed
