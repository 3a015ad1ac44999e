"""Runs made by hand, and the little lives that handlers are told of."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

from chatnb.schema import AIMessage, AIMessageChunk, ChatGeneration, HumanMessage, LLMResult
from chatnb.tracing import Run

START = datetime(2026, 1, 2, 3, 4, 5, 600001, tzinfo=UTC)
QUESTION = [HumanMessage("A secret?")]


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def chain(id: str = "c1", parent: Run | None = None, **facts: Any) -> Run:
    return Run(id, "pipeline", "chain", START, parent, inputs={"topic": "secrets"}, **facts)


def model(id: str = "m1", parent: Run | None = None, **facts: Any) -> Run:
    told = {"ls_provider": "openai", "model_name": "gpt-4o-mini"}
    return Run(id, "ChatOpenAI", "llm", at(1), parent, metadata=told, inputs=QUESTION, **facts)


def replied(run: Run, *replies: AIMessage) -> Run:
    """End a chat model's run with replies, by default one that has everything."""
    said = replies or (
        AIMessage(
            "Hush.",
            id="chatcmpl-1",
            response_metadata={"finish_reason": "stop", "model_name": "gpt-4o-mini-2024-07-18"},
        ),
    )
    run.output = LLMResult([[ChatGeneration(message=reply) for reply in said]]).as_dict()
    run.first_token_time = at(1.5)
    run.end_time = at(3.25)
    run.usage_metadata = {
        "input_tokens": 12,
        "output_tokens": 3,
        "total_tokens": 15,
        "input_token_details": {"cached": 8},
        "output_token_details": {"reasoning": 2},
    }
    return run


def ended(run: Run, output: Any) -> Run:
    run.output, run.end_time = {"output": output}, at(4)
    return run


def live(handler: Any, root: Run, call: Run) -> None:
    """Let a chain call a model that streams two chunks, on its second attempt."""
    handler.on_start(root)
    handler.on_retry(root, 1, TimeoutError("late"), 0.5)
    handler.on_start(call)
    if hasattr(handler, "on_token"):
        handler.on_token(call, AIMessageChunk("Hu"))
        handler.on_token(call, AIMessageChunk("sh."))
    handler.on_end(replied(call))
    handler.on_end(ended(root, "Hush."))


def live_at_once(handler: Any, threads: int, times: int) -> None:
    """Let as many threads go through that life as often, each with runs of its own."""
    ready = Barrier(threads)

    def go(thread: int) -> None:
        ready.wait(timeout=60)
        for time in range(times):
            root = chain(f"c{thread}.{time}")
            live(handler, root, model(f"m{thread}.{time}", root))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(go, range(threads)))
