"""Token usage as providers and gateways report it, on every wire, and its price."""

from __future__ import annotations

from typing import Any

import pytest

from chatnb.chat_models.anthropic.replies import message_from_anthropic
from chatnb.chat_models.openai.completions import chunks_from_openai, messages_from_openai
from chatnb.chat_models.openai.responses_replies import message_from_response
from chatnb.chat_models.wire.token_usage import usage_from_counts, usage_from_openai
from chatnb.schema.model_call import ModelCall
from chatnb.schema.prices import get_price
from chatnb.schema.usage import UsageMetadata, add_usage, latest_usage
from chatnb.tracing.usage_tracking import track_usage

MILLION = 1_000_000


def counted(usage: Any, **fields: Any) -> Any:
    """Return what a whole completion and an event of a stream both read of a usage."""
    choice = {"message": {"content": "a"}, "delta": {"content": "a"}, "finish_reason": "stop"}
    payload = {"choices": [choice], "usage": usage, **fields}
    (message,) = messages_from_openai(payload)
    ((_, chunk),) = chunks_from_openai(payload)
    assert chunk.usage_metadata == message.usage_metadata
    return message.usage_metadata


def tokens(input: int, output: int, **more: Any) -> dict[str, Any]:
    counts = {"input_tokens": input, "output_tokens": output}
    return {**counts, "total_tokens": input + output, **more}


def reported(
    prompt: Any = None, completion: Any = None, total: Any = None, **more: Any
) -> dict[str, Any]:
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    return {**{name: count for name, count in counts.items() if count is not None}, **more}


def reasoning(count: int) -> Any:
    return {"completion_tokens_details": {"reasoning_tokens": count}}


THOUGHTS: Any = {"output_token_details": {"reasoning": 60}}
COUNTS: list[tuple[dict[str, Any], dict[str, Any] | None]] = [
    # The total has thought tokens that the output lacks.
    (reported(17, 1698, 3100), tokens(17, 3083)),
    (reported(21, 0, 81, **reasoning(60)), tokens(21, 60, **THOUGHTS)),
    (reported(21, 0, **reasoning(60)), tokens(21, 60, **THOUGHTS)),
    (reported(21, 5, **reasoning(60)), tokens(21, 65, **THOUGHTS)),
    (reported(21, 5, 86, reasoning_tokens=60), tokens(21, 65, **THOUGHTS)),
    # Thought tokens that the output has are not counted twice.
    (reported(21, 70, 91, **reasoning(60)), tokens(21, 70, **THOUGHTS)),
    (reported(21, 70, **reasoning(60)), tokens(21, 70, **THOUGHTS)),
    # One count of the three is missing, or is a string or a float.
    (reported(None, 5, 12), tokens(7, 5)),
    (reported(7, None, 12), tokens(7, 5)),
    (reported("7", "5", "12"), tokens(7, 5)),
    (reported(7.0, 5.0), tokens(7, 5)),
    # Some gateways have the names of the Responses API, or both.
    ({"input_tokens": 7, "output_tokens": 5}, tokens(7, 5)),
    (reported(7, 5, input_tokens=0, output_tokens=0), tokens(7, 5)),
    # Servers that do not count say nothing, or zeros.
    (reported(0, 0, 0), None),
    ({}, None),
    # Tokens of a cache, by each name and place.
    *(
        (given, tokens(9, 1, input_token_details={"cached": 4}))
        for given in (
            reported(9, 1, prompt_tokens_details={"cached_tokens": 4}),
            reported(9, 1, prompt_cache_hit_tokens=4, prompt_cache_miss_tokens=5),
            reported(9, 1, cached_tokens=4),
            reported(9, 1, cache_read_input_tokens=4),
        )
    ),
    *(
        (given, tokens(9, 1, input_token_details={"cache_creation": 4}))
        for given in (
            reported(9, 1, prompt_tokens_details={"cache_write_tokens": 4}),
            reported(9, 1, prompt_tokens_details={"cache_creation_tokens": 4, "cached_tokens": 0}),
            reported(9, 1, cache_creation_input_tokens=4),
        )
    ),
    (
        reported(3, 5, 1008, cache_read_input_tokens=1000),
        tokens(1003, 5, input_token_details={"cached": 1000}),
    ),
    (
        reported(
            9,
            8,
            prompt_tokens_details={"audio_tokens": 2, "image_tokens": 3, "text_tokens": 4},
            completion_tokens_details={"audio_tokens": 1, "image_tokens": 5},
        ),
        tokens(
            9,
            8,
            input_token_details={"audio": 2, "image": 3},
            output_token_details={"audio": 1, "image": 5},
        ),
    ),
    # What it cost, by the names of OpenRouter, Perplexity and xAI.
    (reported(9, 1, cost=0.25), tokens(9, 1, cost=0.25)),
    (reported(9, 1, cost="0.25"), tokens(9, 1, cost=0.25)),
    (reported(9, 1, cost={"input_tokens_cost": 0.1, "total_cost": 0.25}), tokens(9, 1, cost=0.25)),
    (reported(9, 1, cost_in_usd_ticks=2_500_000_000), tokens(9, 1, cost=0.25)),
    *(
        (reported(9, 1, cost=odd), tokens(9, 1))
        for odd in (None, "free", -1, float("nan"), 1e308, True)
    ),
]


@pytest.mark.parametrize(("usage", "expected"), COUNTS)
def test_counts_are_read_right(usage: dict[str, Any], expected: dict[str, Any] | None) -> None:
    """Counts that a gateway leaves out, misnames or misplaces are those that were billed."""
    assert counted(usage) == expected


def test_a_service_tier_is_kept_on_every_wire() -> None:
    """Metadata have the tier that was used; the usage has one that changes the price."""
    usage = {"input_tokens": 9, "output_tokens": 1}
    completion = {"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]}
    for tier in ("flex", "default"):
        shared = {"service_tier": tier, "usage": usage}
        messages = [
            *messages_from_openai({**completion, **shared}),
            message_from_response({"output": [], "status": "completed", **shared}),
            message_from_anthropic(
                {
                    "content": [],
                    "stop_reason": "end_turn",
                    "usage": {**usage, "service_tier": tier},
                }
            ),
        ]
        for message in messages:
            assert message.response_metadata["service_tier"] == tier
            priced: Any = {"service_tier": "flex"} if tier == "flex" else {}
            assert message.usage_metadata == tokens(9, 1, **priced)


def test_anthropic_counts_are_summed() -> None:
    """Its input leaves out what the cache read and wrote; an hour's lifetime has its own price."""
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 1000,
        "cache_creation": {"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 600},
        "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 3},
    }
    payload = {"content": [], "stop_reason": "end_turn", "usage": usage}
    details = {"cached": 100, "cache_creation": 1000, "cache_creation_1h": 600}
    assert message_from_anthropic(payload).usage_metadata == tokens(
        1110, 7, input_token_details=details, output_token_details={"reasoning": 3}
    )


def usage_of(**more: Any) -> UsageMetadata:
    return UsageMetadata(
        input_tokens=MILLION, output_tokens=MILLION, total_tokens=2 * MILLION, **more
    )


PRICES: list[tuple[str, str, dict[str, Any], str]] = [
    ("openai", "gpt-5-mini", {"service_tier": "flex"}, "less"),
    ("openai", "gpt-5-mini", {"service_tier": "priority"}, "more"),
    ("openai", "gpt-5-mini", {"input_token_details": {"cached": MILLION}}, "less"),
    ("openai", "gpt-5-mini", {"input_token_details": {"cached": 9, "image": 7}}, "less"),
    ("openai", "gpt-6-luna", {"input_token_details": {"cache_creation": MILLION}}, "more"),
    ("anthropic", "claude-haiku-5-5", {"input_token_details": {"cache_creation": MILLION}}, "more"),
    ("gemini", "gemini-2.5-flash", {"input_token_details": {"audio": MILLION}}, "more"),
    ("gemini", "gemini-2.5-flash", {"input_token_details": {"audio": 10**5, "cached": 9}}, "more"),
    # Details that contradict the counts: as without them.
    ("openai", "gpt-5-mini", {"input_token_details": {"image": 9 * MILLION}}, "same"),
]


@pytest.mark.parametrize(("provider", "model", "terms", "expected"), PRICES)
def test_details_and_tiers_have_their_prices(
    provider: str, model: str, terms: dict[str, Any], expected: str
) -> None:
    """Audio, images, a written cache and a service tier cost what the price list says."""
    plain, price = (get_price(provider, model, usage_of(**more)) for more in ({}, terms))
    assert plain is not None
    assert price is not None
    assert expected == ("less" if price < plain else "more" if price > plain else "same")


@pytest.mark.parametrize("provider", ["openai", "vllm", ""])
def test_the_cost_on_the_wire_wins(provider: str) -> None:
    """A cost that the provider states is taken, and no price list is asked."""
    assert get_price(provider, "gpt-5-mini", usage_of(cost=0.5)) == 0.5
    assert ModelCall("any", provider, usage=usage_of(cost=0.0)).cost == 0.0


def test_sums_have_a_cost_if_all_have_one() -> None:
    """A sum over calls, of which one has no known cost, has none; of one reply the last counts."""
    costly, unknown = usage_of(cost=0.25), usage_of()
    results = (
        add_usage(costly, costly),
        add_usage(costly, unknown),
        latest_usage(costly, unknown),
        latest_usage(costly, usage_of(cost=0.5)),
    )
    assert [result and result.get("cost") for result in results] == [0.5, None, 0.25, 0.5]


def test_a_model_without_a_price_is_named_once() -> None:
    """The first cost that is not known is a warning, those after it are not."""
    calls = [ModelCall("gpt-never", "openai", usage=usage_of()) for _ in range(3)]
    with pytest.warns(UserWarning, match="The price of gpt-never is not known") as warned:
        assert [call.cost for call in calls] == [None, None, None]
    assert len(warned) == 1
    with track_usage() as tracker:
        tracker.record(ModelCall("smollm2", "llama.cpp", usage=usage_of()))
    assert tracker.cost is None


@pytest.mark.parametrize(
    ("counts", "input_details", "output_details", "usage"),
    [
        ((3, 2, 5), {}, {}, (3, 2, 5)),
        ((3, 2, None), {}, {}, (3, 2, 5)),
        ((None, 2, 5), {}, {}, (3, 2, 5)),
        ((None, 7, 5), {}, {}, (0, 7, 5)),
        ((None, None, 5), {}, {}, (0, 0, 5)),
        ((3, None, None), {}, {}, (3, 0, 3)),
        ((3, None, 5), {}, {}, (3, 2, 5)),
        ((3, 4, 5), {}, {}, (3, 4, 5)),
        ((0, 0, 0), {"cached": 0}, {}, None),
        ((None, None, None), {}, {}, None),
        ((3, 2, None), {"cached": 3}, {}, (3, 2, 5)),
        ((3, 2, None), {"cached": 4}, {}, (7, 2, 9)),
        ((3, 2, None), {"cached": 4, "cache_creation": 5}, {}, (12, 2, 14)),
        ((3, 2, None), {}, {"reasoning": 2}, (3, 2, 5)),
        ((3, 2, None), {}, {"reasoning": 3}, (3, 5, 8)),
        ((3, 2, 5), {}, {"reasoning": 3}, (3, 2, 5)),
        ((None, 2, None), {}, {"reasoning": 3}, (0, 5, 5)),
    ],
)
def test_counts_that_were_left_out_are_those_of_the_others(
    counts: tuple[int | None, int | None, int | None],
    input_details: dict[str, int],
    output_details: dict[str, int],
    usage: tuple[int, int, int] | None,
) -> None:
    """A part that is larger than the whole was counted beside it."""
    read = usage_from_counts(*counts, input_details, output_details)
    if usage is None:
        assert read is None
        return
    expected: dict[str, Any] = dict(zip(("input", "output", "total"), usage, strict=True))
    expected = {f"{name}_tokens": count for name, count in expected.items()}
    if input_details:
        expected["input_token_details"] = input_details
    if output_details:
        expected["output_token_details"] = output_details
    assert read == expected


@pytest.mark.parametrize(
    ("fields", "terms"),
    [
        ({"cost": 0.5}, {"cost": 0.5}),
        ({"cost": "0.5"}, {"cost": 0.5}),
        ({"cost": 0}, {"cost": 0.0}),
        ({"cost": True}, {}),
        ({"cost": "much"}, {}),
        ({"cost": [1]}, {}),
        ({"cost": {"total_cost": 0.25, "input": 1}}, {"cost": 0.25}),
        ({"cost": {}}, {}),
        ({"cost_in_usd_ticks": 5_000_000_000, "cost": 7}, {"cost": 0.5}),
        ({"service_tier": "flex"}, {"service_tier": "flex"}),
        ({"service_tier": "standard"}, {}),
        ({"service_tier": ""}, {}),
        ({"service_tier": 7}, {}),
    ],
)
def test_the_price_may_be_a_number_or_a_tier(fields: dict[str, Any], terms: Any) -> None:
    """In dollars, in parts of them, or as the total of several; usual tiers are none."""
    usage = {"input_tokens": 1, "output_tokens": 2, **fields}
    counts = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    assert usage_from_openai(usage) == {**counts, **terms}
    assert usage_from_openai(usage, service_tier="priority") == {
        **counts,
        **terms,
        "service_tier": "priority",
    }
    assert usage_from_openai({**fields}) is None
