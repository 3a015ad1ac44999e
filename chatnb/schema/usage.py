"""Token usage of a call, and its price by the price list of genai-prices, without network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from operator import add
from typing import Any, NotRequired, TypedDict, cast

from chatnb.terminal import warn


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


# The providers that charge, and their ids in the price list.
_PRICE_LIST_IDS = {
    "anthropic": "anthropic",
    "azure": "azure",
    "deepseek": "deepseek",
    "gemini": "google",
    "groq": "groq",
    "mistral": "mistral",
    "openai": "openai",
    "openrouter": "openrouter",
}
_PRICED_DETAILS = {
    "input_token_details": {
        "cached": "cache_read_tokens",
        "cache_creation": "cache_write_tokens",
        "cache_creation_1h": "cache_write_1h_tokens",
        "audio": "input_audio_tokens",
        "image": "input_image_tokens",
        "video": "input_video_tokens",
    },
    "output_token_details": {"audio": "output_audio_tokens", "image": "output_image_tokens"},
}
_PRICED_AT_LEAST = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


def is_charged_for(provider: str) -> bool:
    """Return whether a provider's calls cost money."""
    return provider in _PRICE_LIST_IDS


def get_price(provider: str, model: str, usage: UsageMetadata | None) -> float | None:
    """Return the price of a call in US dollars, or None where usage or prices are not known."""
    if usage is not None and "cost" in usage:
        return usage["cost"]
    # Source: https://github.com/pydantic/genai-prices
    provider_id = _PRICE_LIST_IDS.get(provider)
    if provider_id is None or usage is None:
        return None
    from genai_prices import Usage, calc_price

    tier = usage.get("service_tier")
    context = {"service_tier": tier} if tier else None
    tokens = _priced_tokens(usage)
    for names in (tokens.keys(), _PRICED_AT_LEAST):  # Counts that contradict each other are errors.
        counted = Usage(**{name: tokens[name] for name in names if name in tokens})
        try:
            priced = calc_price(counted, model, provider_id=provider_id, price_context=context)
        except LookupError:
            return None
        except ValueError:
            continue
        return float(priced.total_price)
    return None


def _priced_tokens(usage: UsageMetadata) -> dict[str, int]:
    """Return the counts that prices depend on, by the price list's names."""
    tokens = {"input_tokens": usage["input_tokens"], "output_tokens": usage["output_tokens"]}
    for side in ("input_token_details", "output_token_details"):
        names = _PRICED_DETAILS[side]
        details = usage.get(side, {})
        tokens.update((names[name], n) for name, n in details.items() if n and name in names)
    cached, audio = tokens.get("cache_read_tokens", 0), tokens.get("input_audio_tokens", 0)
    if cached and audio:  # Nobody reports how much is both.
        tokens["cache_audio_read_tokens"] = max(0, cached + audio - usage["input_tokens"])
    return tokens


@cache
def warn_of_missing_price(provider: str, model: str) -> None:
    """Warn, once for each name, that a provider charges for a model whose price is not known."""
    if is_charged_for(provider):
        message = f"The price of {model} is not known to {price_list()}, so its cost is left blank."
        warn(message, stacklevel=3)


@cache
def priced_models(provider: str) -> list[str]:
    """Return the sorted names of a provider's models that have prices."""
    from genai_prices.data import providers

    provider_id = _PRICE_LIST_IDS.get(provider)
    listed = (listed for listed in providers if listed.id == provider_id)
    return sorted({model.id for provider in listed for model in provider.models})


@cache
def price_list() -> str:
    """Return the name of the price list and the date of its newest price."""
    from importlib.metadata import version

    from genai_prices.data import providers
    from genai_prices.types import StartDateConstraint

    # The list has no date of its own: its date is the day when its newest price took effect.
    days = (
        price.constraint.start_date
        for provider in providers
        for model in provider.models
        for price in (model.prices if isinstance(model.prices, list) else ())
        if isinstance(price.constraint, StartDateConstraint)
    )
    newest = max((day for day in days if day <= datetime.now(UTC).date()), default=None)
    name = f"genai-prices {version('genai-prices')}"
    return name if newest is None else f"{name}, prices of {newest:%Y-%m-%d}"
