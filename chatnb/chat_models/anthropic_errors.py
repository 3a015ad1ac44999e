"""Anthropic's refusals, and what is no reply at all, read into chatnb's errors: pure functions.

Source: https://platform.claude.com/docs/en/api/errors
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from chatnb.chat_models import openai_errors, openai_payloads
from chatnb.chat_models.openai_payloads import Payload
from chatnb.errors import (
    AuthenticationError,
    BadRequestError,
    ContextOverflowError,
    MalformedReplyError,
    ModelError,
    ModelTimeoutError,
    NotFoundError,
    RateLimitError,
    ServerError,
)

_KINDS: Mapping[str, tuple[type[ModelError], str]] = {
    "invalid_request_error": (BadRequestError, "Check the model's name and the parameters."),
    "authentication_error": (AuthenticationError, "Check the API key (ANTHROPIC_API_KEY)."),
    "billing_error": (ModelError, "Check the account's credit and its way of payment."),
    "permission_error": (AuthenticationError, "This key may not use this model; check its rights."),
    "not_found_error": (NotFoundError, "Check the model's name and base_url."),
    "request_too_large": (BadRequestError, "Shorten the prompt, or send smaller files."),
    "rate_limit_error": (RateLimitError, "Wait and try again, or check the plan and its limits."),
    "timeout_error": (ModelTimeoutError, "Try again, and stream the reply."),
    "api_error": (ServerError, "Try again in a moment."),
    "overloaded_error": (ServerError, "Try again in a moment."),
}
_OVERFLOW = (ContextOverflowError, "Start a new conversation (-c NAME) or shorten the prompt.")
_OVERFLOWING = ("prompt is too long", "exceed_context_size")


def refusal(
    status: int | None, body: object, *, headers: Mapping[str, str] | None = None
) -> ModelError:
    """Read a refusal.

    Args:
        status: The HTTP status, or None for an error inside a stream.
        body: The parsed body: `{"type": "error", "error": {"type", "message"}, "request_id"}`.
        headers: The response's headers, for the request id and the time to wait.

    Returns:
        The error to raise, with the provider's message and what to do about it.

    Example:
        >>> print(refusal(529, {"error": {"type": "overloaded_error", "message": "Overloaded."}}))
        Overloaded. Try again in a moment.
    """
    headers = headers or {}
    read = openai_errors.refusal(status, body, headers=headers)
    said = _mapping(_mapping(body).get("error"))
    kind = str(said.get("type") or "")
    overflowing = any(known in f"{kind} {read.message}" for known in _OVERFLOWING)
    error_class, hint = _OVERFLOW if overflowing else _KINDS.get(kind, (type(read), read.hint))
    return error_class(
        read.message,
        hint=hint if read.retry_after is None else read.hint,
        status=status,
        request_id=headers.get("request-id") or _mapping(body).get("request_id"),
        retry_after=read.retry_after,
    )


def raise_error_in(payload: Payload) -> None:
    """Raise the error that a payload holds.

    Args:
        payload: What came where a reply was expected.

    Raises:
        ModelError: If it holds an error.

    Example:
        >>> raise_error_in({"type": "ping"})
    """
    if payload.get("error"):
        raise refusal(None, payload)


def parse_payload(data: bytes) -> Payload:
    """Parse the JSON object of a reply or an event.

    Args:
        data: What came.

    Returns:
        The object.

    Raises:
        MalformedReplyError: If it is not a JSON object.

    Example:
        >>> parse_payload(b'{"type": "ping"}')
        {'type': 'ping'}
    """
    try:
        return openai_payloads.parse_json(data)
    except MalformedReplyError:
        raise malformed(data.decode("utf-8", "replace")) from None


def malformed(text: str) -> MalformedReplyError:
    """Make the error for something that is not what the protocol says.

    Args:
        text: What came.

    Returns:
        The error, which shows its start.

    Example:
        >>> malformed("<html>").message
        'The provider sent something that is not of the Messages API: <html>'
    """
    start = text if len(text) <= 200 else text[:200] + "…"
    return MalformedReplyError(
        f"The provider sent something that is not of the Messages API: {start}",
        hint="Check that base_url points to a server that answers /v1/messages.",
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
