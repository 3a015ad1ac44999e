"""OpenAI's chat models, and every server that speaks their protocol, through the openai SDK.

The SDK keeps authentication, retries, timeouts and connections and hands over bytes; writing what
is sent and reading what comes back is the work of the other `openai_*` files.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import aclosing, closing, contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, cast

from chatnb.chat_models import openai_errors
from chatnb.chat_models.base import BaseChatModel
from chatnb.chat_models.cache import ReplyCache
from chatnb.chat_models.openai_replies import replies_in
from chatnb.chat_models.openai_requests import request_body
from chatnb.chat_models.openai_stream import ReplyDecoder
from chatnb.chat_models.rate_limiter import RateLimiter
from chatnb.errors import (
    MissingKeyError,
    ModelConnectionError,
    ModelError,
    ModelTimeoutError,
    StreamInterruptedError,
)
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
_PATH = "/chat/completions"
_PARAMETERS = (
    "temperature",
    "max_tokens",
    "top_p",
    "n",
    "stop",
    "seed",
    "logprobs",
    "top_logprobs",
)
_SHORTEST_SECRET = 8
"""Servers that ask for no key are given words such as "none", which errors may well contain."""


class ChatOpenAI(BaseChatModel):
    """A chat model behind OpenAI's chat completions API.

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
        model_kwargs: Further parameters of every request; `extra_body` is the same.
        cache: Where replies are kept; False for nowhere.
        rate_limiter: What spaces the calls out.

    Raises:
        MissingKeyError: If there is no key.

    Example:
        >>> ChatOpenAI("gpt-4o-mini", openai_api_key="sk-secret")
        ChatOpenAI(model='gpt-4o-mini')
    """

    _stops_itself = True
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
        self.cache = cache
        self.rate_limiter = rate_limiter
        self._connect_anew()

    def _connect_anew(self) -> None:
        """Have no connections yet; they belong to one process and one event loop each."""
        self._lock = Lock()
        self._sync_client: OpenAI | None = None
        self._async_clients: dict[asyncio.AbstractEventLoop, AsyncOpenAI] = {}

    def __getstate__(self) -> dict[str, Any]:
        own = {"_lock", "_sync_client", "_async_clients"}
        return {name: value for name, value in vars(self).items() if name not in own}

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
        body = self._request(messages, {"stop": stop, **params})
        with self._mapped_errors():
            return replies_in(self._post(body).read())

    async def _acandidates(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> list[AIMessage]:
        body = self._request(messages, {"stop": stop, **params})
        with self._mapped_errors():
            return replies_in(await (await self._apost(body)).aread())

    def _stream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> Iterator[AIMessageChunk]:
        body = self._stream_request(messages, {"stop": stop, **params})
        with closing(ReplyDecoder()) as decoder, self._mapped_errors(decoder):
            with closing(self._post(body, streamed=True)) as response:
                decoder.begin(response.headers.get("content-type", ""))
                for received in response.iter_bytes():
                    yield from decoder.decode(received)
            yield from decoder.end()

    async def _astream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AsyncGenerator[AIMessageChunk, None]:
        body = self._stream_request(messages, {"stop": stop, **params})
        with closing(ReplyDecoder()) as decoder, self._mapped_errors(decoder):
            async with aclosing(await self._apost(body, streamed=True)) as response:
                decoder.begin(response.headers.get("content-type", ""))
                async for received in response.aiter_bytes():
                    for chunk in decoder.decode(received):
                        yield chunk
            for chunk in decoder.end():
                yield chunk

    def _request(self, messages: list[BaseMessage], params: dict[str, Any]) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in _PARAMETERS}
        chosen = {"model": self.model_name, **own, **self.model_kwargs, **_given(params)}
        body = request_body(messages, chosen)
        if self.base_url is None and "max_tokens" in body:
            body["max_completion_tokens"] = body.pop("max_tokens")
        return body

    def _stream_request(
        self, messages: list[BaseMessage], params: dict[str, Any]
    ) -> dict[str, Any]:
        streaming: dict[str, Any] = {"stream": True}
        if self.stream_usage:
            streaming["stream_options"] = {"include_usage": True}
        return self._request(messages, {**streaming, **params})

    def _post(self, body: dict[str, Any], *, streamed: bool = False) -> Response:
        from httpx2 import Response

        return self._client().post(_PATH, cast_to=Response, body=body, stream=streamed)

    async def _apost(self, body: dict[str, Any], *, streamed: bool = False) -> Response:
        from httpx2 import Response

        client = await self._async_client()
        return await client.post(_PATH, cast_to=Response, body=body, stream=streamed)

    def _connection(self) -> dict[str, Any]:
        """What the SDK's clients are made with."""
        from openai import Timeout

        connection: dict[str, Any] = {
            "api_key": self.openai_api_key.get_secret_value(),
            "base_url": self.base_url,
            "organization": self.organization,
            "max_retries": self.max_retries,
        }
        if self.timeout is not None:
            connection["timeout"] = Timeout(self.timeout)
        return connection

    def _client(self) -> OpenAI:
        from openai import OpenAI

        with self._lock:
            if self._sync_client is None:
                self._sync_client = OpenAI(**self._connection())
            return self._sync_client

    async def _async_client(self) -> AsyncOpenAI:
        """The client of the running event loop: connections cannot move to another loop."""
        from openai import AsyncOpenAI

        loop = asyncio.get_running_loop()
        client = self._async_clients.get(loop)
        if client is None:
            for ended in [other for other in self._async_clients if other.is_closed()]:
                del self._async_clients[ended]
            connection = await asyncio.to_thread(self._connection)
            client = self._async_clients.setdefault(loop, AsyncOpenAI(**connection))
        return client

    @contextmanager
    def _mapped_errors(self, decoder: ReplyDecoder | None = None) -> Generator[None]:
        """Raise chatnb's errors for the SDK's, with what had arrived, and without the key."""
        import httpx2
        from openai import OpenAIError

        try:
            yield
        except ModelError as error:
            error.partial = error.partial or (decoder.partial if decoder else None)
            raise
        except (OpenAIError, httpx2.HTTPError, httpx2.StreamError) as error:
            partial = decoder.partial if decoder else None
            mapped = _model_error(error, started=partial is not None)
            mapped.partial = partial
            self._redact(error, mapped)
            raise mapped from error

    def _redact(self, *errors: Exception) -> None:
        key = self.openai_api_key.get_secret_value()
        if len(key) < _SHORTEST_SECRET:
            return
        for error in errors:
            error.args = tuple(_without(key, argument) for argument in error.args)
            for attribute in ("message", "body"):
                if hasattr(error, attribute):
                    setattr(error, attribute, _without(key, getattr(error, attribute)))


def _given(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _secret(key: str | SecretStr | None) -> SecretStr:
    from pydantic import SecretStr

    key = key or os.environ.get("OPENAI_API_KEY")
    if not key:
        raise MissingKeyError(_NO_KEY)
    return key if isinstance(key, SecretStr) else SecretStr(key)


def _without(key: str, said: Any) -> Any:
    """What was said with the key blotted out; some servers repeat it in their errors."""
    if isinstance(said, str):
        return said.replace(key, "***")
    if isinstance(said, dict):
        return {name: _without(key, value) for name, value in cast("dict[Any, Any]", said).items()}
    return said


def _model_error(error: Exception, *, started: bool) -> ModelError:
    import httpx2
    import openai

    if isinstance(error, openai.APIStatusError):
        return openai_errors.refusal(error.status_code, error.body, headers=error.response.headers)
    if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
        return ModelTimeoutError(
            "The model did not answer in time.", hint="Try again, or give timeout= more seconds."
        )
    if started:
        return StreamInterruptedError(
            "The reply broke off: the connection was lost.", hint="Run it again."
        )
    if isinstance(error, openai.APIConnectionError | httpx2.HTTPError):
        return ModelConnectionError(
            "The model's server could not be reached.",
            hint="Check the network and base_url, and that the server runs.",
        )
    return ModelError(str(error))
