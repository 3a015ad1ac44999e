"""What the calls of a table took together, with what is not known said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum
from types import MappingProxyType

from chatnb.schema.model_call import ModelCall

COUNTS = ("input", "cached", "reasoning", "output", "total")
"""The counts of tokens that a table has, by the names that `ModelCall.count` takes."""


@dataclass(frozen=True)
class Sum:
    """A sum over calls of which some may not have told what they took.

    Args:
        known: The sum over those that told; None if none did.
        unknown: How many did not.

    Example:
        >>> str(Sum(1203, 2)), str(Sum(None, 3))
        ('1,203 + 2 unknown', '')
    """

    known: float | None
    unknown: int = 0

    def __str__(self) -> str:
        if self.known is None:
            return ""
        return f"{self.known:,} + {self.unknown:,} unknown" if self.unknown else f"{self.known:,}"


@dataclass(frozen=True)
class CallTotals:
    """What several calls took.

    Args:
        calls: How many there were.
        failed: How many of them failed.
        from_cache: How many replies came out of a `ReplyCache`: they took no tokens and no money.
        tokens: The sums of tokens, by the names of `COUNTS`.
        cost: US dollars.
        seconds: The mean latency of the calls that neither failed nor came out of a cache, as far
            as it is known.
        first_seconds: The mean time to the first text, likewise.
    """

    calls: int
    failed: int
    from_cache: int
    tokens: MappingProxyType[str, Sum]
    cost: Sum
    seconds: float | None
    first_seconds: float | None


def tokens_of(call: ModelCall, name: str) -> int | None:
    """The tokens that a call took: none for a cached reply, None where that is not known.

    Args:
        call: The call.
        name: One of `COUNTS`.

    Example:
        >>> tokens_of(ModelCall("m", cached=True), "input"), tokens_of(ModelCall("m"), "input")
        (0, None)
    """
    return 0 if call.cached else call.count(name)


def cost_of(call: ModelCall) -> float | None:
    """US dollars of a call: 0 for a cached reply, None where they are not known.

    Example:
        >>> cost_of(ModelCall("m", cached=True)), cost_of(ModelCall("m"))
        (0.0, None)
    """
    return 0.0 if call.cached else call.cost


def totals_of(calls: Sequence[ModelCall]) -> CallTotals:
    """Sum calls up, in time that grows with their number and no faster.

    Args:
        calls: The calls.

    Example:
        >>> tokens = {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4}
        >>> totals = totals_of([ModelCall("m", usage=tokens), ModelCall("m")])
        >>> str(totals.tokens["total"]), str(totals.cost)
        ('4 + 1 unknown', '')
    """
    asked = [call for call in calls if not call.cached]
    answered = [call for call in asked if call.error is None]
    return CallTotals(
        calls=len(calls),
        failed=sum(call.error is not None for call in calls),
        from_cache=len(calls) - len(asked),
        tokens=MappingProxyType(
            {name: _sum([tokens_of(call, name) for call in asked]) for name in COUNTS}
        ),
        cost=_sum([cost_of(call) for call in asked]),
        seconds=_mean(call.seconds for call in answered),
        first_seconds=_mean(call.first_seconds for call in answered),
    )


def calls_by_model(calls: Iterable[ModelCall]) -> dict[str, list[ModelCall]]:
    """Sort calls by model, in the order in which the models come first.

    Args:
        calls: The calls.

    Returns:
        The calls of each model by its name, after its provider's where two of them have models of
        that name.

    Example:
        >>> list(calls_by_model([ModelCall("m", "a"), ModelCall("m", "b"), ModelCall("n", "a")]))
        ['a:m', 'b:m', 'n']
    """
    by_maker = dict[tuple[str, str], list[ModelCall]]()
    makers = dict[str, set[str]]()
    for call in calls:
        by_maker.setdefault((call.provider, call.model), []).append(call)
        makers.setdefault(call.model, set()).add(call.provider)
    return {
        f"{provider}:{model}" if len(makers[model]) > 1 else model: some
        for (provider, model), some in by_maker.items()
    }


def _sum(values: Sequence[float | None]) -> Sum:
    known = [value for value in values if value is not None]
    unknown = len(values) - len(known)
    if unknown and not known:
        return Sum(None, unknown)
    whole = all(isinstance(value, int) for value in known)
    return Sum(sum(known) if whole else fsum(known), unknown)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fsum(known) / len(known) if known else None
