"""Token counts of a call."""

from __future__ import annotations

from typing import NotRequired, TypedDict


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
