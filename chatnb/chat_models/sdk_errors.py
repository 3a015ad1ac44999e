"""What an SDK raises, as chatnb's errors; those of OpenAI and Anthropic are of one make."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from chatnb.chat_models.key_redaction import redact
from chatnb.errors import (
    ModelConnectionError,
    ModelError,
    ModelTimeoutError,
    StreamInterruptedError,
)
from chatnb.schema.messages import AIMessage


class HasPartial(Protocol):
    """What knows how much of a reply has arrived."""

    @property
    def partial(self) -> AIMessage | None: ...


class Sdk(NamedTuple):
    """What of an SDK is needed to read its errors.

    Args:
        module: The SDK itself.
        base: What all of its errors are.
        refusal: Reads a status, a body and the headers as the provider's refusal.
    """

    module: Any
    base: type[Exception]
    refusal: Callable[..., ModelError]


@contextmanager
def mapped_errors(sdk: Sdk, key: str, decoder: HasPartial | None) -> Generator[None]:
    """Raise chatnb's errors for an SDK's, with what had arrived, and without the key.

    Args:
        sdk: The SDK.
        key: The key, which some servers repeat when they refuse it.
        decoder: What reads the reply, if it streams.

    Raises:
        ModelError: Whatever went wrong.
    """
    import httpx2

    try:
        yield
    except ModelError as error:
        error.partial = error.partial or (decoder.partial if decoder else None)
        redact(key, error)
        raise
    except (sdk.base, httpx2.HTTPError, httpx2.StreamError) as error:
        partial = decoder.partial if decoder else None
        mapped = _model_error(sdk, error, started=partial is not None)
        mapped.partial = partial
        redact(key, error, mapped)
        raise mapped from error


def _model_error(sdk: Sdk, error: Exception, *, started: bool) -> ModelError:
    import httpx2

    module = sdk.module
    if isinstance(error, module.APIStatusError):
        refused: Any = error
        return sdk.refusal(refused.status_code, refused.body, headers=refused.response.headers)
    if isinstance(error, module.APITimeoutError | httpx2.TimeoutException):
        return ModelTimeoutError(
            "The model did not answer in time.", hint="Try again, or give timeout= more seconds."
        )
    if started:
        return StreamInterruptedError(
            "The reply broke off: the connection was lost.", hint="Run it again."
        )
    if isinstance(error, module.APIConnectionError | httpx2.HTTPError):
        return ModelConnectionError(
            "The model's server could not be reached.",
            hint="Check the network and base_url, and that the server runs.",
        )
    return ModelError(str(error))
