"""Token usage of a call: merged over chunks, and in sum."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import add
from typing import Any, NotRequired, TypedDict, cast


class UsageMetadata(TypedDict):
    """The token usage of a call.

    `total_tokens` is the provider's own sum. The details are parts of the counts, not additions
    to them: `input_token_details["cached"]` of the input came from a cache, and
    `output_token_details["reasoning"]` of the output was spent on reasoning. `cost` is in US
    dollars, where the provider itself reports it, and `service_tier` is there if it is not the
    usual one; both win over the price list.

    Example:
        >>> UsageMetadata(input_tokens=8, output_tokens=2, total_tokens=10)["total_tokens"]
        10
    """

    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_token_details: NotRequired[dict[str, int]]
    output_token_details: NotRequired[dict[str, int]]
    cost: NotRequired[float]
    service_tier: NotRequired[str]


def latest_usage(left: UsageMetadata | None, right: UsageMetadata | None) -> UsageMetadata | None:
    """Combine two reports of one reply's usage into the larger of each count."""
    if left is None or right is None:
        return left if right is None else right
    # Providers report once at the end, or running totals with each chunk: the larger is the later.
    usage = _combine(left, right, max)
    later = right if "cost" in right else left
    if "cost" in later:
        usage["cost"] = later["cost"]
    tier = right.get("service_tier") or left.get("service_tier")
    if tier:
        usage["service_tier"] = tier
    return usage


def add_usage(left: UsageMetadata | None, right: UsageMetadata | None) -> UsageMetadata | None:
    """Sum the usage of two calls; None stands for unknown usage."""
    if not left or not right:
        return right or left
    usage = _combine(left, right, add)
    # A sum has a cost if both calls have one, and a tier if it is the same.
    if "cost" in left and "cost" in right:
        usage["cost"] = left["cost"] + right["cost"]
    if "service_tier" in left and left["service_tier"] == right.get("service_tier"):
        usage["service_tier"] = left["service_tier"]
    return usage


def _combine(
    left: UsageMetadata, right: UsageMetadata, combine: Callable[[int, int], int]
) -> UsageMetadata:
    usage = UsageMetadata(
        input_tokens=combine(left["input_tokens"], right["input_tokens"]),
        output_tokens=combine(left["output_tokens"], right["output_tokens"]),
        total_tokens=combine(left["total_tokens"], right["total_tokens"]),
    )
    for name in ("input_token_details", "output_token_details"):
        counts = dict(left.get(name, {}))
        for key, count in right.get(name, {}).items():
            counts[key] = combine(counts.get(key, 0), count)
        if counts:
            usage[name] = counts
    return usage


def usage_text(usage: UsageMetadata | None) -> str:
    """Write token counts for people; empty where they are not known."""
    if not usage:
        return ""
    return f"{usage['input_tokens']:,} tokens in, {usage['output_tokens']:,} out"


def sum_counts(counts: Iterable[Mapping[str, Any] | None]) -> dict[str, Any]:
    """Sum nested counts key by key, leaving out values that are not numbers."""
    sums = dict[str, Any]()
    for name, value in (item for count in counts if count for item in count.items()):
        before: Any = sums.get(name)
        if isinstance(value, Mapping):
            nested = cast("dict[str, Any]", before) if isinstance(before, dict) else None
            sums[name] = sum_counts([nested, cast("Mapping[str, Any]", value)])
        elif isinstance(value, int | float):
            sums[name] = value + (before if isinstance(before, int | float) else 0)
    return sums
