"""Convert errors between LangChain and chatnb.

Source: https://reference.langchain.com/python/langchain-core/exceptions
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeAlias, TypeVar, cast

from langchain_core import exceptions as langchain_exceptions

from chatnb import errors
from chatnb.chat_models.openai.errors import error_response
from chatnb.errors import ModelError

_Error = TypeVar("_Error", bound=ModelError)
_TypeAndHint: TypeAlias = tuple[type[ModelError], str]

_CHECK_KEY = "Check the key that the LangChain model was made with."
_CONNECTION = (errors.ModelConnectionError, "Check the network and the server's address.")
_TIMEOUT = (errors.ModelTimeoutError, "Try again, or give the LangChain model more time.")
_INTERRUPTED = (errors.StreamInterruptedError, "Run it again.")
_BAD_REQUEST = (errors.BadRequestError, "Check what the LangChain model takes.")
# By the class names of langchain-core, in the versions that have them.
_ERRORS: dict[str, _TypeAndHint] = {
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
_HINTS = dict(_ERRORS.values())
_NAMES = {error_type: name for name, (error_type, _) in reversed(_ERRORS.items())}


def model_error(failure: Exception, *, started: bool) -> ModelError:
    """Return the chatnb error for what a LangChain model raised, in the provider's words."""
    status = _status(failure)
    if status is not None:
        general = error_response(status, _body(failure), headers=_headers(failure))
        default = type(general), _HINTS.get(type(general), general.hint)
        error_type, hint = _named(failure) or default
        return error_type(
            general.message,
            hint=general.hint if general.retry_after is not None else hint,
            status=status,
            request_id=general.request_id,
            retry_after=general.retry_after,
        )
    error_type, hint = _named(failure) or _guessed(failure)
    if started and error_type is errors.ModelConnectionError:
        error_type, hint = _INTERRUPTED
    message = str(failure) if error_type is not ModelError else errors.error_line(failure)
    return error_type(message or type(failure).__name__, hint=hint)


def as_langchain_error(error: _Error) -> _Error:
    """Return a copy of a chatnb error that is also LangChain's error of this condition."""
    error_type = _both(type(error))
    copy = error_type.__new__(error_type, *error.args)
    vars(copy).update(vars(error))
    return cast("_Error", copy)


@cache
def _both(error_type: type[ModelError]) -> type[ModelError]:
    names = (_NAMES[base] for base in error_type.__mro__ if base in _NAMES)
    general = getattr(langchain_exceptions, "ModelError", langchain_exceptions.LangChainException)
    counterpart = getattr(langchain_exceptions, next(names, ""), general)
    documented = {"__doc__": error_type.__doc__}
    both = type(error_type.__name__, (error_type, counterpart), documented)
    return cast("type[ModelError]", both)


def _named(failure: Exception) -> _TypeAndHint | None:
    for base in type(failure).__mro__:
        if base.__module__ == langchain_exceptions.__name__ and base.__name__ in _ERRORS:
            return _ERRORS[base.__name__]
    return None


def _guessed(failure: Exception) -> _TypeAndHint:
    """Return the error type that the names of an SDK's exception classes suggest."""
    names = " ".join(base.__name__ for base in type(failure).__mro__)
    if "Timeout" in names:
        return _TIMEOUT
    if "Connect" in names:
        return _CONNECTION
    if isinstance(failure, NotImplementedError | TypeError | ValueError):
        return _BAD_REQUEST
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
