"""The callback handler protocol, and the handlers of all runs."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Protocol, cast

from chatnb.langchain_objects import is_langchain, load_adapter
from chatnb.tracing.run import Run

_log = logging.getLogger("chatnb.tracing")


class RunHandler(Protocol):
    """A callback handler, in `config["callbacks"]` for one call or by `add_handler` for all.

    Each method may be left out, and may be a coroutine function. An exception in a handler is
    logged and does not disturb the run.

    Example:
        >>> class Names:
        ...     def on_start(self, run):
        ...         print(run.name)
    """

    def on_start(self, run: Run) -> object:
        """Handle the start of `run`; `run.type` is the type of its runnable."""
        ...

    def on_token(self, run: Run, chunk: Any) -> object:
        """Handle a `chunk` of the stream of a chat model's `run`."""
        ...

    def on_retry(self, run: Run, attempt: int, error: BaseException, pause: float) -> object:
        """Handle a failed attempt that will be repeated.

        Args:
            run: The run that retries; the attempts are runs beneath it.
            attempt: The number of the failed attempt, from 1.
            error: The error of the attempt.
            pause: Seconds until the next attempt.
        """
        ...

    def on_end(self, run: Run) -> object:
        """Handle the end of a `run` that returned its output."""
        ...

    def on_error(self, run: Run) -> object:
        """Handle the failure of a run; `run.error` tells failures from cancellations."""
        ...


_EVENTS = ("on_start", "on_token", "on_retry", "on_end", "on_error")
_global_handlers: list[Any] = []


def check_handlers(handlers: Any) -> list[Any]:
    """Return the handlers of a config, LangChain's adapted; raise TypeError for what is none."""
    if not isinstance(handlers, list):
        if is_langchain(handlers, "BaseCallbackManager"):
            return load_adapter("callbacks", "adapt_manager")(handlers)
        name = type(handlers).__name__
        raise TypeError(f"callbacks is a list of handlers, not {name}: {handlers!r}")
    given = cast("list[Any]", handlers)
    for handler in given:
        if not _has_events(cast("type[Any]", type(handler))):
            return [_check_handler(handler) for handler in given]
    return given


@lru_cache(maxsize=256)  # Each run with handlers asks.
def _has_events(handler_class: type) -> bool:
    # LangChain's handlers have an `on_retry`, too, of other arguments.
    return any(hasattr(handler_class, event) for event in ("on_start", "on_token", "on_end"))


def _check_handler(handler: Any) -> Any:
    if is_langchain(handler, "BaseCallbackHandler"):
        return load_adapter("callbacks", "adapt_handler")(handler)
    if isinstance(handler, type) or not any(hasattr(handler, event) for event in _EVENTS):
        raise TypeError(
            f"A callback handler is an object with some of the methods {', '.join(_EVENTS)}, "
            f"or one of LangChain's, not {handler!r}{_langchain_pointer(handler)}"
        )
    return handler


def _langchain_pointer(handler: object) -> str:
    names = [name for name in dir(handler) if name.startswith(("on_llm_", "on_chat_", "on_chain_"))]
    if not names:
        return ""
    return (
        f". Its {names[0]} is LangChain's: derive it from "
        "langchain_core.callbacks.BaseCallbackHandler, or write on_token(self, run, chunk) for "
        "on_llm_new_token, and on_start(self, run) and on_end(self, run) for the others."
    )


def add_handler(handler: Any) -> None:
    """Call a handler for every run of this process from now on.

    Args:
        handler: A `RunHandler`, an object with some of its methods, or a handler of LangChain's.

    Raises:
        TypeError: If it is none of these.

    Example:
        >>> class Names:
        ...     def on_start(self, run):
        ...         print(run.name)
        >>> from chatnb.runnables import RunnableLambda
        >>> add_handler(names := Names())
        >>> RunnableLambda(str.strip).invoke(" a ")
        strip
        'a'
        >>> remove_handler(names)
    """
    _global_handlers.append(_check_handler(handler))


def remove_handler(handler: Any) -> None:
    """Stop calling a handler that was added.

    Args:
        handler: The handler that was passed to `add_handler`.

    Raises:
        ValueError: If it was not added.

    Example:
        >>> from chatnb.tracing import LoggingHandler
        >>> handler = LoggingHandler()
        >>> add_handler(handler)
        >>> remove_handler(handler)
    """
    _global_handlers.remove(_check_handler(handler))


@contextmanager
def handling(handler: Any) -> Generator[None]:
    """Return a `with` block within which a handler is called for every run of this process.

    Args:
        handler: The handler.

    Example:
        >>> from chatnb.chat_models import ScriptedChatModel
        >>> class Names:
        ...     def on_start(self, run):
        ...         print(run.name)
        >>> with handling(Names()):
        ...     reply = ScriptedChatModel(["Hello."]).invoke("Hi")
        ScriptedChatModel
    """
    add_handler(handler)
    try:
        yield
    finally:
        remove_handler(handler)


def global_handlers() -> list[Any]:
    """Return the live list of handlers for all runs."""
    return _global_handlers


def log_handler_failure(handler: Any, event: str) -> None:
    """Log the exception of a handler; call this while it is handled."""
    _log.exception("The handler %r failed in %s", handler, event)
