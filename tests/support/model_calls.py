"""Calls of chat models, made up."""

from __future__ import annotations

from typing import Any

from chatnb.schema.model_call import ModelCall
from chatnb.schema.usage import UsageMetadata

MODELS = (
    ("gpt-4o-mini", "openai"),
    ("claude-sonnet-4-5", "anthropic"),
    ("smollm2-135m-instruct", "llama.cpp"),
)
QUESTIONS = (
    "Summarise the abstract in one sentence.",
    "Which of these reviews are positive?",
    "Translate the paragraph into French, and keep the names as they are.",
    "What is a notebook cell?",
    "List three risks of this plan, each with one way to lower it, in a table.",
)


def tokens(into: int, out: int, **details: int) -> UsageMetadata:
    """The counts of a call; `cached` and `reasoning` are told only if they are given."""
    usage: Any = {"input_tokens": into, "output_tokens": out, "total_tokens": into + out}
    if "cached" in details:
        usage["input_token_details"] = {"cached": details["cached"]}
    if "reasoning" in details:
        usage["output_token_details"] = {"reasoning": details["reasoning"]}
    return usage


def made_up(calls: int, models: int = 3, *, gaps: bool = False) -> list[ModelCall]:
    """So many calls; `gaps` makes every fifth tell nothing, fail, or come out of a cache."""
    return [_call(number, models, gaps=gaps) for number in range(calls)]


def _call(number: int, models: int, *, gaps: bool) -> ModelCall:
    model, provider = MODELS[number % models]
    prompt = f"{QUESTIONS[number % 5]} ({number + 1})"
    odd = number % 15 if gaps else -1
    if odd == 4:
        return ModelCall(model, provider, prompt, seconds=0.4, finish_reason="stop")
    if odd == 9:
        return ModelCall(model, provider, prompt, seconds=0.21, error="RateLimitError")
    if odd == 14:
        return ModelCall(model, provider, prompt, seconds=0.0011, cached=True)
    usage = tokens(
        180 + 37 * (number % 29), 20 + 13 * (number % 31), cached=64 * (number % 3), reasoning=0
    )
    seconds = 0.35123 + 0.17311 * (number % 17)
    return ModelCall(model, provider, prompt, usage, seconds, 0.231 * seconds, "stop")
