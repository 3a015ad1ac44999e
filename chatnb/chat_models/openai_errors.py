"""A provider's refusal, read into one of chatnb's errors: pure functions.

Source: https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from chatnb.errors import (
    AuthenticationError,
    BadRequestError,
    ContentFilterError,
    ContextOverflowError,
    ModelError,
    ModelTimeoutError,
    NotFoundError,
    QuotaSpentError,
    RateLimitError,
    ServerError,
)

_LIMITS = ("429", "rate_limit")
_OVERFLOW = ("context_length_exceeded", "exceed_context_size", "maximum context length")
_KINDS: dict[int, tuple[type[ModelError], str]] = {
    400: (BadRequestError, "Check the model's name and the parameters."),
    401: (AuthenticationError, "Check the API key (OPENAI_API_KEY)."),
    403: (AuthenticationError, "This key may not use this model; check the key's permissions."),
    404: (NotFoundError, "Check the model's name and base_url."),
    408: (ModelTimeoutError, "Try again."),
    422: (BadRequestError, "Check the parameters."),
    429: (RateLimitError, "Wait and try again, or check the plan and its limits."),
}


def refusal(
    status: int | None,
    body: object,
    *,
    headers: Mapping[str, str] | None = None,
) -> ModelError:
    """Read a provider's refusal.

    Args:
        status: The HTTP status, or None for an error inside a stream.
        body: The parsed body; OpenAI's is `{"error": {"message", "type", "code"}}`.
        headers: The response's headers, for the request id and the time to wait.

    Returns:
        The error to raise, with the provider's message and what to do about it.

    Example:
        >>> print(refusal(401, {"error": {"message": "No such key."}}))
        No such key. Check the API key (OPENAI_API_KEY).
    """
    message, code = details(body)
    headers = headers or {}
    kind, hint = _kind(status, f"{code} {message}")
    waiting = seconds_to_wait(headers)
    if waiting is not None and kind is not QuotaSpentError:
        hint = f"The provider says to wait {waiting:g} s and try again."
    return kind(
        message or f"The provider answered with status {status} and no message.",
        hint=hint,
        status=status,
        request_id=headers.get("x-request-id"),
        retry_after=waiting,
    )


def details(body: object) -> tuple[str, str]:
    """Read the message of an error's body, and its code and type, empty where there is none.

    Example:
        >>> details({"error": {"message": "No.", "code": "nope"}})
        ('No.', 'nope')
    """
    error: object = body
    if isinstance(body, list):  # Google sends a list with one error.
        body = next(iter(cast("list[object]", body)), None)
    if isinstance(body, Mapping):
        error = cast("Mapping[str, Any]", body).get("error", cast("Any", body))
    if not isinstance(error, Mapping):
        return (str(error)[:300] if error else "", "")
    said = cast("Mapping[str, Any]", error)
    message = said.get("message") or said.get("detail") or ""
    kinds = (said.get(name) for name in ("code", "type"))
    return str(message), " ".join(str(kind) for kind in kinds if kind)


def _kind(status: int | None, said: str) -> tuple[type[ModelError], str]:
    if any(known in said for known in _OVERFLOW):
        return ContextOverflowError, "Start a new conversation (-c NAME) or shorten the prompt."
    if "content_filter" in said:
        return ContentFilterError, "Rephrase the prompt."
    if "insufficient_quota" in said:
        return QuotaSpentError, "Check the plan and its limits: no quota is left."
    if status is None and any(known in said for known in _LIMITS):
        return _KINDS[429]
    if status in _KINDS:
        return _KINDS[status]
    if status is not None and status < 500:
        return ModelError, "Check the request."
    return ServerError, "Try again in a moment."


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """Read how long to wait, however the provider writes it: milliseconds, seconds, or a date.

    Args:
        headers: The response's headers.

    Returns:
        Seconds, or None if it does not say.

    Example:
        >>> seconds_to_wait({"retry-after": "2"})
        2.0
    """
    try:
        if "retry-after-ms" in headers:
            return float(headers["retry-after-ms"]) / 1000
        return float(headers["retry-after"])
    except (KeyError, ValueError):
        pass
    from email.utils import parsedate_to_datetime  # It loads half a mail client.

    try:
        date = parsedate_to_datetime(headers["retry-after"])
        return max(0.0, (date - datetime.now(UTC)).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None
