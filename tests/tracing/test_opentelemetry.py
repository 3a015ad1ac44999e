from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from chatnb.errors import MissingRuntimeError, RateLimitError
from chatnb.schema import AIMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage
from chatnb.tracing import OpenTelemetryHandler, Run
from tests.support.traced_runs import START, at, chain, ended, live, live_at_once, model, replied


class Traced:
    """A provider of spans and what it exported."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def handler(self, *, content: bool = False) -> OpenTelemetryHandler:
        return OpenTelemetryHandler(self.provider, content=content)

    def span(self, name: str) -> ReadableSpan:
        (span,) = [span for span in self.exporter.get_finished_spans() if span.name == name]
        return span


@pytest.fixture
def traced() -> Traced:
    return Traced()


def _facts(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_a_call_has_the_attributes_of_the_conventions(traced: Traced) -> None:
    """A chat model's span names model, provider, tokens and reasons, and holds no word said."""
    run = model()
    handler = traced.handler()
    handler.on_start(run)
    handler.on_end(replied(run))
    span = traced.span("chat gpt-4o-mini")
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    assert _facts(span) == {
        "chatnb.run.id": "m1",
        "chatnb.run.type": "llm",
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.request.stream": True,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.time_to_first_chunk": 0.5,
        "gen_ai.usage.cache_read.input_tokens": 8,
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.usage.reasoning.output_tokens": 2,
    }


def test_the_times_are_the_runs_own_to_the_microsecond(traced: Traced) -> None:
    """Start and end are those of the run, not of the moment the handler was called."""
    run = model()
    handler = traced.handler()
    handler.on_start(run)
    handler.on_end(replied(run))
    span = traced.span("chat gpt-4o-mini")
    second = int(START.timestamp()) + 1
    assert span.start_time == second * 10**9 + 600_001_000
    assert span.end_time == (second + 2) * 10**9 + 850_001_000


def test_spans_nest_as_runs_do_below_the_current_span(traced: Traced) -> None:
    """The root is a child of the span around the call, the model of the root; a retry is noted."""
    root = chain()
    with traced.provider.get_tracer("app").start_as_current_span("request") as around:
        live(traced.handler(), root, model(parent=root))
    outer, inner = traced.span("invoke_workflow pipeline"), traced.span("chat gpt-4o-mini")
    assert outer.parent is not None
    assert inner.parent is not None
    assert outer.parent.span_id == around.get_span_context().span_id
    assert inner.parent.span_id == outer.context.span_id
    assert inner.context.trace_id == outer.context.trace_id == around.get_span_context().trace_id
    assert outer.kind is SpanKind.INTERNAL
    (retry,) = outer.events
    assert retry.name == "chatnb.retry"
    assert dict(retry.attributes or {}) == {
        "attempt": 1, "error.type": "TimeoutError", "pause": 0.5,
    }  # fmt: skip


def test_a_run_below_one_that_is_unknown_hangs_on_the_next_one_above(traced: Traced) -> None:
    """A handler that missed the start of a run in between still draws one tree."""
    root = chain()
    handler = traced.handler()
    handler.on_start(root)
    missed = Run("x", "step", "chain", START, root)
    call = model(parent=missed)
    handler.on_start(call)
    handler.on_end(replied(call))
    handler.on_end(ended(missed, 1))
    handler.on_end(ended(root, 1))
    inner = traced.span("chat gpt-4o-mini")
    assert inner.parent is not None
    assert inner.parent.span_id == traced.span("invoke_workflow pipeline").context.span_id


@pytest.mark.parametrize(
    ("run", "name", "operation"),
    [
        (Run("r", "search", "tool", START), "execute_tool search", "execute_tool"),
        (Run("r", "strip", "chain", START, chain()), "strip", None),
        (Run("r", "ChatPromptTemplate", "prompt", START), "ChatPromptTemplate", None),
        (Run("r", "Scripted", "llm", START), "chat Scripted", "chat"),
    ],
)
def test_each_kind_of_run_has_its_name(
    traced: Traced, run: Run, name: str, operation: str | None
) -> None:
    """Tools and models go by the conventions' names, steps that those do not know by their own."""
    handler = traced.handler()
    handler.on_start(run)
    handler.on_end(ended(run, 1) if run.type != "llm" else replied(run))
    facts = _facts(traced.span(name))
    assert facts.get("gen_ai.operation.name") == operation
    assert "gen_ai.request.model" not in facts


def test_a_failure_is_an_error_with_its_exception(traced: Traced) -> None:
    """The status, the kind of error and the exception are there, at the time of the end."""
    run = model()
    handler = traced.handler()
    handler.on_start(run)
    run.fail(RateLimitError("Slow down."), at(2))
    handler.on_error(run)
    span = traced.span("chat gpt-4o-mini")
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "Slow down."
    assert _facts(span)["error.type"] == "RateLimitError"
    (event,) = span.events
    assert event.name == "exception"
    assert event.timestamp == span.end_time
    assert (event.attributes or {})["exception.type"] == "chatnb.errors.RateLimitError"


@pytest.mark.parametrize("raised", [asyncio.CancelledError(), KeyboardInterrupt(), GeneratorExit()])
def test_a_stop_is_no_error(traced: Traced, raised: BaseException) -> None:
    """A run that was stopped is marked so; its partial reply counts as broken off."""
    run = model()
    handler = traced.handler()
    handler.on_start(run)
    replied(run, AIMessage("Hu"))
    run.fail(raised, at(2))
    handler.on_error(run)
    span = traced.span("chat gpt-4o-mini")
    facts = _facts(span)
    assert span.status.status_code is StatusCode.UNSET
    assert not span.events
    assert facts["chatnb.run.stopped"] is True
    assert "error.type" not in facts
    assert facts["gen_ai.response.finish_reasons"] == ("error",)


def test_what_was_said_is_there_when_it_is_asked_for(traced: Traced) -> None:
    """Messages and replies are JSON of the conventions' shape."""
    run = model()
    call: Any = {"name": "add", "args": {"a": 1}, "id": "t1"}
    run.inputs = [
        SystemMessage("Be brief."),
        HumanMessage([{"type": "text", "text": "Add."}, {"type": "image_url", "image_url": "x"}]),
        AIMessage("", tool_calls=[call]),
        ToolMessage("2", tool_call_id="t1"),
    ]
    handler = traced.handler(content=True)
    handler.on_start(run)
    handler.on_end(replied(run))
    facts = _facts(traced.span("chat gpt-4o-mini"))
    assert json.loads(facts["gen_ai.input.messages"]) == [
        {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "Add."},
                {"type": "image_url", "image_url": "x"},
            ],
        },
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "t1", "name": "add", "arguments": {"a": 1}}],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "t1", "response": "2"}]},
    ]
    assert json.loads(facts["gen_ai.output.messages"]) == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "Hush."}],
            "finish_reason": "stop",
        }
    ]


@pytest.mark.parametrize("content", [False, True])
def test_a_tool_tells_its_arguments_only_when_asked(traced: Traced, content: bool) -> None:
    """A tool's arguments and result are recorded with `content=True`, and only then."""
    run = Run("t1", "add", "tool", START, inputs={"a": 1})
    handler = traced.handler(content=content)
    handler.on_start(run)
    handler.on_end(ended(run, 2))
    facts = _facts(traced.span("execute_tool add"))
    assert facts.get("gen_ai.tool.call.arguments") == ('{"a":1}' if content else None)
    assert facts.get("gen_ai.tool.call.result") == ("2" if content else None)


def test_threads_keep_their_trees_apart(traced: Traced) -> None:
    """Four threads at once: each model's span is below its own chain's."""
    live_at_once(traced.handler(), threads=4, times=25)
    spans = {_facts(span)["chatnb.run.id"]: span for span in traced.exporter.get_finished_spans()}
    assert len(spans) == 2 * 4 * 25
    for id, span in spans.items():
        if id.startswith("m"):
            assert span.parent is not None
            assert span.parent.span_id == spans[f"c{id[1:]}"].context.span_id


def test_without_opentelemetry_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The handler names the extra; an import of the package that is not there is not needed."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(MissingRuntimeError, match=r"chatnb\[otel\]"):
        OpenTelemetryHandler()


def test_speakers_and_thoughts_are_a_part_of_what_was_said(traced: Traced) -> None:
    """A name, a role of its own, and reasoning before the text; empty parts are left out."""
    run = model()
    thought = AIMessage("a", additional_kwargs={"reasoning_content": "Hm."})
    run.inputs = [
        HumanMessage("Hi", name="ada"),
        ChatMessage("No.", role="critic"),
        thought,
        HumanMessage(["", "b", {"type": "text"}]),
    ]
    handler = traced.handler(content=True)
    handler.on_start(run)
    handler.on_end(replied(run, AIMessage("")))
    facts = _facts(traced.span("chat gpt-4o-mini"))
    assert json.loads(facts["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "Hi"}], "name": "ada"},
        {"role": "critic", "parts": [{"type": "text", "content": "No."}]},
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "Hm."},
                {"type": "text", "content": "a"},
            ],
        },
        {
            "role": "user",
            "parts": [{"type": "text", "content": "b"}, {"type": "text", "content": ""}],
        },
    ]


def test_a_run_without_a_conversation_says_nothing_of_one(traced: Traced) -> None:
    """A step that calls no model, and a model whose input was refused."""
    step, refused = chain(), model()
    refused.inputs = 3
    handler = traced.handler(content=True)
    for run in (step, refused):
        handler.on_start(run)
        run.fail(TypeError("No."), at(2))
        handler.on_error(run)
    names = {name for span in traced.exporter.get_finished_spans() for name in _facts(span)}
    assert "gen_ai.tool.call.arguments" not in names
    assert "gen_ai.output.messages" not in names
    facts = _facts(traced.span("chat gpt-4o-mini"))
    assert json.loads(facts.get("gen_ai.input.messages", "[]")) == []
    assert "gen_ai.response.finish_reasons" not in facts
