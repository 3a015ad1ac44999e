"""The replies of the providers in providers.toml, in their documented form."""

from __future__ import annotations

from typing import Any, NamedTuple


class Wire(NamedTuple):
    """A provider's streamed reply in its documented form, and what is to be read of it."""

    events: list[dict[str, Any]]
    reasoning: str | None = "Hm, a greeting."
    cached: int = 0
    asks_for_usage: bool = True


COUNTS = {"prompt_tokens": 8, "completion_tokens": 5, "total_tokens": 13}


def said(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "chat-1", "model": "some-model", "choices": [choice]}


def asked_for(usage: dict[str, Any]) -> dict[str, Any]:
    return {"id": "chat-1", "model": "some-model", "choices": [], "usage": usage}


def in_choice(payload: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**payload, "choices": [{**payload["choices"][0], **fields}]}


def thinking(text: str) -> list[dict[str, Any]]:
    return [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]


REASONING = [said(role="assistant", content="", reasoning="Hm, "), said(reasoning="a greeting.")]
REASONING_CONTENT = [
    said(role="assistant", content=None, reasoning_content="Hm, "),
    said(content=None, reasoning_content="a greeting."),
]
SEARCHED = {"citations": ["https://example.org"], "search_results": [{"title": "A page"}]}
ANSWER = [said(content="Hel"), said(content="lo.")]
STOP = said("stop", content="")

WIRES: dict[str, Wire] = {
    "deepseek": Wire(
        [
            *REASONING_CONTENT,
            *ANSWER,
            STOP,
            asked_for({**COUNTS, "prompt_cache_hit_tokens": 6, "prompt_cache_miss_tokens": 2}),
        ],
        cached=6,
    ),
    "gemini": Wire([*ANSWER, STOP, asked_for(COUNTS)], reasoning=None),
    "groq": Wire(
        [*REASONING, *ANSWER, {**said("stop"), "x_groq": {"id": "req_1", "usage": COUNTS}}],
        asks_for_usage=False,
    ),
    "llamacpp": Wire([*REASONING_CONTENT, *ANSWER, STOP, {**asked_for(COUNTS), "timings": {}}]),
    "lmstudio": Wire([*REASONING, *ANSWER, STOP, asked_for(COUNTS)]),
    "mistral": Wire(
        [
            said(role="assistant", content=thinking("Hm, ")),
            said(content=thinking("a greeting.")),
            said(content=[{"type": "text", "text": "Hel"}]),
            said(content="lo."),
            {**STOP, "usage": COUNTS},
        ],
        asks_for_usage=False,
    ),
    "ollama": Wire([*REASONING, *ANSWER, STOP, asked_for(COUNTS)]),
    "openrouter": Wire(
        [
            *REASONING,
            *ANSWER,
            STOP,
            {**STOP, "usage": {**COUNTS, "prompt_tokens_details": {"cached_tokens": 4}}},
        ],
        cached=4,
        asks_for_usage=False,
    ),
    "vllm": Wire([*REASONING, *ANSWER, STOP, asked_for(COUNTS)]),
    "azure_ai": Wire([*REASONING_CONTENT, *ANSWER, STOP, asked_for(COUNTS)]),
    "cerebras": Wire(
        [*REASONING, *ANSWER, {**STOP, "usage": COUNTS, "time_info": {"total_time": 0.1}}],
        asks_for_usage=False,
    ),
    "cohere": Wire([*ANSWER, {**STOP, "usage": COUNTS}], reasoning=None, asks_for_usage=False),
    "dashscope": Wire([*REASONING_CONTENT, *ANSWER, STOP, asked_for(COUNTS)]),
    "fireworks": Wire(
        [*REASONING_CONTENT, *ANSWER, {**STOP, "usage": COUNTS}],
        asks_for_usage=False,
    ),
    "github": Wire([*ANSWER, STOP, asked_for(COUNTS)], reasoning=None),
    "huggingface": Wire([*REASONING_CONTENT, *ANSWER, STOP, asked_for(COUNTS)]),
    "moonshot": Wire(
        [*REASONING_CONTENT, *ANSWER, in_choice(STOP, usage=COUNTS)],
        asks_for_usage=False,
    ),
    "nvidia": Wire([*REASONING_CONTENT, *ANSWER, STOP, asked_for(COUNTS)]),
    "perplexity": Wire(
        [{**each, **SEARCHED, "usage": COUNTS} for each in (*ANSWER, STOP)],
        reasoning=None,
        asks_for_usage=False,
    ),
    "together": Wire([*REASONING, *ANSWER, {**STOP, "usage": COUNTS}], asks_for_usage=False),
    "xai": Wire(
        [
            *REASONING_CONTENT,
            *ANSWER,
            STOP,
            asked_for({**COUNTS, "prompt_tokens_details": {"cached_tokens": 4}}),
        ],
        cached=4,
    ),
}
