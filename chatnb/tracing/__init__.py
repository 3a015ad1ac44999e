"""Runs and their callback handlers: logs, JSON lines, OpenTelemetry spans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.lazy_names import lazy_names

if TYPE_CHECKING:
    from chatnb.tracing.handlers import RunHandler, add_handler, handling, remove_handler
    from chatnb.tracing.jsonl import JSONLHandler
    from chatnb.tracing.logging import LoggingHandler
    from chatnb.tracing.opentelemetry import OpenTelemetryHandler
    from chatnb.tracing.run import Run
    from chatnb.tracing.run_logs import load_run_logs

__all__ = [
    "JSONLHandler",
    "LoggingHandler",
    "OpenTelemetryHandler",
    "Run",
    "RunHandler",
    "add_handler",
    "handling",
    "load_run_logs",
    "remove_handler",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "chatnb.tracing.handlers": "RunHandler add_handler handling remove_handler",
        "chatnb.tracing.jsonl": "JSONLHandler",
        "chatnb.tracing.logging": "LoggingHandler",
        "chatnb.tracing.opentelemetry": "OpenTelemetryHandler",
        "chatnb.tracing.run": "Run",
        "chatnb.tracing.run_logs": "load_run_logs",
    },
)
