from __future__ import annotations

from typing import Any

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data import providers

from chatnb.chat_models import ScriptedChatModel
from chatnb.schema import RunLog
from chatnb.schema.prices import get_price
from chatnb.schema.usage import UsageMetadata
from tests.support.call_counting import calls_during

USAGE = UsageMetadata(input_tokens=1_000, output_tokens=100, total_tokens=1_100)


class Charged(ScriptedChatModel):
    provider = "openai"


def log_of(chain: Any) -> RunLog:
    return sum(chain.stream_log("Hi"), start=RunLog())


def test_what_was_read_from_a_cache_costs_less() -> None:
    """Cached tokens are a part of the input and have a price of their own."""
    cached = UsageMetadata(**USAGE, input_token_details={"cached": 900})
    dear, cheap = (get_price("openai", "gpt-4o-mini", usage) for usage in (USAGE, cached))
    assert dear is not None
    assert cheap is not None
    assert 0 < cheap < dear


@pytest.mark.parametrize(
    ("provider", "model", "usage"),
    [
        ("openai", "no-such-model", USAGE),
        ("llama.cpp", "smollm2-135m-instruct", USAGE),
        ("openai", "gpt-4o-mini", None),
    ],
)
def test_what_is_not_known_is_no_price(provider: str, model: str, usage: Any) -> None:
    """An unknown model, one that nobody charges for and unknown tokens are not free: unknown."""
    assert get_price(provider, model, usage) is None


def counts(inputs: int, outputs: int, **details: int) -> UsageMetadata:
    total = inputs + outputs
    usage = UsageMetadata(input_tokens=inputs, output_tokens=outputs, total_tokens=total)
    return {**usage, "input_token_details": details} if details else usage


STEPS = [n + more for n in (32_000, 128_000, 200_000, 256_000, 272_000) for more in (0, 1)]


def listed_price(provider: str, model: str, **tokens: int) -> float | None:
    try:
        return float(calc_price(Usage(**tokens), model, provider_id=provider).total_price)
    except LookupError:
        return None


@pytest.mark.parametrize("provider", ["anthropic", "deepseek", "openai", "openrouter"])
def test_a_price_is_that_of_the_price_list(provider: str) -> None:
    """Below and above each step of its prices, a model's tokens cost what the list says."""
    models = [m.id for listed in providers if listed.id == provider for m in listed.models]
    for model in models[:: len(models) // 20 + 1]:
        for inputs in (1, 1_234, *STEPS, 1_000_000):
            cached, written = inputs // 3, inputs // 2
            tokens = {"cache_read_tokens": cached, "cache_write_tokens": written}
            price = listed_price(provider, model, input_tokens=inputs, output_tokens=77, **tokens)
            usage = counts(inputs, 77, cached=cached, cache_creation=written)
            assert get_price(provider, model, usage) == price


def test_unusual_counts_are_priced_by_the_list() -> None:
    """Tokens of other names cost what the list says, and counts that contradict are no price."""
    model = ("openai", "gpt-4o-audio-preview")
    price = listed_price(*model, input_tokens=1_000, output_tokens=9, input_audio_tokens=200)
    assert get_price(*model, counts(1_000, 9, audio=200)) == price
    assert get_price("openai", "gpt-4o-mini", counts(1_000, 9, cached=2_000)) is None


def test_a_thousand_prices_ask_the_price_list_a_few_times() -> None:
    """The list is asked what a token of a model costs, and not about each call."""
    usages = [counts(100 + n % 7, n) for n in range(1_000)]
    get_price("openai", "gpt-4o-mini", usages[0])
    calls = calls_during(lambda: [get_price("openai", "gpt-4o-mini", usage) for usage in usages])
    assert calls.get("calc_price", 0) < 20  # Another minute may begin meanwhile.
    assert sum(calls.values()) < 30 * len(usages)


def test_a_log_says_what_each_call_cost() -> None:
    """The entry of a model has its cost, where there is a price, and no other entry has."""
    chat = Charged(["Hello."], usage=[USAGE], model_name="gpt-4o-mini")
    cost = get_price("openai", "gpt-4o-mini", USAGE)
    entries = log_of(chat | str).state["logs"]
    assert {name: entry.get("cost") for name, entry in entries.items()} == {
        "Charged": cost,
        "str": None,
    }
    assert log_of(chat).root["cost"] == cost
    assert "cost" not in log_of(ScriptedChatModel(["Hello."], usage=[USAGE])).root
