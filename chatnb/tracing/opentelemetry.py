"""Runs as OpenTelemetry spans; the only module that imports opentelemetry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from chatnb.errors import MissingRuntimeError
from chatnb.tracing.genai_spans import (
    content_attributes,
    end_attributes,
    span_name,
    start_attributes,
)
from chatnb.tracing.run import Run

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, TracerProvider

_NO_OPENTELEMETRY = 'OpenTelemetry is not installed. Install it with: pip install "chatnb[otel]"'
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class OpenTelemetryHandler:
    """Makes a span of each run, by the conventions for generative AI, v0.1.0.

    Those are still in development: names may change with their releases. A chat model's call is
    `chat {model}`, of kind CLIENT; a tool's `execute_tool {name}`; a chain that is not part of
    another run `invoke_workflow {name}`; all other steps go by their names, and all but the chat
    model's are of kind INTERNAL. A run that no other started is a child of the span that is
    current when it starts.

    The provider and the model that was asked for are read from the metadata `ls_provider` and
    `ls_model_name`, else `provider` and `model_name` or `model`. A failure has the status ERROR,
    `error.type` (the name of the class) and the exception, with its message and traceback,
    whatever `content` is. A run that was only stopped has `chatnb.run.stopped` instead.

    Args:
        tracer_provider: Where the spans go; left out, the provider of the process.
        content: Whether the spans hold the messages, and the arguments and results of tools. The
            conventions leave them out unless asked, since they may be personal.

    Raises:
        MissingRuntimeError: If OpenTelemetry is not installed.

    Example:
        >>> from chatnb.tracing import handling
        >>> from chatnb.runnables import RunnableLambda
        >>> with handling(OpenTelemetryHandler()):
        ...     RunnableLambda(str.strip).invoke(" a ")
        'a'

    Source: https://github.com/open-telemetry/semantic-conventions-genai
    """

    def __init__(
        self, tracer_provider: TracerProvider | None = None, *, content: bool = False
    ) -> None:
        try:
            from opentelemetry import trace
        except ImportError as error:
            raise MissingRuntimeError(_NO_OPENTELEMETRY) from error
        self.content = content
        self._trace = trace
        self._tracer = trace.get_tracer("chatnb", tracer_provider=tracer_provider)
        self._lock = Lock()
        # Kept as long as the runs, since one may start others after its own end.
        self._spans: WeakKeyDictionary[Run, Span] = WeakKeyDictionary()

    def on_start(self, run: Run) -> None:
        """Start the span of a run."""
        kinds = self._trace.SpanKind
        span = self._tracer.start_span(
            span_name(run),
            context=self._context_above(run),
            kind=kinds.CLIENT if run.type == "llm" else kinds.INTERNAL,
            attributes=start_attributes(run),
            start_time=_nanoseconds(run.start_time),
        )
        with self._lock:
            self._spans[run] = span

    def on_retry(self, run: Run, attempt: int, error: BaseException, pause: float) -> None:
        """Note a failed attempt in the span of the run that tries again."""
        if span := self._span(run):
            facts = {"attempt": attempt, "error.type": type(error).__name__, "pause": pause}
            span.add_event("chatnb.retry", facts)

    def on_end(self, run: Run) -> None:
        """End the span of a run."""
        self._end(run)

    def on_error(self, run: Run) -> None:
        """End the span of a run that broke off."""
        self._end(run)

    def _end(self, run: Run) -> None:
        span = self._span(run)
        if span is None:
            return
        end_time = _nanoseconds(run.end_time) if run.end_time else None
        if span.is_recording():
            span.set_attributes(end_attributes(run))
            if self.content:
                span.set_attributes(content_attributes(run))
            if run.error is not None and not run.error["stopped"]:
                span.set_status(self._trace.StatusCode.ERROR, run.error["message"])
                if run.exception is not None:
                    span.record_exception(run.exception, timestamp=end_time)
        span.end(end_time)

    def _span(self, run: Run) -> Span | None:
        with self._lock:
            return self._spans.get(run)

    def _context_above(self, run: Run) -> Context | None:
        """The context of the nearest run above that has a span; None for the current one."""
        above = run.parent
        while above is not None:
            if span := self._span(above):
                return self._trace.set_span_in_context(span)
            above = above.parent
        return None


def _nanoseconds(time: datetime) -> int:
    """Nanoseconds since 1970, exact, which a float of seconds would not be."""
    return (time - _EPOCH) // timedelta(microseconds=1) * 1000
