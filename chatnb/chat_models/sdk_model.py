"""The base of chat models behind a provider's SDK: clients, keys and the loops of calls."""

from __future__ import annotations

import weakref
from collections.abc import (
    AsyncGenerator,
    Callable,
    Generator,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial, wraps
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    Unpack,
)

from chatnb.chat_models.base import BaseChatModel
from chatnb.chat_models.cache import ReplyCache
from chatnb.chat_models.model_families import Family, drop_refused
from chatnb.chat_models.provider_call import whole_reply
from chatnb.chat_models.rate_limiter import RateLimiter
from chatnb.chat_models.sdk_errors import CallState, HasPartial, Sdk, mapped_errors
from chatnb.chat_models.sse import is_event_stream
from chatnb.chat_models.stream_decoder import StreamDecoder
from chatnb.chat_models.wire.client_options import (
    HTTP_CLIENTS,
    check_call_params,
    key_names,
    key_of_process,
    real_key,
    take_call_options,
)
from chatnb.chat_models.wire.connections import track_async_connections, track_connections
from chatnb.chat_models.wire.loop_clients import (
    AsyncSdkClient,
    LoopClients,
    ResponseBody,
    SdkClient,
    aread_rest,
    read_rest,
    response_body,
    shared_ssl_context,
)
from chatnb.chat_models.wire.model_options import (
    ModelOptions,
    attributes_from_options,
    constructor_arguments,
    refuse_unknown,
    with_options,
    with_own_names,
)
from chatnb.chat_models.wire.reasoning_tags import TaggedDecoder
from chatnb.chat_models.wire.retry_after import seconds_to_wait
from chatnb.concurrency.pickling import KeyOfThisProcess, OfThisProcess
from chatnb.redaction import hide, model_secrets
from chatnb.redaction.logs import hide_in_logs
from chatnb.runnables.batches.backoff import MAX_RETRY_AFTER, slow_down
from chatnb.runnables.deadlines import Deadline
from chatnb.schema.characters import encodable_json
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage

if TYPE_CHECKING:
    from httpx2 import Response
    from pydantic import SecretStr

_MAX_START = 100  # Bytes in which an event stream begins.
_BAD_REQUEST, _TOO_MANY_REQUESTS = 400, 429
# Fields of requests that hold no parameters.
_CONTENTS = frozenset({"input", "messages", "system"})


class Endpoint(NamedTuple):
    """A path below the base address, with the pure functions that speak its protocol."""

    path: str
    body: Callable[[Sequence[BaseMessage], Mapping[str, Any]], dict[str, Any]]
    replies: Callable[[bytes], list[AIMessage]]
    decoder: Callable[[], StreamDecoder | TaggedDecoder]


class Request(NamedTuple):
    """A request: its endpoint, the JSON body, and the SDK's options."""

    endpoint: Endpoint
    body: dict[str, Any]
    options: Mapping[str, Any] = {}

    @property
    def sent(self) -> dict[str, Any]:
        """The body as the SDK sends it, with `extra_body`."""
        return {**self.body, **self.options.get("extra_json", {})}


class SdkChatModel(BaseChatModel):
    """The base of chat models behind a provider's SDK."""

    # The SDK keeps authentication, retries, timeouts and connections, and hands over bytes. A
    # provider supplies `_sdk`, `_endpoint`, `_api_key`, and the names of its parameters and of its
    # key's environment variable.

    _handles_stop = True
    _not_in_cache_key = BaseChatModel._not_in_cache_key | HTTP_CLIENTS | {"timeout", "max_retries"}
    _parameters: ClassVar[tuple[str, ...]]
    # The provider's parameters that say where and how a model is called; cassettes leave them out.
    _transport_parameters: ClassVar[frozenset[str]] = frozenset()
    _key_variable: str
    _families: ClassVar[Sequence[Family]] = ()
    _options: ClassVar[type] = ModelOptions
    # Other names of arguments, of LangChain and of the SDK.
    _aliases: ClassVar[Mapping[str, str]] = {}
    # Parameters that say the same to a server, which one of a call replaces in the model's.
    _rivals: ClassVar[Mapping[str, str]] = {}

    # Attributes of a model only where they are given: the others are in no key of a cache.
    default_headers: Mapping[str, str] | None = None
    default_query: Mapping[str, object] | None = None
    http_client: Any = None
    http_async_client: Any = None
    extra_body: Mapping[str, Any] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            setattr(cls, "__init__", _with_checked_arguments(cls))  # noqa: B010 (for pyright)

    def __init__(
        self,
        model_name: str,
        *,
        base_url: str | None,
        timeout: float | None,
        max_retries: int,
        model_kwargs: Mapping[str, Any],
        cache: ReplyCache | Literal[False] | None,
        rate_limiter: RateLimiter | None,
        extra_body: Mapping[str, Any] | None = None,
        deadline: float | None = None,
        **options: Unpack[ModelOptions],
    ) -> None:
        refuse_unknown(type(self), options.keys() - self._options.__annotations__.keys())
        self.model_name = model_name
        self.base_url = base_url
        self.timeout = timeout
        self.max_retries = max_retries
        self.model_kwargs = dict(model_kwargs)
        self.cache = cache
        self.rate_limiter = rate_limiter
        self._clients = LoopClients()
        if deadline is not None:
            Deadline(deadline)  # It checks the seconds.
        given = {**options, "extra_body": extra_body, "deadline": deadline}
        vars(self).update(attributes_from_options(given))

    @property
    def model(self) -> str:
        """The model's name, as the argument is called; `model_name` is the same."""
        return self.model_name

    @model.setter
    def model(self, name: str) -> None:
        self.model_name = name

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in vars(self).items() if name != "_clients"}
        for name in HTTP_CLIENTS & state.keys():
            problem = f"The {name} of {self!r} has connections of this process. Give none, or " + (
                "make the model in the other process."
            )
            state[name] = OfThisProcess(state[name], problem)
        for name in key_names(state):
            state[name] = KeyOfThisProcess(state[name])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name in HTTP_CLIENTS & state.keys():
            state[name] = state[name].value
        vars(self).update(state)
        for name, value in state.items():
            if isinstance(value, KeyOfThisProcess):
                setattr(self, name, value.value or key_of_process(self._key_variable))
        self._clients = LoopClients()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(model={self.model_name!r})"

    def _endpoint(self, params: Mapping[str, Any]) -> Endpoint:
        raise NotImplementedError

    @property
    def _api_key(self) -> SecretStr:
        raise NotImplementedError

    def _sdk(self) -> Sdk:
        raise NotImplementedError

    def _must_stream(self, request: Request) -> bool:
        """Return whether a whole reply has to be streamed."""
        return False

    def _request(
        self, messages: list[BaseMessage], params: dict[str, Any], *, stream: bool = False
    ) -> Request:
        """Return the request; parameters of the call win over those of the model."""
        own = {"model": self.model_name, **self._own_parameters(), **self.model_kwargs}
        given = {self._aliases.get(k, k): value for k, value in params.items() if value is not None}
        check_call_params(given, self._transport_parameters)
        replaced = {self._rivals.get(name) for name in given}
        kept = {name: value for name, value in own.items() if name not in replaced}
        merged = {**kept, "stream": None, **given}
        merged.pop("stream_usage", None)  # It only decides about `stream_options`.
        drop_refused(self._families, self._known_names(merged), merged)
        options = take_call_options(merged, self.extra_body)
        endpoint = self._endpoint(merged)
        return Request(endpoint, endpoint.body(messages, merged), options)

    def _own_parameters(self) -> dict[str, Any]:
        return {
            name: value
            for name in self._parameters
            if (value := getattr(self, name, None)) is not None
        }

    def _known_names(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the names by which a request's model is known."""
        return (str(params["model"]),)

    def _connection(self) -> dict[str, Any]:
        """Return the arguments of the SDK's clients."""
        connection: dict[str, Any] = {
            "api_key": real_key(self._api_key, self._key_variable),
            "base_url": self.base_url,
            "max_retries": self.max_retries,
            "default_headers": self.default_headers,
            "default_query": self.default_query,
        }
        if self.timeout is not None:
            connection["timeout"] = self.timeout
        return connection

    def _candidates(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> list[AIMessage]:
        request = self._request(messages, {"stop": stop, **params})
        if self._must_stream(request):
            return [super()._generate(messages, stop=stop, **params)]
        with self._mapped_errors(request) as call:
            response = self._post(request)
            call.headers = response.headers
            return self._replies(request, response.read())

    async def _acandidates(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> list[AIMessage]:
        request = self._request(messages, {"stop": stop, **params})
        if self._must_stream(request):
            return [await super()._agenerate(messages, stop=stop, **params)]
        with self._mapped_errors(request) as call:
            response = await self._apost(request)
            call.headers = response.headers
            return self._replies(request, await response.aread())

    def _replies(self, request: Request, body: bytes) -> list[AIMessage]:
        if not is_event_stream(body[:_MAX_START]):
            return request.endpoint.replies(body)
        with closing(request.endpoint.decoder()) as decoder:  # Some gateways stream every reply.
            return [whole_reply([*decoder.decode(body), *decoder.end()])]

    def _stream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> Iterator[AIMessageChunk]:
        request = self._request(messages, {"stop": stop, **params}, stream=True)
        decoder = request.endpoint.decoder()
        with closing(decoder), self._mapped_errors(request, decoder) as call:
            with closing(self._post(request, stream=True)) as response:
                call.headers = response.headers
                decoder.begin(response.headers.get("content-type", ""))
                body = response_body(response)
                with _whole_replies_kept(decoder):
                    for received in body:
                        yield from decoder.decode(bytes(received))
                        if decoder.is_done:
                            read_rest(response, body)
                            break
            yield from decoder.end()

    async def _astream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AsyncGenerator[AIMessageChunk, None]:
        request = self._request(messages, {"stop": stop, **params}, stream=True)
        decoder = request.endpoint.decoder()
        with closing(decoder), self._mapped_errors(request, decoder) as call:
            response = await self._apost(request, stream=True)
            async with ResponseBody(response) as body:
                call.headers = response.headers
                decoder.begin(response.headers.get("content-type", ""))
                with _whole_replies_kept(decoder):
                    async for received in body:  # In a browser, memory views of its bytes.
                        for chunk in decoder.decode(bytes(received)):
                            yield chunk
                        if decoder.is_done:
                            await aread_rest(body)
                            break
            for chunk in decoder.end():
                yield chunk

    def _post(self, request: Request, *, stream: bool = False) -> Response:
        client = self._clients.shared(self._new_client)
        try:
            return client.post(**_post_args(request, stream))
        except UnicodeEncodeError:  # Nothing has been sent.
            return client.post(**_post_args(request, stream, mended=True))

    async def _apost(self, request: Request, *, stream: bool = False) -> Response:
        client = await self.aprepare()
        try:
            return await client.post(**_post_args(request, stream))
        except UnicodeEncodeError:
            return await client.post(**_post_args(request, stream, mended=True))

    async def aprepare(self) -> AsyncSdkClient:
        """Load the SDK and make the client of this event loop, which the first call would do."""
        own = self.http_async_client is None
        return await self._clients.of_this_loop(self._new_async_client, close=own)

    def _new_client(self) -> SdkClient:
        sdk = self._sdk()
        hide_in_logs(self)
        if self.http_client is not None:
            track_connections(self.http_client)
            return sdk.new_client(**self._connection(), http_client=self.http_client)
        hooks = {"response": [_slow_down_batch, _end_with_json]}
        http = sdk.module.DefaultHttpxClient(event_hooks=hooks, verify=shared_ssl_context())
        track_connections(http)
        client = sdk.new_client(**self._connection(), http_client=http)
        weakref.finalize(client, http.close)
        return client

    def _new_async_client(self) -> AsyncSdkClient:
        sdk = self._sdk()
        hide_in_logs(self)
        if self.http_async_client is not None:
            track_async_connections(self.http_async_client)
            return sdk.new_async_client(**self._connection(), http_client=self.http_async_client)
        hooks = {"response": [_aslow_down_batch, _aend_with_json]}
        http = sdk.module.DefaultAsyncHttpxClient(event_hooks=hooks, verify=shared_ssl_context())
        track_async_connections(http)
        return sdk.new_async_client(**self._connection(), http_client=http)

    def _mapped_errors(
        self, request: Request, decoder: HasPartial | None = None
    ) -> AbstractContextManager[CallState]:
        return mapped_errors(self._sdk(), partial(self._secrets, request), decoder)

    def _secrets(self, request: Request) -> set[str]:
        """Return the secrets of the model and of a request's options and parameters."""
        params = {k: v for k, v in request.body.items() if k not in _CONTENTS}
        return model_secrets(self, request.options, params)


def _with_checked_arguments(model_class: type[SdkChatModel]) -> Callable[..., None]:
    """Wrap a constructor: it takes other names, and refuses those that it does not know."""
    constructor: Callable[..., None] = model_class.__init__
    signature = with_options(constructor, model_class._options)  # pyright: ignore[reportPrivateUsage]
    own = constructor_arguments(constructor)
    aliases = {k: v for k, v in model_class._aliases.items() if k not in own}  # pyright: ignore[reportPrivateUsage]

    @wraps(constructor)
    def construct(self: SdkChatModel, *args: Any, **kwargs: Any) -> None:
        kwargs = hide(kwargs)  # No frame that may fail shows the secrets among them.
        kwargs = with_own_names(type(self), aliases, kwargs)
        if not any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()):
            refuse_unknown(type(self), kwargs.keys() - own.keys())
        constructor(self, *args, **kwargs)

    setattr(construct, "__signature__", signature)  # noqa: B010 (functions have no such attribute)
    return construct


def _post_args(request: Request, stream: bool, *, mended: bool = False) -> dict[str, Any]:
    from httpx2 import Response

    return {
        "path": request.endpoint.path,
        "body": encodable_json(request.body) if mended else request.body,
        "options": request.options,
        "cast_to": Response,
        "stream": stream,
    }


@contextmanager
def _whole_replies_kept(decoder: StreamDecoder | TaggedDecoder) -> Generator[None]:
    """Ignore a connection that fails, or stays silent, after a reply that is complete."""
    from httpx2 import TransportError

    try:
        yield
    except TransportError:
        if not decoder.is_complete:
            raise


def _slow_down_batch(response: Any) -> None:
    # The SDK waits and tries this call again; the other calls of its batch have to wait, too.
    if response.status_code < _BAD_REQUEST:
        return
    wait = seconds_to_wait(response.headers)
    if wait is not None and wait > MAX_RETRY_AFTER:
        response.headers["x-should-retry"] = "false"  # The SDK would wait, or try in vain.
    if response.status_code == _TOO_MANY_REQUESTS:
        slow_down(wait)


async def _aslow_down_batch(response: Any) -> None:
    _slow_down_batch(response)


def _end_with_json(response: Any) -> None:
    from chatnb.chat_models.wire.json_bodies import end_with_json  # It loads the client.

    end_with_json(response)


async def _aend_with_json(response: Any) -> None:
    _end_with_json(response)
