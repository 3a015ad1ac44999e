"""The errors of LangChain's models as chatnb's, and chatnb's as LangChain's: pure functions.

Source: https://reference.langchain.com/python/langchain-core/exceptions
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeAlias, TypeVar, cast

from langchain_core import exceptions as theirs

from chatnb import errors
from chatnb.chat_models.openai_errors import refusal
from chatnb.errors import ModelError

_Error = TypeVar("_Error", bound=ModelError)
_Kind: TypeAlias = tuple[type[ModelError], str]
"""A class of error, and what to do about it."""

_CHECK_KEY = "Check the key that the LangChain model was made with."
_CONNECTION = (errors.ModelConnectionError, "Check the network and the server's address.")
_TIMEOUT = (errors.ModelTimeoutError, "Try again, or give the LangChain model more time.")
_BROKEN_OFF = (errors.StreamInterruptedError, "Run it again.")
_NOT_TAKEN = (errors.BadRequestError, "Check what the LangChain model takes.")
_KINDS: dict[str, _Kind] = {
    "ContextOverflowError": (
        errors.ContextOverflowError,
        "Start a new conversation (-c NAME) or shorten the prompt.",
    ),
    "ModelAuthenticationError": (errors.AuthenticationError, _CHECK_KEY),
    "ModelPermissionDeniedError": (errors.AuthenticationError, _CHECK_KEY),
    "ModelInvalidRequestError": (errors.BadRequestError, "Check the parameters."),
    "ModelNotFoundError": (errors.NotFoundError, "Check the model's name."),
    "ModelRateLimitError": (errors.RateLimitError, "Wait and try again."),
    "ModelAPIError": (errors.ServerError, "Try again in a moment."),
    "ModelConnectionError": _CONNECTION,
    "ModelTimeoutError": _TIMEOUT,
}
"""What langchain-core calls each condition, in the versions that name it."""
_HINTS = dict(_KINDS.values())
_NAMES = {kind: name for name, (kind, _) in reversed(_KINDS.items())}


def model_error(failure: Exception, *, started: bool) -> ModelError:
    """Read what a LangChain model raised into chatnb's error.

    Args:
        failure: What it raised: langchain-core's error, a provider's with an HTTP status, or any.
        started: Whether some of the reply had arrived.

    Returns:
        The error to raise, in the provider's words.

    Example:
        >>> print(model_error(TimeoutError("60 s are over."), started=False))
        60 s are over. Try again, or give the LangChain model more time.
    """
    status = _status(failure)
    if status is not None:
        refused = refusal(status, _body(failure), headers=_headers(failure))
        kind, hint = _named(failure) or (type(refused), _HINTS.get(type(refused), refused.hint))
        return kind(
            refused.message,
            hint=refused.hint if refused.retry_after is not None else hint,
            status=status,
            request_id=refused.request_id,
            retry_after=refused.retry_after,
        )
    kind, hint = _named(failure) or _guessed(failure)
    if started and kind is errors.ModelConnectionError:
        kind, hint = _BROKEN_OFF
    said = str(failure) if kind is not ModelError else f"{type(failure).__name__}: {failure}"
    return kind(said or type(failure).__name__, hint=hint)


def as_langchain_error(error: _Error) -> _Error:
    """Make an error of chatnb's one of LangChain's as well.

    Args:
        error: What a chatnb model raised.

    Returns:
        A new error that says the same; its class is the error's and langchain-core's for this
        condition, so that retries and fallbacks there know it.

    Example:
        >>> error = as_langchain_error(errors.RateLimitError("Too fast.", retry_after=2.0))
        >>> isinstance(error, theirs.LangChainException), error.retry_after
        (True, 2.0)
    """
    kind = _both(type(error))
    both = kind.__new__(kind, *error.args)
    vars(both).update(vars(error))
    return cast("_Error", both)


@cache
def _both(kind: type[ModelError]) -> type[ModelError]:
    names = (_NAMES[base] for base in kind.__mro__ if base in _NAMES)
    general = getattr(theirs, "ModelError", theirs.LangChainException)
    counterpart = getattr(theirs, next(names, ""), general)
    return cast(
        "type[ModelError]", type(kind.__name__, (kind, counterpart), {"__doc__": kind.__doc__})
    )


def _named(failure: Exception) -> _Kind | None:
    for base in type(failure).__mro__:
        if base.__module__ == theirs.__name__ and base.__name__ in _KINDS:
            return _KINDS[base.__name__]
    return None


def _guessed(failure: Exception) -> _Kind:
    """What SDKs call their errors, where neither LangChain nor a status says."""
    names = " ".join(base.__name__ for base in type(failure).__mro__)
    if "Timeout" in names:
        return _TIMEOUT
    if "Connect" in names:
        return _CONNECTION
    if isinstance(failure, NotImplementedError | TypeError | ValueError):
        return _NOT_TAKEN
    return ModelError, ""


def _status(failure: Exception) -> int | None:
    response: Any = getattr(failure, "response", None)
    for holder in (failure, response):
        for name in ("status_code", "code"):
            status: object = getattr(holder, name, None)
            if isinstance(status, int) and 400 <= status < 600:
                return int(status)
    return None


def _body(failure: Exception) -> object:
    body: object = getattr(failure, "body", None)
    return body or {"error": {"message": str(failure)}}


def _headers(failure: Exception) -> Mapping[str, str]:
    response: Any = getattr(failure, "response", None)
    headers: object = getattr(response, "headers", None)
    return cast("Mapping[str, str]", headers) if isinstance(headers, Mapping) else {}
