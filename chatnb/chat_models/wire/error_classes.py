"""Errors that are also of the SDK's class, so that `except openai.RateLimitError` catches them."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any, cast

from chatnb.errors import ModelError

# The classes of the SDKs of OpenAI and Anthropic, for errors that no SDK raised.
_SDK_CLASSES = {
    "AuthenticationError": "AuthenticationError",
    "BadRequestError": "BadRequestError",
    "MalformedReplyError": "APIResponseValidationError",
    "ModelConnectionError": "APIConnectionError",
    "ModelError": "APIError",
    "ModelTimeoutError": "APITimeoutError",
    "NotFoundError": "NotFoundError",
    "RateLimitError": "RateLimitError",
    "ServerError": "InternalServerError",
    "StreamInterruptedError": "APIConnectionError",
}
# The finer classes that chatnb has not; OpenAI's SDK has some of them.
_SDK_CLASSES_BY_STATUS = {
    402: "PaymentRequiredError",
    403: "PermissionDeniedError",
    409: "ConflictError",
    413: "ContentTooLargeError",
    422: "UnprocessableEntityError",
    503: "ServiceUnavailableError",
    504: "GatewayTimeoutError",
    529: "OverloadedError",
}
_SDKS = ("openai", "anthropic")
# The attributes of the SDK's errors that code for them may read.
_ATTRIBUTES = ("response", "request", "body", "code", "param", "type")


def make_sdk_error(error: ModelError, module: Any, original: BaseException | None = None) -> None:
    """Make an error an instance of its SDK's error as well, in place.

    Args:
        error: The error.
        module: The SDK.
        original: The error that the SDK raised, if it did.
    """
    sdk_class = _sdk_class(error, module, original)
    if not isinstance(error, sdk_class):
        error.__class__ = _both(type(error), sdk_class)
    given = vars(original) if isinstance(original, module.APIError) else {}
    for name in _ATTRIBUTES:
        vars(error).setdefault(name, given.get(name))
    vars(error).setdefault("status_code", given.get("status_code", error.status))


def make_loaded_sdk_error(error: ModelError, original: BaseException) -> None:
    """Make an error that comes from an SDK somewhere below an instance of that error as well."""
    for base in type(original).__mro__:
        module = sys.modules.get(_package(base))
        if module is not None and module.__name__ in _SDKS:
            make_sdk_error(error, module, original)
            return


def _package(of_class: type) -> str:
    return of_class.__module__.partition(".")[0]


def _sdk_class(error: ModelError, module: Any, original: BaseException | None) -> type[Exception]:
    if isinstance(original, module.APIError):
        # A package above the SDK may have raised a class of its own.
        bases = cast("tuple[type[Exception], ...]", type(original).__mro__)
        return next(base for base in bases if _package(base) == module.__name__)
    finer = _SDK_CLASSES_BY_STATUS.get(error.status or 0, "")
    if hasattr(module, finer):
        return getattr(module, finer)
    names = (base.__name__ for base in type(error).__mro__)
    name = next(_SDK_CLASSES[name] for name in names if name in _SDK_CLASSES)
    if name == "APIError" and error.status:
        return module.APIStatusError
    return getattr(module, name, module.APIError)


@cache
def _both(own: type[ModelError], sdk_class: type[Exception]) -> type[ModelError]:
    def reduce(self: ModelError) -> tuple[Any, ...]:
        # Another process finds chatnb's class only, and has no use for an open response.
        left_out = {*_ATTRIBUTES, "status_code"}
        state = {name: value for name, value in vars(self).items() if name not in left_out}
        return own, self.args, state

    members = {
        "__doc__": own.__doc__,
        "__module__": own.__module__,
        "__qualname__": own.__qualname__,
        "__reduce__": reduce,
    }
    return cast("type[ModelError]", type(own.__name__, (own, sdk_class), members))
