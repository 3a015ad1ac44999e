"""Map errors of a provider's SDK to chatnb's errors."""

from __future__ import annotations

import sys
from asyncio import CancelledError
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol, cast

from chatnb.chat_models.wire.error_classes import make_sdk_error
from chatnb.chat_models.wire.error_responses import request_id
from chatnb.chat_models.wire.error_secrets import remove_secrets
from chatnb.chat_models.wire.finish_reasons import RUN_BROKEN_REPLY_AGAIN
from chatnb.concurrency.cancellation import cancellation
from chatnb.concurrency.retry_notices import tell_retry
from chatnb.errors import (
    ModelConnectionError,
    ModelError,
    ModelTimeoutError,
    StreamInterruptedError,
)
from chatnb.redaction.logs import hide_call_in_logs
from chatnb.schema.messages import AIMessage

_ALL_ERRORS = ("HTTPError", "StreamError")
# The connection was there. Others say that it could not be made.
_ERRORS_WHEN_REACHED = (
    *("ReadError", "ReadTimeout", "WriteError", "WriteTimeout", "CloseError"),
    *("RemoteProtocolError", "LocalProtocolError", "DecodingError", "TooManyRedirects"),
)


class HasPartial(Protocol):
    """A reader of a reply that knows how much of it has arrived."""

    @property
    def partial(self) -> AIMessage | None: ...


_MAX_ADDRESSES = 100
_OPTIONS = ("headers", "max_retries", "timeout", "post_parser")


class Sdk(NamedTuple):
    """The parts of a provider's SDK that a chat model uses."""

    module: Any
    client: Callable[..., Any]
    async_client: Callable[..., Any]
    base_error: type[Exception]
    error_response: Callable[..., ModelError]
    """Maps the status, body and headers of an error response."""
    provider: Callable[[bool], Any] | None = None
    """Returns the SDK's provider of a cloud, for the client; true for one of asynchronous calls."""

    def new_client(self, **arguments: Any) -> Any:
        """Return a client of synchronous calls, whose retries are told."""
        return _new_client(self, self.client, self._with_provider(arguments, is_async=False))

    def new_async_client(self, **arguments: Any) -> Any:
        """Return a client of asynchronous calls, whose retries are told."""
        return _new_client(self, self.async_client, self._with_provider(arguments, is_async=True))

    def _with_provider(self, arguments: dict[str, Any], *, is_async: bool) -> dict[str, Any]:
        return {**arguments, "provider": self.provider(is_async)} if self.provider else arguments


@dataclass
class CallState:
    """The parts of a call that its errors report: the response's headers, and the reply so far."""

    decoder: HasPartial | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    @property
    def partial(self) -> AIMessage | None:
        """The reply so far, or None if nothing has arrived."""
        return self.decoder.partial if self.decoder else None


def _new_client(sdk: Sdk, client: Any, arguments: dict[str, Any]) -> Any:
    """Return a client that tells why and when a call is made again, and does less for each."""
    if isinstance(client, partial):
        return _new_client(sdk, client.func, {**client.keywords, **arguments})

    unset: dict[str, Any] = dict.fromkeys(_OPTIONS, sdk.module.NOT_GIVEN)

    # The SDKs have no hooks for it; those of OpenAI and Anthropic have these methods alike.
    def post(self: Any, path: str, *, options: Mapping[str, Any] = {}, **request: Any) -> Any:
        # The SDK copies the default of each option that is left out, and deeply, which takes a
        # twentieth of a call.
        return client.post(self, path, options={**unset, **options}, **request)

    def _prepare_url(self: Any, url: str) -> Any:
        # Joining one to the base address takes as long. Copies of a client may have another one.
        addresses = cast("dict[str, Any]", vars(self)).setdefault("_addresses", {})
        address = addresses.get(url) or client._prepare_url(self, url)
        if len(addresses) < _MAX_ADDRESSES:
            addresses[url] = address
        return address

    def _sleep_for_retry(
        self: Any, *, retries_taken: int, max_retries: int, options: Any, response: Any
    ) -> Any:
        headers = None if response is None else response.headers
        left = max_retries - retries_taken
        error = _retried_error(sdk, response)
        tell_retry(error, self._calculate_retry_timeout(left, options, headers))
        return client._sleep_for_retry(
            self,
            retries_taken=retries_taken,
            max_retries=max_retries,
            options=options,
            response=response,
        )

    methods = {
        "post": post,
        "_prepare_url": _prepare_url,
        "_sleep_for_retry": _sleep_for_retry,
    }
    # Requests have the name of the class as their user agent.
    return type(client.__name__, (client,), methods)(**arguments)


def _retried_error(sdk: Sdk, response: Any) -> ModelError:
    """Return the error of a response, or the one that is being handled."""
    if response is not None:
        return sdk.error_response(response.status_code, None, headers=response.headers)
    return _model_error(sdk, sys.exc_info()[1] or Exception(), CallState())


@contextmanager
def mapped_errors(
    sdk: Sdk, secrets: Callable[[], Iterable[str]], decoder: HasPartial | None
) -> Generator[CallState]:
    """Raise chatnb's errors for an SDK's, with the partial reply and without secrets."""
    call = CallState(decoder)
    try:
        with hide_call_in_logs(secrets):
            yield call
    except (CancelledError, Exception) as error:
        mapped = _mapped(sdk, error, call)
        if isinstance(mapped, ModelError):
            mapped.partial = mapped.partial or call.partial
            mapped.request_id = mapped.request_id or request_id(call.headers)
            make_sdk_error(mapped, sdk.module, error)
        if not isinstance(mapped, CancelledError):
            remove_secrets(secrets(), error, mapped)
        if mapped is error:
            raise
        raise mapped from error


def _mapped(sdk: Sdk, error: BaseException, call: CallState) -> BaseException:
    ended = cancellation()
    if isinstance(error, CancelledError):  # A task that passed its deadline is cancelled, too.
        return ended if isinstance(ended, Exception) else error
    if ended is not None:  # Its connection was closed, which had this error as a consequence.
        return ended
    if isinstance(error, (sdk.base_error, *_http_errors(*_ALL_ERRORS))):
        return _model_error(sdk, error, call)
    return error


def _model_error(sdk: Sdk, error: BaseException, call: CallState) -> ModelError:
    module = sdk.module
    if isinstance(error, module.APIStatusError):
        response: Any = vars(error)["response"]
        # The SDK's `body` is only a part of it.
        body: object = response.text if response.is_closed else getattr(error, "body", None)
        return sdk.error_response(response.status_code, body, headers=response.headers)
    if isinstance(error, (module.APITimeoutError, *_http_errors("TimeoutException"))):
        return ModelTimeoutError(
            "The model did not answer in time.", hint="Try again, or give timeout= more seconds."
        )
    if call.headers:
        return StreamInterruptedError(
            "The reply broke off: the connection was lost.", hint=RUN_BROKEN_REPLY_AGAIN
        )
    if isinstance(error, (module.APIConnectionError, *_http_errors("HTTPError"))):
        cause = error.__cause__ if isinstance(error, module.APIConnectionError) else error
        reached = isinstance(cause, _http_errors(*_ERRORS_WHEN_REACHED))
        request = getattr(error, "request", None)
        return _connection_error(request, reached=reached, certificate=_untrusted(error))
    return ModelError(str(error))


def _untrusted(error: BaseException) -> str:
    """Return why a certificate was refused; nothing if an error has another cause."""
    if "ssl" not in sys.modules:  # As in a browser, which checks certificates itself.
        return ""
    from ssl import SSLCertVerificationError

    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    return "" if cause is None else cause.verify_message


def _http_errors(*names: str) -> tuple[type[Exception], ...]:
    # SDKs also take clients of httpx, which httpx2 replaces.
    loaded = [sys.modules[module] for module in ("httpx2", "httpx") if module in sys.modules]
    return tuple(getattr(module, name) for module in loaded for name in names)


def _connection_error(request: Any, *, reached: bool, certificate: str) -> ModelConnectionError:
    url: Any = getattr(request, "url", None)
    server, is_local = "The model's server", False
    if url is not None and url.host:
        port = "" if url.port is None else f":{url.port}"
        host = f"[{url.host}]" if ":" in url.host else url.host
        server, is_local = f"{url.scheme}://{host}{port}", _is_local(url.host)
    if reached:
        return ModelConnectionError(
            f"{server} was reached, but the connection broke off before the whole reply came.",
            hint=RUN_BROKEN_REPLY_AGAIN,
        )
    if certificate:
        return ModelConnectionError(
            f"The certificate of {server} is not trusted: {certificate}.",
            hint="Behind a company's proxy, set SSL_CERT_FILE to the file of its certificates.",
        )
    hint = "Check the network and base_url."
    return ModelConnectionError(
        f"{server} could not be reached.", hint=f"Is it running? {hint}" if is_local else hint
    )


def _is_local(host: str) -> bool:
    from ipaddress import ip_address

    if host in ("localhost", "host.docker.internal") or host.endswith((".local", ".localhost")):
        return True
    try:
        return ip_address(host).is_private
    except ValueError:
        return False
