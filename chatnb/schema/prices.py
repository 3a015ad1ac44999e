"""Prices of calls, by the price list of genai-prices, without network."""

from __future__ import annotations

import time
from bisect import bisect_left
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from chatnb.schema.usage import UsageMetadata
from chatnb.terminal import warn

if TYPE_CHECKING:
    from decimal import Decimal

    from genai_prices.types import PriceCalculation

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
_RATED = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


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
    tier, minute = usage.get("service_tier"), int(time.time() // 60)
    return _prices(provider_id, model, tier, minute).of(_priced_tokens(usage))


@lru_cache(maxsize=256)
def _prices(provider_id: str, model: str, tier: str | None, minute: int) -> _ModelPrices:
    # Prices may begin on a day, or hold for some hours of it: what is known holds for its minute.
    return _ModelPrices(provider_id, model, tier)


class _ModelPrices:
    """The prices of one model: the price list's, whose rates a token are found out once."""

    # To ask the list takes a fifth of a millisecond. The price of usual counts is linear in them,
    # but for steps at some numbers of input tokens; the list is asked about all others.

    def __init__(self, provider_id: str, model: str, tier: str | None) -> None:
        self._model = model
        self._provider_id = provider_id
        self._context = {"service_tier": tier} if tier else None
        self._is_listed = True
        self._steps: list[int] | None = None
        self._rates: dict[int, dict[str, Decimal]] = {}  # By the number of steps below.

    def of(self, tokens: dict[str, int]) -> float | None:
        """Return the price of tokens, by the price list's names."""
        if not self._is_listed:
            return None
        try:
            price = self._by_rates(tokens) if _are_usual(tokens) else self._listed(tokens)
        except LookupError:
            self._is_listed = False
            return None
        except ValueError:  # Counts that contradict each other are errors.
            price = self._of_least(tokens)
        return None if price is None else float(price)

    def _by_rates(self, tokens: dict[str, int]) -> Decimal:
        if self._steps is None:
            self._steps = self._find_steps()
        index = bisect_left(self._steps, tokens["input_tokens"])
        rates = self._rates.get(index)
        if rates is None:
            rates = self._rates[index] = self._find_rates([0, *self._steps][index] + 1)
        price = rates["requests"]
        for name, count in tokens.items():
            price += rates[name] * count
        return price

    def _find_steps(self) -> list[int]:
        """Return the numbers of input tokens above which prices differ, in order."""
        from genai_prices.types import TieredPrices

        prices = vars(self._calculate({"input_tokens": 1, "output_tokens": 0}).model_price)
        tiered = [price for price in prices.values() if isinstance(price, TieredPrices)]
        return sorted({tier.start for price in tiered for tier in price.tiers})

    def _find_rates(self, inputs: int) -> dict[str, Decimal]:
        """Return what one token more of each name costs, and a call with no tokens."""
        base = {"input_tokens": inputs, "output_tokens": 0}
        price = self._listed(base)
        rates = {name: self._listed({**base, name: base.get(name, 0) + 1}) for name in _RATED}
        rates = {name: each - price for name, each in rates.items()}
        return {**rates, "requests": price - rates["input_tokens"] * inputs}

    def _of_least(self, tokens: dict[str, int]) -> Decimal | None:
        try:
            return self._listed({name: tokens[name] for name in _RATED if name in tokens})
        except ValueError:
            return None

    def _listed(self, tokens: dict[str, int]) -> Decimal:
        return self._calculate(tokens).total_price

    def _calculate(self, tokens: dict[str, int]) -> PriceCalculation:
        from genai_prices import Usage, calc_price

        return calc_price(
            Usage(**tokens),
            self._model,
            provider_id=self._provider_id,
            price_context=self._context,
        )


def _are_usual(tokens: dict[str, int]) -> bool:
    """Return whether counts can be priced by rates: they contradict each other in nothing."""
    if tokens.keys() - _RATED or any(type(n) is not int or n < 0 for n in tokens.values()):
        return False
    inputs = tokens["input_tokens"]
    return 0 < inputs >= tokens.get("cache_read_tokens", 0) + tokens.get("cache_write_tokens", 0)


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
