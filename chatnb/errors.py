"""Every error that chatnb raises.

::

    ChatnbError
    ├── ConfigurationError          what was asked for cannot be set up
    │   ├── MissingKeyError         no API key
    │   ├── MissingRuntimeError     an optional package is not installed
    │   ├── MissingWeightsError     no model file on this machine
    │   └── UnknownModelError       no provider of that name
    └── ModelError                  a call to a model went wrong
        ├── AuthenticationError     the key was refused (401, 403)
        ├── RateLimitError          too many requests, or no quota left (429)
        ├── NotFoundError           no such model or address (404)
        ├── BadRequestError         the provider did not accept the request (400, 422)
        │   └── ContextOverflowError   the conversation is longer than the model's context
        ├── ContentFilterError      the provider refused to answer
        ├── ServerError             the provider failed (5xx)
        ├── ModelConnectionError    the provider could not be reached
        ├── ModelTimeoutError       no answer in time
        ├── MalformedReplyError     what came back is not what the protocol says
        └── StreamInterruptedError  the reply broke off
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatnb.schema.messages import AIMessage


class ChatnbError(Exception):
    """The root of everything chatnb raises on purpose."""


class ConfigurationError(ChatnbError):
    """What was asked for cannot be set up as things are."""


class MissingKeyError(ConfigurationError):
    """A provider needs an API key and none was given."""


class MissingRuntimeError(ConfigurationError):
    """An optional package is needed and not installed."""


class MissingWeightsError(ConfigurationError):
    """No file with a model's weights was found."""


class UnknownModelError(ConfigurationError):
    """No chat model goes by the name that was given."""


class ModelError(ChatnbError):
    """A call to a model went wrong.

    Args:
        message: What happened, in one sentence, in the provider's words where it gave any.
        hint: What to do about it, in one sentence.
        status: The HTTP status, if there was one.
        request_id: The provider's id of the request, if it gave one.
        retry_after: Seconds after which the provider accepts another try, if it said so.
        partial: What had arrived of the reply.

    Example:
        >>> str(ModelError("The model is overloaded.", hint="Try again in a minute."))
        'The model is overloaded. Try again in a minute.'
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        partial: AIMessage | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after
        self.partial = partial

    def __str__(self) -> str:
        request = f"(request {self.request_id})" if self.request_id else ""
        return " ".join(part for part in (self.message, self.hint, request) if part)


class AuthenticationError(ModelError):
    """The provider refused the key."""


class RateLimitError(ModelError):
    """Too many requests, or no quota left; `retry_after` says how long to wait."""


class NotFoundError(ModelError):
    """The provider knows no such model, or nothing answers at that address."""


class BadRequestError(ModelError):
    """The provider did not accept the request."""


class ContextOverflowError(BadRequestError):
    """The conversation is longer than the model's context."""


class ContentFilterError(ModelError):
    """The provider refused to answer."""


class ServerError(ModelError):
    """The provider failed."""


class ModelConnectionError(ModelError):
    """The provider could not be reached."""


class ModelTimeoutError(ModelError):
    """The provider did not answer in time."""


class MalformedReplyError(ModelError):
    """What came back is not what the protocol says."""


class StreamInterruptedError(ModelError):
    """A reply broke off before its end; `partial` holds what had arrived."""
