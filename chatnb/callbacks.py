"""Callback handlers, by LangChain's path; `chatnb.tracing` has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatnb.lazy_names import lazy_names
from chatnb.terminal import PieceWriter

if TYPE_CHECKING:
    from chatnb.tracing import (
        JSONLHandler,
        LoggingHandler,
        OpenTelemetryHandler,
        Run,
        RunHandler,
        add_handler,
        handling,
        remove_handler,
    )

__all__ = [
    "JSONLHandler",
    "LoggingHandler",
    "OpenTelemetryHandler",
    "Run",
    "RunHandler",
    "StreamingStdOutCallbackHandler",
    "add_handler",
    "handling",
    "remove_handler",
]
__path__: list[str] = []  # LangChain's has modules below it: chatnb/upstream_modules.py.


class StreamingStdOutCallbackHandler:
    """Writes the text of replies to standard output as it arrives.

    Example:
        >>> from chatnb import ScriptedChatModel
        >>> handler = StreamingStdOutCallbackHandler()
        >>> for _ in ScriptedChatModel(["Hello there."]).stream("Hi", callbacks=[handler]):
        ...     pass
        Hello there.
    """

    def __init__(self) -> None:
        self._output = PieceWriter()

    def on_token(self, run: Run, chunk: Any) -> None:
        """Write a chunk."""
        self._output.write(chunk.text)


__getattr__, _names = lazy_names(
    __name__,
    {
        "chatnb.tracing": (
            "JSONLHandler LoggingHandler OpenTelemetryHandler Run RunHandler add_handler handling "
            "remove_handler"
        )
    },
)


def __dir__() -> list[str]:
    return sorted([*_names(), "StreamingStdOutCallbackHandler"])
