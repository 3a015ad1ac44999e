"""A handler that makes OpenTelemetry spans, by the conventions for generative AI, v0.1.0.

The conventions are in development and may change with each release.
Source: https://github.com/open-telemetry/semantic-conventions-genai
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from chatnb.concurrency.locks import Lock
from chatnb.errors import MissingRuntimeError
from chatnb.redaction import environment_secrets, redact_json
from chatnb.schema.conversion import to_messages
from chatnb.schema.message_types import AIMessage, BaseMessage, ChatMessage, ToolMessage, base_type
from chatnb.schema.run_logs.json_values import to_json
from chatnb.tracing.run import Run

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, TracerProvider
Attributes = dict[str, str | bool | int | float | Sequence[str]]
_MODEL_KEYS = ("ls_model_name", "model_name", "model")
_PROVIDER_KEYS = ("ls_provider", "provider")
_UNKNOWN_PROVIDER = "chatnb"
_FAILED = "error"
_ROLES = {
    "human": "user",
    "ai": "assistant",
    "system": "system",
    "function": "tool",
    "tool": "tool",
}
_OPERATIONS = {"llm": "chat", "tool": "execute_tool"}
_NO_OPENTELEMETRY = 'OpenTelemetry is not installed. Install it with: pip install "chatnb[otel]"'
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class OpenTelemetryHandler:
    """Makes a span of each run, by OpenTelemetry's conventions for generative AI, v0.1.0.

    The conventions are in development: names may change. A chat model's call is `chat {model}`,
    of span kind CLIENT; a tool's `execute_tool {name}`; a chain that is not part of another run
    `invoke_workflow {name}`; other runs go by their names. All but the chat model's are INTERNAL.
    A run without a parent is a child of the span that is current when it starts.

    The provider and the requested model are read from the metadata `ls_provider` and
    `ls_model_name`, else `provider` and `model_name` or `model`. A failure has the status ERROR,
    `error.type` (the name of the class) and the exception, with its message and traceback,
    whatever `content` is. A stopped run has `chatnb.run.stopped` instead.

    Args:
        tracer_provider: The provider of spans; by default that of the process.
        content: Whether the spans hold the messages, and the arguments and results of tools. They
            may be personal, so the conventions leave them out by default.

    Raises:
        MissingRuntimeError: If OpenTelemetry is not installed.

    Example:
        >>> from chatnb.tracing import handling
        >>> from chatnb.runnables import RunnableLambda
        >>> with handling(OpenTelemetryHandler()):
        ...     RunnableLambda(str.strip).invoke(" a ")
        'a'
    """

    def __init__(
        self, tracer_provider: TracerProvider | None = None, *, content: bool = False
    ) -> None:
        try:
            from opentelemetry import trace
        except ImportError as error:
            raise MissingRuntimeError(_NO_OPENTELEMETRY) from error
        self.content = content
        self._has_own_provider = tracer_provider is not None
        self._trace = trace
        self._tracer = trace.get_tracer("chatnb", tracer_provider=tracer_provider)
        self._lock = Lock()  # A finalizer may end a run while its thread starts one.
        # Kept as long as the runs, since one may start others after its own end.
        self._spans: WeakKeyDictionary[Run, Span] = WeakKeyDictionary()

    def __reduce__(self) -> tuple[Any, ...]:
        if self._has_own_provider:
            raise TypeError(
                f"The tracer_provider of {type(self).__name__} sends spans from this process. Give "
                "none, or make the handler in the other process."
            )
        return partial(type(self), content=self.content), ()

    def on_start(self, run: Run) -> None:
        """Start the span of `run`."""
        span_kind = self._trace.SpanKind
        span = self._tracer.start_span(
            span_name(run),
            context=self._context_above(run),
            kind=span_kind.CLIENT if run.type == "llm" else span_kind.INTERNAL,
            attributes=start_attributes(run),
            start_time=_nanoseconds(run.start_time),
        )
        with self._lock:
            self._spans[run] = span

    def on_retry(self, run: Run, attempt: int, error: BaseException, pause: float) -> None:
        """Add an event for a failed `attempt` to the span of `run`, with `error` and `pause`."""
        if span := self._span(run):
            details = {"attempt": attempt, "error.type": type(error).__name__, "pause": pause}
            span.add_event("chatnb.retry", details)

    def on_end(self, run: Run) -> None:
        """End the span of `run`."""
        self._end(run)

    def on_error(self, run: Run) -> None:
        """End the span of a failed `run`."""
        self._end(run)

    def _end(self, run: Run) -> None:
        span = self._span(run)
        if span is None:
            return
        end_time = _nanoseconds(run.end_time) if run.end_time else None
        if span.is_recording():
            span.set_attributes(end_attributes(run))
            if self.content:
                span.set_attributes(_redacted(content_attributes(run)))
            if run.error is not None and not run.error["stopped"]:
                span.set_status(self._trace.StatusCode.ERROR, run.error["message"])
                if run.exception is not None:
                    span.record_exception(run.exception, timestamp=end_time)
        span.end(end_time)

    def _span(self, run: Run) -> Span | None:
        with self._lock:
            return self._spans.get(run)

    def _context_above(self, run: Run) -> Context | None:
        """Return the context of the nearest run above with a span; None for the current context."""
        above = run.parent
        while above is not None:
            if span := self._span(above):
                return self._trace.set_span_in_context(span)
            above = above.parent
        return None


def span_name(run: Run) -> str:
    """Return the name of a run's span."""
    operation = _operation(run)
    target = (_first_metadata(run, _MODEL_KEYS) if run.type == "llm" else None) or run.name
    return f"{operation} {target}" if operation else target


def start_attributes(run: Run) -> Attributes:
    """Return the attributes that are known at a run's start, so that samplers see them."""
    attributes: Attributes = {"chatnb.run.id": run.id, "chatnb.run.type": run.type}
    if operation := _operation(run):
        attributes["gen_ai.operation.name"] = operation
    match run.type:
        case "llm":
            provider = _first_metadata(run, _PROVIDER_KEYS) or _UNKNOWN_PROVIDER
            attributes["gen_ai.provider.name"] = provider
            if model := _first_metadata(run, _MODEL_KEYS):
                attributes["gen_ai.request.model"] = model
        case "tool":
            attributes["gen_ai.tool.name"] = run.name
        case "chain" if run.parent is None:
            attributes["gen_ai.agent.name"] = run.name
        case _:
            pass
    return attributes


def end_attributes(run: Run) -> Attributes:
    """Return the attributes that are known at a run's end, without its content."""
    attributes: Attributes = {}
    if run.error is not None and run.error["stopped"]:
        attributes["chatnb.run.stopped"] = True
    elif run.error is not None:
        attributes["error.type"] = run.error["type"]
    if run.type == "llm":
        attributes.update(_response(run))
        attributes.update(_usage(run))
    if run.first_token_time is not None:
        waited = (run.first_token_time - run.start_time).total_seconds()
        attributes["gen_ai.request.stream"] = True
        attributes["gen_ai.response.time_to_first_chunk"] = waited
    return attributes


def content_attributes(run: Run) -> Attributes:
    """Return the messages of a chat model's run, or a tool's call and result, as JSON."""
    match run.type:
        case "llm":
            messages = [_written(message) for message in _messages(run.inputs)]
            replies = [
                {**_written(candidate["message"]), "finish_reason": reason or _FAILED}
                for candidate, reason in zip(_candidates(run), _reasons(run), strict=True)
            ]
            attributes: Attributes = {"gen_ai.input.messages": _json(messages)}
            if replies:
                attributes["gen_ai.output.messages"] = _json(replies)
            return attributes
        case "tool":
            output = cast("dict[str, Any]", run.output or {})
            attributes = {"gen_ai.tool.call.arguments": to_json(run.inputs)}
            if "output" in output:
                attributes["gen_ai.tool.call.result"] = to_json(output["output"])
            return attributes
        case _:
            return {}


def _operation(run: Run) -> str | None:
    """Return the operation of the conventions, which know workflows but not their steps."""
    if run.type == "chain" and run.parent is None:
        return "invoke_workflow"
    return _OPERATIONS.get(run.type)


def _first_metadata(run: Run, keys: Sequence[str]) -> str | None:
    values = (run.metadata.get(key) for key in keys)
    return next((value for value in values if isinstance(value, str) and value), None)


def _candidates(run: Run) -> list[Mapping[str, Any]]:
    output = cast("dict[str, Any]", run.output or {})
    return [one for candidates in output.get("generations", []) for one in candidates]


def _reasons(run: Run) -> list[str | None]:
    return [one["message"].response_metadata.get("finish_reason") for one in _candidates(run)]


def _response(run: Run) -> Attributes:
    attributes: Attributes = {}
    reasons = _reasons(run)
    if any(reasons) or (reasons and run.error):
        filled = [reason or _FAILED for reason in reasons]
        attributes["gen_ai.response.finish_reasons"] = filled
    for candidate in _candidates(run)[:1]:
        message: BaseMessage = candidate["message"]
        if message.id:
            attributes["gen_ai.response.id"] = message.id
        if model := message.response_metadata.get("model_name"):
            attributes["gen_ai.response.model"] = model
    return attributes


def _usage(run: Run) -> Attributes:
    usage = run.usage_metadata
    if usage is None:
        return {}
    attributes: Attributes = {
        "gen_ai.usage.input_tokens": usage["input_tokens"],
        "gen_ai.usage.output_tokens": usage["output_tokens"],
    }
    if cached := usage.get("input_token_details", {}).get("cached"):
        attributes["gen_ai.usage.cache_read.input_tokens"] = cached
    if reasoning := usage.get("output_token_details", {}).get("reasoning"):
        attributes["gen_ai.usage.reasoning.output_tokens"] = reasoning
    return attributes


def _messages(inputs: Any) -> list[BaseMessage]:
    try:
        return to_messages(inputs)
    except (TypeError, ValueError):  # The input was not valid for a chat model.
        return []


def _written(message: BaseMessage) -> dict[str, Any]:
    type_ = base_type(message)
    role = message.role if isinstance(message, ChatMessage) else _ROLES.get(type_, type_)
    written: dict[str, Any] = {"role": role, "parts": _parts(message)}
    if message.name:
        written["name"] = message.name
    return written


def _parts(message: BaseMessage) -> list[dict[str, Any]]:
    if isinstance(message, ToolMessage):
        answer = {"type": "tool_call_response", "id": message.tool_call_id}
        return [{**answer, "response": message.content}]
    content = [message.content] if isinstance(message.content, str) else message.content
    parts = [
        {"type": "text", "content": part} if isinstance(part, str) else _part(part)
        for part in content
        if part
    ]
    if isinstance(message, AIMessage):
        if message.reasoning and all(part["type"] != "reasoning" for part in parts):
            parts.insert(0, {"type": "reasoning", "content": message.reasoning})
        parts += [
            {"type": "tool_call", "id": call["id"], "name": call["name"], "arguments": call["args"]}
            for call in message.tool_calls
        ]
    return parts


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    if part.get("type") == "text":
        return {"type": "text", "content": part.get("text", "")}
    return {"type": "unknown", **part}


def _redacted(attributes: Attributes) -> Attributes:
    """Redact secrets in the JSON of content attributes."""
    secrets = environment_secrets()
    return {k: redact_json(v, secrets) if isinstance(v, str) else v for k, v in attributes.items()}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=repr)


def _nanoseconds(time: datetime) -> int:
    """Return nanoseconds since 1970, exactly, which a float of seconds would not be."""
    return (time - _EPOCH) // timedelta(microseconds=1) * 1000
