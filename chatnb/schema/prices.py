"""What calls cost, by the price list of the package genai-prices, which needs no network."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

from chatnb.schema.usage import UsageMetadata

_PRICED = {
    "anthropic": "anthropic",
    "azure": "azure",
    "deepseek": "deepseek",
    "gemini": "google",
    "groq": "groq",
    "mistral": "mistral",
    "openai": "openai",
    "openrouter": "openrouter",
}
"""The providers that charge, and their names in the list."""


def is_charged_for(provider: str) -> bool:
    """Whether a provider's calls cost money, as far as the list knows.

    Example:
        >>> is_charged_for("openai"), is_charged_for("llama.cpp")
        (True, False)
    """
    return provider in _PRICED


def price_of(provider: str, model: str, usage: UsageMetadata | None) -> float | None:
    """What a call cost.

    Args:
        provider: The chat model's `provider`.
        model: The model's name, as the provider gave it.
        usage: The tokens of the call, or None if they are not known.

    Returns:
        US dollars; None where the tokens or the model's prices are not known.

    Example:
        >>> usage = {"input_tokens": 1_000_000, "output_tokens": 0, "total_tokens": 1_000_000}
        >>> price_of("openai", "gpt-4o-mini", usage), price_of("openai", "no-such-model", usage)
        (0.15, None)

    Source: https://github.com/pydantic/genai-prices
    """
    listed = _PRICED.get(provider)
    if listed is None or usage is None:
        return None
    from genai_prices import Usage, calc_price

    details = usage.get("input_token_details", {})
    tokens = Usage(
        input_tokens=usage["input_tokens"],
        output_tokens=usage["output_tokens"],
        cache_read_tokens=details.get("cached"),
        cache_write_tokens=details.get("cache_creation"),
    )
    try:
        return float(calc_price(tokens, model, provider_id=listed).total_price)
    except (LookupError, ValueError):
        return None


@cache
def priced_models(provider: str) -> list[str]:
    """The models whose prices the list has.

    Args:
        provider: The chat model's `provider`.

    Returns:
        The names, sorted; none for a provider that is not in the list.

    Example:
        >>> "gpt-4o-mini" in priced_models("openai"), priced_models("local")
        (True, [])
    """
    from genai_prices.data import providers

    listed = [each for each in providers if each.id == _PRICED.get(provider)]
    return sorted({model.id for each in listed for model in each.models})


@cache
def price_list() -> str:
    """Which price list costs come from, and of what day it is.

    The list has no date of its own: it is the day from which its newest price is in force.

    Example:
        >>> price_list().startswith("genai-prices ")
        True
    """
    from importlib.metadata import version

    from genai_prices.data import providers
    from genai_prices.types import StartDateConstraint

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
