from __future__ import annotations

from typing import Any

import pytest

from chatnb.chat_models import ScriptedChatModel
from chatnb.schema import RunLog
from chatnb.schema.usage import UsageMetadata, get_price

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
