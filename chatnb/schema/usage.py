"""Token counts of a call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NotRequired, TypedDict, cast


class UsageMetadata(TypedDict):
    """What one call cost, in tokens.

    `total_tokens` is the provider's own sum. The details are parts of the counts, not additions
    to them: `input_token_details["cached"]` of the input came from a cache, and
    `output_token_details["reasoning"]` of the output was spent on reasoning.
    """

    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_token_details: NotRequired[dict[str, int]]
    output_token_details: NotRequired[dict[str, int]]


def latest_usage(left: UsageMetadata | None, right: UsageMetadata | None) -> UsageMetadata | None:
    """Fold two reports about the same reply into one.

    Providers report once at the end, or the running totals with every chunk. Either way the
    larger count is the later one, so nothing is counted twice.

    Args:
        left: One report, or None where a chunk carried none.
        right: Another report of the same reply.

    Returns:
        The larger of each count, or None if neither side reports.

    Example:
        >>> latest_usage(None, {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4})
        {'input_tokens': 3, 'output_tokens': 1, 'total_tokens': 4}
    """
    if left is None or right is None:
        return left if right is None else right
    usage = UsageMetadata(
        input_tokens=max(left["input_tokens"], right["input_tokens"]),
        output_tokens=max(left["output_tokens"], right["output_tokens"]),
        total_tokens=max(left["total_tokens"], right["total_tokens"]),
    )
    input_details = _larger(left.get("input_token_details"), right.get("input_token_details"))
    if input_details:
        usage["input_token_details"] = input_details
    output_details = _larger(left.get("output_token_details"), right.get("output_token_details"))
    if output_details:
        usage["output_token_details"] = output_details
    return usage


def _larger(left: dict[str, int] | None, right: dict[str, int] | None) -> dict[str, int]:
    counts = dict(left or {})
    for name, count in (right or {}).items():
        counts[name] = max(count, counts.get(name, 0))
    return counts


def add_usage(left: UsageMetadata | None, right: UsageMetadata | None) -> UsageMetadata | None:
    """Sum the costs of two calls.

    Args:
        left: What one call cost, or None where that is not known.
        right: What another call cost.

    Returns:
        The sum of each count, or None if neither is known.

    Example:
        >>> one = UsageMetadata(input_tokens=3, output_tokens=1, total_tokens=4)
        >>> add_usage(one, one)
        {'input_tokens': 6, 'output_tokens': 2, 'total_tokens': 8}
    """
    if left is None or right is None:
        return left if right is None else right
    usage = UsageMetadata(
        input_tokens=left["input_tokens"] + right["input_tokens"],
        output_tokens=left["output_tokens"] + right["output_tokens"],
        total_tokens=left["total_tokens"] + right["total_tokens"],
    )
    input_details = sum_counts([left.get("input_token_details"), right.get("input_token_details")])
    if input_details:
        usage["input_token_details"] = input_details
    output_details = sum_counts(
        [left.get("output_token_details"), right.get("output_token_details")]
    )
    if output_details:
        usage["output_token_details"] = output_details
    return usage


def sum_counts(counts: Iterable[Mapping[str, Any] | None]) -> dict[str, Any]:
    """Sum counts key by key.

    Args:
        counts: The counts, nested or not, of each call; None where a call has none.

    Returns:
        The sums; what is not a number in any of them is left out.

    Example:
        >>> sum_counts([{"total_tokens": 3}, None, {"total_tokens": 4, "details": {"cached": 1}}])
        {'total_tokens': 7, 'details': {'cached': 1}}
    """
    sums = dict[str, Any]()
    for name, value in (item for count in counts if count for item in count.items()):
        before: Any = sums.get(name)
        if isinstance(value, Mapping):
            nested = cast("dict[str, Any]", before) if isinstance(before, dict) else None
            sums[name] = sum_counts([nested, cast("Mapping[str, Any]", value)])
        elif isinstance(value, int | float):
            sums[name] = value + (before if isinstance(before, int | float) else 0)
    return sums
