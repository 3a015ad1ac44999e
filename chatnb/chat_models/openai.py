"""OpenAI's chat models, and every server that speaks their protocol, through the openai SDK.

The SDK keeps authentication, retries, timeouts and connections and hands over bytes; writing what
is sent and reading what comes back is the work of the other `openai_*` files.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import AbstractContextManager, aclosing, closing
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from chatnb.chat_models import openai_errors
from chatnb.chat_models.base import BaseChatModel
from chatnb.chat_models.cache import ReplyCache
from chatnb.chat_models.loop_clients import LoopClients
from chatnb.chat_models.needed_keys import key_or_stand_in, real_key
from chatnb.chat_models.openai_endpoints import CHAT_COMPLETIONS, RESPONSES, Decoder, Endpoint
from chatnb.chat_models.rate_limiter import RateLimiter
from chatnb.chat_models.rate_refusals import async_sdk_client, sdk_client
from chatnb.chat_models.sdk_errors import Sdk, mapped_errors
from chatnb.errors import ModelError
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage

if TYPE_CHECKING:
    from httpx2 import Response
    from openai import AsyncOpenAI, OpenAI
    from pydantic import SecretStr

_NO_KEY = (
    "ChatOpenAI has no API key. Three ways out: set the environment variable OPENAI_API_KEY; "
    'or pass it as ChatOpenAI(openai_api_key="..."); '
    "or use ChatLocal(), a small model on this machine that needs no key."
)
_DEFAULT_MODEL = "gpt-4o-mini"
_PARAMETERS = (
    "temperature",
    "max_tokens",
    "top_p",
    "n",
    "stop",
    "seed",
    "logprobs",
    "top_logprobs",
    "reasoning",
    "reasoning_effort",
    "include",
    "store",
)


class Request(NamedTuple):
    """Where to post below the base address, and what; the body goes to the wire as it is."""

    path: str
    body: dict[str, Any]


class ChatOpenAI(BaseChatModel):
    """A chat model behind OpenAI's chat completions API, or its Responses API.

    What is given for one call, such as `chat.invoke(messages, temperature=0)`, wins over what is
    given here.

    Args:
        model: The model's name; `model_name` is the same.
        openai_api_key: The key; without it the environment variable OPENAI_API_KEY is read.
        api_key: The same, by the SDK's name.
        base_url: The address of a compatible server, often ending in `/v1`; without it the
            environment variable OPENAI_BASE_URL, then OpenAI's own.
        organization: The organisation that pays; without it OPENAI_ORG_ID.
        temperature: 0 for the likeliest words, up to 2 for unlikely ones.
        max_tokens: The most tokens to answer with.
        top_p: The share of likely words to choose from, from 0 to 1.
        n: The candidates that `generate` gives for each prompt.
        stop: Texts at which the model stops.
        seed: The same number gives about the same reply.
        logprobs: Whether the log probabilities of tokens come along, in `response_metadata`.
        top_logprobs: How many alternatives of each token come with them.
        timeout: Seconds to wait for the server at each step.
        max_retries: How often the SDK tries again when the server is busy or out of reach.
        stream_usage: Ask for token counts in streams; some compatible servers refuse to.
        use_responses_api: Ask the Responses API. Its replies have the response's id, so that the
            next call can name it as `previous_response_id`.
        reasoning: How to reason, in the Responses API's form: `{"effort": ..., "summary": ...}`.
        reasoning_effort: How hard to reason, such as `low`.
        include: What the Responses API sends besides, such as `reasoning.encrypted_content`.
        store: Whether OpenAI keeps the reply.
        model_kwargs: Further parameters of every request; `extra_body` is the same.
        cache: Where replies are kept; False for nowhere.
        rate_limiter: What spaces the calls out.

    Raises:
        MissingKeyError: If there is no key. Where a cassette is replayed none is needed, and the
            first call that it does not answer says so.

    Example:
        >>> ChatOpenAI("gpt-4o-mini", openai_api_key="sk-secret")
        ChatOpenAI(model='gpt-4o-mini')
    """

    provider = "openai"

    _stops_itself = True
    _key_variable = "OPENAI_API_KEY"
    _not_in_key = BaseChatModel._not_in_key | {"timeout", "max_retries", "stream_usage"}

    def __init__(
        self,
        model: str | None = None,
        *,
        model_name: str | None = None,
        openai_api_key: str | SecretStr | None = None,
        api_key: str | SecretStr | None = None,
        base_url: str | None = None,
        organization: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        top_p: float | None = None,
        n: int | None = None,
        stop: list[str] | None = None,
        seed: int | None = None,
        logprobs: bool | None = None,
        top_logprobs: int | None = None,
        timeout: float | None = None,
        max_retries: int = 2,
        stream_usage: bool = True,
        use_responses_api: bool = False,
        reasoning: dict[str, Any] | None = None,
        reasoning_effort: str | None = None,
        include: list[str] | None = None,
        store: bool | None = None,
        model_kwargs: dict[str, Any] | None = None,
        extra_body: dict[str, Any] | None = None,
        cache: ReplyCache | Literal[False] | None = None,
        rate_limiter: RateLimiter | None = None,
    ) -> None:
        self.model_name = model or model_name or _DEFAULT_MODEL
        self.openai_api_key = _secret(openai_api_key or api_key)
        self.base_url = base_url or os.environ.get("OPENAI_BASE_URL")
        self.organization = organization
        self.temperature = temperature
        self.max_tokens = max_tokens
        self.top_p = top_p
        self.n = n
        self.stop = stop
        self.seed = seed
        self.logprobs = logprobs
        self.top_logprobs = top_logprobs
        self.model_kwargs = {**(model_kwargs or {}), **(extra_body or {})}
        self.timeout = timeout
        self.max_retries = max_retries
        self.stream_usage = stream_usage
        self.use_responses_api = use_responses_api
        self.reasoning = reasoning
        self.reasoning_effort = reasoning_effort
        self.include = include
        self.store = store
        self.cache = cache
        self.rate_limiter = rate_limiter
        self._connect_anew()

    def _connect_anew(self) -> None:
        """Have no connections yet; they belong to one process and one event loop each."""
        self._clients: LoopClients[OpenAI, AsyncOpenAI] = LoopClients()

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
        return self._candidates(messages, stop=stop, **params)[0]

    async def _agenerate(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        return (await self._acandidates(messages, stop=stop, **params))[0]

    def _candidates(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> list[AIMessage]:
        request = self._request(messages, {"stop": stop, **params})
        with self._mapped_errors():
            return self._endpoint.replies(self._post(request).read())

    async def _acandidates(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> list[AIMessage]:
        request = self._request(messages, {"stop": stop, **params})
        with self._mapped_errors():
            return self._endpoint.replies(await (await self._apost(request)).aread())

    def _stream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> Iterator[AIMessageChunk]:
        request = self._stream_request(messages, {"stop": stop, **params})
        with closing(self._endpoint.decoder()) as decoder, self._mapped_errors(decoder):
            with closing(self._post(request, streamed=True)) as response:
                decoder.begin(response.headers.get("content-type", ""))
                for received in response.iter_bytes():
                    yield from decoder.decode(received)
            yield from decoder.end()

    async def _astream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AsyncGenerator[AIMessageChunk, None]:
        request = self._stream_request(messages, {"stop": stop, **params})
        with closing(self._endpoint.decoder()) as decoder, self._mapped_errors(decoder):
            async with aclosing(await self._apost(request, streamed=True)) as response:
                decoder.begin(response.headers.get("content-type", ""))
                async for received in response.aiter_bytes():
                    for chunk in decoder.decode(received):
                        yield chunk
            for chunk in decoder.end():
                yield chunk

    @property
    def _endpoint(self) -> Endpoint:
        return RESPONSES if self.use_responses_api else CHAT_COMPLETIONS

    def _left_to_us(self, stop: list[str] | None) -> list[str]:
        """The Responses API has no `stop`."""
        return (stop or self.stop or []) if self.use_responses_api else []

    def _request(self, messages: list[BaseMessage], params: dict[str, Any]) -> Request:
        own = {"model": self.model_name, **{name: getattr(self, name) for name in _PARAMETERS}}
        body = self._endpoint.body(messages, {**own, **self.model_kwargs, **_given(params)})
        if self.base_url is None and "max_tokens" in body:
            body["max_completion_tokens"] = body.pop("max_tokens")
        return Request(self._endpoint.path, body)

    def _stream_request(self, messages: list[BaseMessage], params: dict[str, Any]) -> Request:
        streaming: dict[str, Any] = {"stream": True}
        if self.stream_usage:
            streaming["stream_options"] = {"include_usage": True}
        return self._request(messages, {**streaming, **params})

    def _post(self, request: Request, *, streamed: bool = False) -> Response:
        from httpx2 import Response

        post = self._clients.shared(self._new_client).post
        return post(request.path, cast_to=Response, body=request.body, stream=streamed)

    async def _apost(self, request: Request, *, streamed: bool = False) -> Response:
        from httpx2 import Response

        post = (await self._clients.of_this_loop(self._new_async_client)).post
        return await post(request.path, cast_to=Response, body=request.body, stream=streamed)

    def _connection(self) -> dict[str, Any]:
        """What the SDK's clients are made with."""
        from openai import Timeout

        connection: dict[str, Any] = {
            "api_key": real_key(self.openai_api_key.get_secret_value(), self._key_variable),
            "base_url": self.base_url,
            "organization": self.organization,
            "max_retries": self.max_retries,
        }
        if self.timeout is not None:
            connection["timeout"] = Timeout(self.timeout)
        return connection

    def _new_client(self) -> OpenAI:
        import openai

        return sdk_client(openai, openai.OpenAI, **self._connection())

    def _new_async_client(self) -> AsyncOpenAI:
        import openai

        return async_sdk_client(openai, openai.AsyncOpenAI, **self._connection())

    def _mapped_errors(self, decoder: Decoder | None = None) -> AbstractContextManager[None]:
        import openai

        sdk = Sdk(openai, openai.OpenAIError, self._refusal)
        return mapped_errors(sdk, self.openai_api_key.get_secret_value(), decoder)

    def _refusal(
        self, status: int | None, body: object, *, headers: Mapping[str, str] | None = None
    ) -> ModelError:
        error = openai_errors.refusal(status, body, headers=headers)
        error.hint = error.hint.replace("OPENAI_API_KEY", self._key_variable)
        return error


def _given(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _secret(key: str | SecretStr | None) -> SecretStr:
    from pydantic import SecretStr

    key = key_or_stand_in(key or os.environ.get("OPENAI_API_KEY"), _NO_KEY)
    return key if isinstance(key, SecretStr) else SecretStr(key)
