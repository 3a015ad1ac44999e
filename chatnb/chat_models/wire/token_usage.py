"""Read token usage as providers and gateways report it: pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from chatnb.chat_models.wire.payloads import MAX_COUNT, Payload
from chatnb.schema.usage import UsageMetadata

# The names of details, under `..._tokens_details` or beside the counts, and their names here.
INPUT_DETAILS = {
    "cached_tokens": "cached",
    "cache_read_input_tokens": "cached",
    "prompt_cache_hit_tokens": "cached",  # DeepSeek
    "cache_write_tokens": "cache_creation",
    "cache_creation_tokens": "cache_creation",
    "cache_creation_input_tokens": "cache_creation",
    "audio_tokens": "audio",
    "image_tokens": "image",
    "video_tokens": "video",
}
OUTPUT_DETAILS = {
    "reasoning_tokens": "reasoning",
    "thinking_tokens": "reasoning",  # Anthropic
    "audio_tokens": "audio",
    "image_tokens": "image",
    "accepted_prediction_tokens": "accepted_prediction",
    "rejected_prediction_tokens": "rejected_prediction",
}
_COMPLETION_COUNTS = frozenset({"prompt_tokens", "completion_tokens"})
_BESIDE_THE_COUNTS = frozenset(
    {
        *("cached_tokens", "cache_read_input_tokens", "prompt_cache_hit_tokens"),
        *("cache_creation_input_tokens", "reasoning_tokens"),
    }
)
_USUAL_TIERS = ("", "auto", "default", "standard")
_XAI_TICKS_PER_DOLLAR = 10_000_000_000


def usage_from_counts(
    input_tokens: int | None,
    output_tokens: int | None,
    total_tokens: int | None,
    input_details: Mapping[str, int],
    output_details: Mapping[str, int],
) -> UsageMetadata | None:
    """Return the usage, with counts that were left out taken from the others; None if all are 0."""
    reasoning = output_details.get("reasoning", 0)
    if input_tokens is None and total_tokens and output_tokens is not None:
        input_tokens = max(0, total_tokens - output_tokens)
    input_tokens, output_tokens = input_tokens or 0, output_tokens or 0
    from_cache = input_details.get("cached", 0)
    if from_cache > input_tokens:  # Gateways of Anthropic's models leave it out of the input.
        input_tokens += from_cache + input_details.get("cache_creation", 0)
    # Some gateways leave the tokens of thoughts out of the output, and only their total has them.
    if total_tokens and input_tokens:
        output_tokens = max(output_tokens, total_tokens - input_tokens)
    elif reasoning > output_tokens:
        output_tokens += reasoning
    total = total_tokens or input_tokens + output_tokens
    if not total:
        return None  # Servers that do not count send zeros.
    usage = UsageMetadata(
        input_tokens=input_tokens, output_tokens=output_tokens, total_tokens=total
    )
    if input_details:
        usage["input_token_details"] = dict(input_details)
    if output_details:
        usage["output_token_details"] = dict(output_details)
    return usage


def usage_from_openai(
    usage: Payload | None, *, service_tier: object = None
) -> UsageMetadata | None:
    """Return the usage of a chat completion or a response; None if there is none."""
    if not usage:
        return None
    is_response = _COMPLETION_COUNTS.isdisjoint(usage)
    prompt, completion = ("input", "output") if is_response else ("prompt", "completion")
    counts = usage_from_counts(
        usage.get(f"{prompt}_tokens"),
        usage.get(f"{completion}_tokens"),
        usage.get("total_tokens"),
        details_from(usage, f"{prompt}_tokens_details", INPUT_DETAILS),
        details_from(usage, f"{completion}_tokens_details", OUTPUT_DETAILS),
    )
    return add_terms(counts, usage, service_tier)


def details_from(usage: Payload, under: str, names: Mapping[str, str]) -> dict[str, int]:
    """Return the details of one side of a usage by their names here, without zeros."""
    given: Payload = usage.get(under) or {}
    if not _BESIDE_THE_COUNTS.isdisjoint(usage):
        given = {**{name: usage[name] for name in _BESIDE_THE_COUNTS & usage.keys()}, **given}
    if not given:
        return {}
    return {name: given[theirs] for theirs, name in names.items() if given.get(theirs)}


def add_terms(
    usage: UsageMetadata | None, given: Payload, service_tier: object = None
) -> UsageMetadata | None:
    """Return the usage with what else decides the price: the cost itself, or the service tier."""
    if usage is None:
        return None
    cost = _cost(given)
    if cost is not None:
        usage["cost"] = cost
    tier = service_tier or given.get("service_tier")
    if isinstance(tier, str) and tier not in _USUAL_TIERS:
        usage["service_tier"] = tier
    return usage


def _cost(usage: Payload) -> float | None:
    """Return the US dollars that a gateway reports: a number, or the total of several."""
    ticks = _dollars(usage.get("cost_in_usd_ticks"))  # xAI
    if ticks is not None:
        return ticks / _XAI_TICKS_PER_DOLLAR
    cost: object = usage.get("cost")
    if isinstance(cost, Mapping):  # Perplexity
        return _dollars(cast("Mapping[str, Any]", cost).get("total_cost"))
    return _dollars(cost)


def _dollars(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        dollars = float(value)
    except (ValueError, OverflowError):
        return None
    return dollars if 0 <= dollars < MAX_COUNT else None
