"""Anthropic's chat models, and every server that answers its Messages API, through its SDK."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Unpack

from chatnb.chat_models.anthropic.arguments import REQUEST_PARAMETERS, MessageOptions
from chatnb.chat_models.anthropic.errors import error_response
from chatnb.chat_models.anthropic.replies import replies_in
from chatnb.chat_models.anthropic.requests import (
    SENT_AS_HEADERS,
    TOOL_EXTRAS,
    request_body,
    request_headers,
)
from chatnb.chat_models.anthropic.stream import MessageDecoder
from chatnb.chat_models.batch_jobs.model import BatchChatModel
from chatnb.chat_models.cache import ReplyCache
from chatnb.chat_models.model_families import ANTHROPIC_FAMILIES, DEFAULT_MODELS
from chatnb.chat_models.rate_limiter import RateLimiter
from chatnb.chat_models.sdk_errors import Sdk
from chatnb.chat_models.sdk_model import Endpoint, Request
from chatnb.chat_models.wire.client_options import missing_key, secret_key
from chatnb.errors import MissingRuntimeError
from chatnb.schema.messages import BaseMessage

if TYPE_CHECKING:
    from pydantic import SecretStr

    from chatnb.chat_models.batch_jobs.protocol import BatchApi

DEFAULT_MAX_TOKENS = 16_000
"""The API requires a limit, and newer models spend some of it on thinking."""

# The SDK waits at most ten minutes for a whole reply, in which it expects this many tokens.
_MAX_UNSTREAMED_TOKENS = 21_333
_NO_SDK = (
    'ChatAnthropic needs the package anthropic. Install it with: pip install "chatnb[anthropic]"'
)


class ChatAnthropic(BatchChatModel):
    """A chat model behind Anthropic's Messages API.

    Parameters of a call, such as `chat.invoke(messages, max_tokens=9)`, win over those given here.
    A call also takes the SDK's `timeout`, `max_retries`, `extra_headers`, `extra_query` and
    `extra_body`.
    Parts of messages may be in OpenAI's form or Anthropic's, with `cache_control` for prompt
    caching. A reply's thinking is in `reasoning`, and is sent back with the reply as the API
    requires.

    Args:
        model: The model's name; `model_name` is the same.
        anthropic_api_key: The key; without it the environment variable ANTHROPIC_API_KEY is read.
        api_key: The same, by the SDK's name.
        base_url: The address of a compatible server; without it the environment variable
            ANTHROPIC_BASE_URL, then Anthropic's own.
        max_tokens: Maximum number of tokens of the reply, thinking included.
        temperature: Sampling temperature, 0 to 1. Models since Claude Opus 4.7 take none, nor
            `top_p` and `top_k`, which are left out with a warning.
        top_p: Nucleus sampling: the probability mass to sample from, 0 to 1.
        top_k: Number of the likeliest tokens to sample from.
        stop: Stop sequences, at which the reply ends.
        thinking: Settings of extended thinking, such as `{"type": "adaptive"}`.
        timeout: Seconds to wait for the server at each step of a call.
        deadline: Seconds within which each whole call has to end, with its retries and its stream;
            then it raises a `DeadlineExceededError` with the `partial` reply.
        max_retries: Number of retries of the SDK when the server is busy or unreachable.
        model_kwargs: Further parameters of each request, by Anthropic's names.
        extra_body: Further fields of each request, which are sent as they are.
        cache: Cache of replies; None for the global one, False for none.
        rate_limiter: Limit on the rate of calls.
        **options: Further fields of each request: `betas`, `effort`, `mcp_servers`,
            `context_management`, `service_tier`, `container`, `output_config`, `cache_control` and
            every other field that the SDK's `create` takes, but that `metadata` is that of runs.
            `default_headers`, `default_query`, `http_client` and `http_async_client`, for
            the SDK's clients. `name`, `tags`, `metadata`, `callbacks`, `streaming` and
            `disable_streaming`, for the runs of the model.

    Raises:
        TypeError: If there is no such argument.
        MissingKeyError: If there is no key. While a cassette is replayed none is needed; then the
            first call that it does not hold raises this error.
        MissingRuntimeError: At the first call, if the SDK is not installed.

    Example:
        >>> ChatAnthropic("claude-opus-5-5", anthropic_api_key="sk-secret")
        ChatAnthropic(model='claude-opus-5-5')
    """

    _saved_as: ClassVar[str] = "chatnb.chat_models.anthropic.ChatAnthropic"

    provider = "anthropic"
    _sdk_name = "anthropic"

    _key_variable = "ANTHROPIC_API_KEY"
    _families = ANTHROPIC_FAMILIES
    _tool_extras = TOOL_EXTRAS
    _transport_parameters = frozenset({"anthropic_api_key"})
    _aliases: ClassVar[Mapping[str, str]] = {
        "anthropic_api_url": "base_url",
        "default_request_timeout": "timeout",
        "max_tokens_to_sample": "max_tokens",
        "request_timeout": "timeout",
        "stop_sequences": "stop",
    }
    _parameters = (
        *("max_tokens", "temperature", "top_p", "top_k", "stop", "thinking"),
        *REQUEST_PARAMETERS,
    )
    _options = MessageOptions

    def __init__(
        self,
        model: str | None = None,
        *,
        model_name: str | None = None,
        anthropic_api_key: str | SecretStr | None = None,
        api_key: str | SecretStr | None = None,
        base_url: str | None = None,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        temperature: float | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        stop: list[str] | None = None,
        thinking: dict[str, Any] | None = None,
        extra_body: dict[str, Any] | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        max_retries: int = 2,
        model_kwargs: dict[str, Any] | None = None,
        rate_limiter: RateLimiter | None = None,
        cache: ReplyCache | Literal[False] | None = None,
        **options: Unpack[MessageOptions],
    ) -> None:
        super().__init__(
            model or model_name or DEFAULT_MODELS["anthropic"],
            extra_body=extra_body,
            base_url=base_url or os.environ.get("ANTHROPIC_BASE_URL"),
            timeout=timeout,
            max_retries=max_retries,
            model_kwargs=model_kwargs or {},
            cache=cache,
            rate_limiter=rate_limiter,
            deadline=deadline,
            **options,
        )
        missing = missing_key("ChatAnthropic", "ANTHROPIC_API_KEY")
        self.anthropic_api_key = secret_key(
            anthropic_api_key or api_key, "ANTHROPIC_API_KEY", missing
        )
        self.max_tokens = max_tokens
        self.temperature = temperature
        self.top_p = top_p
        self.top_k = top_k
        self.stop = stop
        self.thinking = thinking

    def _endpoint(self, params: Mapping[str, Any]) -> Endpoint:
        return _MESSAGES

    @property
    def _api_key(self) -> SecretStr:
        return self.anthropic_api_key

    def _sdk(self) -> Sdk:
        sdk = _anthropic()
        return Sdk(sdk, sdk.Anthropic, sdk.AsyncAnthropic, sdk.AnthropicError, error_response)

    def _batch_api_class(self) -> Callable[..., BatchApi]:
        from chatnb.chat_models.anthropic.batches import AnthropicBatches

        return AnthropicBatches

    def _must_stream(self, request: Request) -> bool:
        return request.sent["max_tokens"] > _MAX_UNSTREAMED_TOKENS

    def _request(
        self, messages: list[BaseMessage], params: dict[str, Any], *, stream: bool = False
    ) -> Request:
        request = super()._request(messages, {"stream": stream, **params}, stream=stream)
        request.body.setdefault("max_tokens", DEFAULT_MAX_TOKENS)
        headers = request_headers(request.sent)
        if not headers:
            return request
        for name in SENT_AS_HEADERS:
            request.body.pop(name, None)
        given: Mapping[str, Any] = request.options.get("headers", {})
        headers.update((name.lower(), value) for name, value in given.items())
        options = {**request.options, "headers": headers}
        if "anthropic-beta" in headers:
            options["params"] = {"beta": "true", **request.options.get("params", {})}
        return request._replace(options=options)

    def _connection(self) -> dict[str, Any]:
        # The SDK adds /v1, which the address of OpenAI's protocol on the same server ends in.
        base_url = self.base_url and self.base_url.rstrip("/").removesuffix("/v1")
        return {**super()._connection(), "base_url": base_url}


def _anthropic():  # The module itself: its type has its contents.
    try:
        import anthropic
    except ImportError as error:
        raise MissingRuntimeError(_NO_SDK) from error
    return anthropic


def _fit_schema(schema: dict[str, Any]) -> dict[str, Any]:
    return _anthropic().transform_schema(schema)


_MESSAGES = Endpoint(
    "/v1/messages", partial(request_body, fit_schema=_fit_schema), replies_in, MessageDecoder
)
