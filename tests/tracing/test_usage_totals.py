"""The sums of trackers and budgets, over calls that are recorded by hand."""

from __future__ import annotations

from typing import Any

import pytest

from chatnb.errors import BudgetSpentError
from chatnb.schema.model_call import ModelCall
from chatnb.schema.usage import UsageMetadata
from chatnb.tracing.usage_tracking import Budget, UsageTotals, UsageTracker


def call(total: int | None = 10, model: str = "m", **fields: Any) -> ModelCall:
    usage = total and UsageMetadata(input_tokens=total, output_tokens=0, total_tokens=total)
    return ModelCall(model, "none", usage=usage or None, **fields)


def costly(dollars: float) -> ModelCall:
    usage = UsageMetadata(input_tokens=1, output_tokens=0, total_tokens=1, cost=dollars)
    return ModelCall("m", "none", usage=usage)


@pytest.mark.parametrize("kind", [UsageTracker, UsageTotals])
def test_sums_are_those_of_all_calls_so_far(kind: Any) -> None:
    """They may be read in between; calls of unknown usage add nothing."""
    tracker = kind()
    assert (tracker.usage, tracker.cost) == (None, None)
    tracker.admit()
    for number, dollars in enumerate((0.5, 0.25, 0.0), start=1):
        tracker.record(costly(dollars))
        assert tracker.usage["total_tokens"] == number
        assert tracker.cost == (0.5, 0.75, 0.75)[number - 1]
    tracker.record(call(None))
    tracker.record(call(7))
    assert (tracker.usage["total_tokens"], tracker.cost) == (10, 0.75)


def test_a_tracker_is_shown_with_what_it_knows() -> None:
    """Calls of unknown usage are counted, those of a cache are not."""
    tracker = UsageTracker()
    assert repr(tracker) == "<UsageTracker: 0 calls>"
    tracker.record(costly(0.12345))
    assert repr(tracker) == "<UsageTracker: 1 call, 1 tokens, $0.1235>"
    tracker.record(call(1_999))
    tracker.record(call(None))
    tracker.record(call(None, cached=True))
    assert tracker.unknown == 1
    shown = "4 calls, 2,000 tokens, 1 of unknown usage, $0.1235"
    assert repr(tracker) == f"<UsageTracker: {shown}>"
    assert len(tracker) == 4


@pytest.mark.parametrize("limits", [{}, {"usd": -0.1}, {"tokens": -1}, {"usd": 1, "tokens": -1}])
def test_a_budget_has_a_limit(limits: Any) -> None:
    """Of nothing or more."""
    with pytest.raises(ValueError, match=r"^A budget takes usd=, tokens= or both, such as budget"):
        Budget(**limits)
    for limit in ({"usd": 0}, {"tokens": 0}):
        with pytest.raises(BudgetSpentError, match="The budget is spent"):
            Budget(**limit).admit()


def test_a_budget_is_spent_at_its_limit() -> None:
    """Just below it a call is admitted; the error names the models that took most."""
    tokens = Budget(tokens=1_000)
    tokens.record(call(999, "a"))
    tokens.admit()
    tokens.record(call(None, "b"))
    tokens.record(call(1, "a"))
    assert repr(tokens) == "<Budget: 1,000 of 1,000 tokens>"
    with pytest.raises(BudgetSpentError) as caught:
        tokens.admit()
    assert str(caught.value) == ("The budget is spent: 1,000 of 1,000 tokens, by 2 x a, 1 x b")
    dollars = Budget(usd=0.5, tokens=5)
    dollars.record(costly(0.25))
    dollars.record(call(1, cached=True, given_cost=3.0))
    dollars.admit()
    assert repr(dollars) == "<Budget: $0.2500 of $0.5000, 2 of 5 tokens>"
    dollars.record(costly(0.25))
    with pytest.raises(BudgetSpentError, match=r"is spent: \$0\.5000 of \$0\.5000, by 3 x m"):
        dollars.admit()
