"""Notices of calls that are made again, for the view that shows the reply."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, TypeAlias

from chatnb.errors import (
    ModelConnectionError,
    ModelTimeoutError,
    RateLimitError,
    ServerError,
    error_line,
)

_MAX_REASON = 120
_REASONS = {
    RateLimitError: "rate limited",
    ModelTimeoutError: "no answer in time",
    ModelConnectionError: "connection failed",
    ServerError: "server error",
}


class RetryNotice(NamedTuple):
    """The reason why a call failed, and the seconds after which it is made again."""

    reason: str
    seconds: float

    def __str__(self) -> str:
        wait = f" in {self.seconds:.0f} s" if self.seconds >= 1 else ""
        return f"{self.reason}, trying again{wait}"


OnRetry: TypeAlias = Callable[[RetryNotice], object]

# It reaches the threads and tasks of a call with the other variables of its context.
_on_retry: ContextVar[OnRetry | None] = ContextVar("chatnb_on_retry", default=None)


@contextmanager
def retries_told(on_retry: OnRetry) -> Generator[None]:
    """Have a function called before each further attempt of this context; from any thread."""
    token = _on_retry.set(on_retry)
    try:
        yield
    finally:
        _on_retry.reset(token)


def tell_retry(error: BaseException, seconds: float) -> None:
    """Tell whoever shows this context's reply that a call is made again."""
    on_retry = _on_retry.get()
    if on_retry is None:
        return
    reasons = (reason for type, reason in _REASONS.items() if isinstance(error, type))
    reason = next(reasons, "") or " ".join(error_line(error).split())[:_MAX_REASON]
    on_retry(RetryNotice(reason, seconds))
