"""Anthropic's chat models, and every server that answers its Messages API, through its SDK.

The SDK keeps authentication, retries, timeouts and connections and hands over bytes; writing
requests and reading replies is the work of the pure modules beside this one.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal

from chatnb.chat_models import anthropic_errors
from chatnb.chat_models.anthropic_replies import reply_in
from chatnb.chat_models.anthropic_requests import request_body, request_headers
from chatnb.chat_models.anthropic_stream import ReplyDecoder
from chatnb.chat_models.base import BaseChatModel
from chatnb.chat_models.cache import ReplyCache
from chatnb.chat_models.loop_clients import LoopClients
from chatnb.chat_models.needed_keys import key_or_stand_in, real_key
from chatnb.chat_models.rate_limiter import RateLimiter
from chatnb.chat_models.rate_refusals import async_sdk_client, sdk_client
from chatnb.chat_models.sdk_errors import Sdk, mapped_errors
from chatnb.errors import MissingRuntimeError
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage

if TYPE_CHECKING:
    from anthropic import Anthropic, AsyncAnthropic
    from pydantic import SecretStr

DEFAULT_MAX_TOKENS = 16_000
"""The API wants a limit, and newer models spend some of it on thinking."""

_DEFAULT_MODEL = "claude-haiku-5-5"
_LONGEST_UNSTREAMED = 21_333
"""The SDK waits at most ten minutes for a whole reply, in which it expects this many tokens."""
_PARAMETERS = ("max_tokens", "temperature", "top_p", "top_k", "stop", "thinking")
_NO_KEY = (
    "ChatAnthropic has no API key. Three ways out: set the environment variable ANTHROPIC_API_KEY; "
    'or pass it as ChatAnthropic(anthropic_api_key="..."); '
    "or use ChatLocal(), a small model on this machine that needs no key."
)
_NO_SDK = (
    'ChatAnthropic needs the package anthropic. Install it with: pip install "chatnb[anthropic]"'
)


class ChatAnthropic(BaseChatModel):
    """A chat model behind Anthropic's Messages API.

    What is given for one call, such as `chat.invoke(messages, max_tokens=9)`, wins over what is
    given here. Parts of messages may be in OpenAI's form or Anthropic's, with `cache_control` for
    prompt caching; a reply's thinking is in `reasoning`, and goes back with the reply as the API
    wants it.

    Args:
        model: The model's name; `model_name` is the same.
        anthropic_api_key: The key; without it the environment variable ANTHROPIC_API_KEY is read.
        api_key: The same, by the SDK's name.
        base_url: The address of a compatible server; without it the environment variable
            ANTHROPIC_BASE_URL, then Anthropic's own.
        max_tokens: The most tokens to answer with, thinking included.
        temperature: 0 for the likeliest words, up to 1. Models since Claude Opus 4.7 refuse it, as
            they do `top_p` and `top_k`.
        top_p: The share of likely words to choose from, from 0 to 1.
        top_k: The number of likely words to choose from.
        stop: Texts at which the model stops.
        thinking: Whether the model thinks first, such as `{"type": "adaptive"}`.
        timeout: Seconds to wait for the server at each step.
        max_retries: How often the SDK tries again when the server is busy or out of reach.
        model_kwargs: Further parameters of every request, by Anthropic's names.
        cache: Where replies are kept; False for nowhere.
        rate_limiter: What spaces the calls out.

    Raises:
        MissingKeyError: If there is no key. Where a cassette is replayed none is needed, and the
            first call that it does not answer says so.
        MissingRuntimeError: At the first call, if the SDK is not installed.

    Example:
        >>> ChatAnthropic("claude-opus-5-5", anthropic_api_key="sk-secret")
        ChatAnthropic(model='claude-opus-5-5')
    """

    provider = "anthropic"

    _stops_itself = True
    _not_in_key = BaseChatModel._not_in_key | {"timeout", "max_retries"}

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
        timeout: float | None = None,
        max_retries: int = 2,
        model_kwargs: dict[str, Any] | None = None,
        cache: ReplyCache | Literal[False] | None = None,
        rate_limiter: RateLimiter | None = None,
    ) -> None:
        self.model_name = model or model_name or _DEFAULT_MODEL
        self.anthropic_api_key = _secret(anthropic_api_key or api_key)
        self.base_url = base_url or os.environ.get("ANTHROPIC_BASE_URL")
        self.max_tokens = max_tokens
        self.temperature = temperature
        self.top_p = top_p
        self.top_k = top_k
        self.stop = stop
        self.thinking = thinking
        self.timeout = timeout
        self.max_retries = max_retries
        self.model_kwargs = dict(model_kwargs or {})
        self.cache = cache
        self.rate_limiter = rate_limiter
        self._connect_anew()

    def _connect_anew(self) -> None:
        """Have no connections yet; they belong to one process."""
        self._clients: LoopClients[Anthropic, AsyncAnthropic] = LoopClients()

    def _new_client(self) -> Anthropic:
        sdk = _sdk()
        return sdk_client(sdk, sdk.Anthropic, **self._connection())

    def _new_async_client(self) -> AsyncAnthropic:
        sdk = _sdk()
        return async_sdk_client(sdk, sdk.AsyncAnthropic, **self._connection())

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_clients"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._connect_anew()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(model={self.model_name!r})"

    def _generate(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        request = self._request(messages, {"stop": stop, **params})
        if request["max_tokens"] > _LONGEST_UNSTREAMED:
            return super()._generate(messages, stop=stop, **params)
        create = self._clients.shared(self._new_client).messages.with_raw_response.create
        with self._mapped_errors(None):
            response = create(**request, stream=False)
            return reply_in(response.read())

    async def _agenerate(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        request = self._request(messages, {"stop": stop, **params})
        if request["max_tokens"] > _LONGEST_UNSTREAMED:
            return await super()._agenerate(messages, stop=stop, **params)
        client = await self._clients.of_this_loop(self._new_async_client)
        create = client.messages.with_raw_response.create
        with self._mapped_errors(None):
            response = await create(**request, stream=False)
            return reply_in(await response.read())

    def _stream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> Iterator[AIMessageChunk]:
        request = self._request(messages, {"stop": stop, **params})
        create = self._clients.shared(self._new_client).messages.with_streaming_response.create
        decoder = ReplyDecoder()
        with self._mapped_errors(decoder):
            with create(**request, stream=True) as response:
                decoder.begin(response.headers.get("content-type", ""))
                for received in response.iter_bytes():
                    yield from decoder.decode(received)
            yield from decoder.end()

    async def _astream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AsyncGenerator[AIMessageChunk, None]:
        request = self._request(messages, {"stop": stop, **params})
        client = await self._clients.of_this_loop(self._new_async_client)
        create = client.messages.with_streaming_response.create
        decoder = ReplyDecoder()
        with self._mapped_errors(decoder):
            async with create(**request, stream=True) as response:
                decoder.begin(response.headers.get("content-type", ""))
                async for received in response.iter_bytes():
                    for chunk in decoder.decode(received):
                        yield chunk
            for chunk in decoder.end():
                yield chunk

    def _request(self, messages: list[BaseMessage], params: dict[str, Any]) -> dict[str, Any]:
        """The arguments of the SDK's call; what it need not know goes to the wire as it is."""
        own = {name: getattr(self, name) for name in _PARAMETERS}
        given = {name: value for name, value in params.items() if value is not None}
        params = {**own, **self.model_kwargs, **given}
        body = request_body(messages, params, fit_schema=lambda s: _sdk().transform_schema(s))
        return {
            "model": body.pop("model", self.model_name),
            "max_tokens": body.pop("max_tokens", DEFAULT_MAX_TOKENS),
            "messages": body.pop("messages"),
            "extra_body": body,
            "extra_headers": request_headers(body),
        }

    def _connection(self) -> dict[str, Any]:
        """What the SDK's clients are made with."""
        connection: dict[str, Any] = {
            "api_key": real_key(self.anthropic_api_key.get_secret_value(), "ANTHROPIC_API_KEY"),
            "base_url": _root(self.base_url),
            "max_retries": self.max_retries,
        }
        if self.timeout is not None:
            connection["timeout"] = self.timeout
        return connection

    def _mapped_errors(self, decoder: ReplyDecoder | None) -> AbstractContextManager[None]:
        anthropic = _sdk()
        sdk = Sdk(anthropic, anthropic.AnthropicError, anthropic_errors.refusal)
        return mapped_errors(sdk, self.anthropic_api_key.get_secret_value(), decoder)


def _sdk():  # The module itself: its type says what is in it.
    try:
        import anthropic
    except ImportError as error:
        raise MissingRuntimeError(_NO_SDK) from error
    return anthropic


def _secret(key: str | SecretStr | None) -> SecretStr:
    from pydantic import SecretStr

    key = key_or_stand_in(key or os.environ.get("ANTHROPIC_API_KEY"), _NO_KEY)
    return key if isinstance(key, SecretStr) else SecretStr(key)


def _root(address: str | None) -> str | None:
    """The address as the SDK takes it; that of OpenAI's protocol on the same server ends in /v1."""
    return address and address.rstrip("/").removesuffix("/v1")
