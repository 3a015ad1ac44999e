"""OpenAI's chat models, and every server that speaks their protocol, through the openai SDK."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Unpack

from chatnb.cassettes.active import is_replaying
from chatnb.chat_models.batch_jobs.model import BatchChatModel
from chatnb.chat_models.cache import ReplyCache
from chatnb.chat_models.model_families import DEFAULT_MODELS, OPENAI_FAMILIES
from chatnb.chat_models.openai.arguments import (
    REQUEST_PARAMETERS,
    RequestOptions,
    after_last_response,
    needs_responses_api,
    uses_responses_api,
)
from chatnb.chat_models.openai.completions import replies_in, request_body
from chatnb.chat_models.openai.completions_stream import CompletionDecoder
from chatnb.chat_models.openai.errors import error_response, parse_json
from chatnb.chat_models.openai.responses import responses_body
from chatnb.chat_models.openai.responses_replies import replies_in_response
from chatnb.chat_models.openai.responses_stream import ResponseDecoder
from chatnb.chat_models.rate_limiter import RateLimiter
from chatnb.chat_models.sdk_errors import Sdk
from chatnb.chat_models.sdk_model import Endpoint, Request
from chatnb.chat_models.wire.client_options import missing_key, secret_key
from chatnb.chat_models.wire.reasoning_tags import TaggedDecoder, tagged_replies
from chatnb.errors import ConfigurationError
from chatnb.schema.content.openai_parts import check_roles, without_expired_audio
from chatnb.schema.messages import AIMessage, BaseMessage

if TYPE_CHECKING:
    from pydantic import SecretStr

    from chatnb.chat_models.batch_jobs.protocol import BatchApi

CHAT_COMPLETIONS = Endpoint("/chat/completions", request_body, replies_in, CompletionDecoder)
RESPONSES = Endpoint("/responses", responses_body, replies_in_response, ResponseDecoder)


class ChatOpenAI(BatchChatModel):
    """A chat model behind OpenAI's chat completions API, or its Responses API.

    Parameters of a call, such as `chat.invoke(messages, temperature=0)`, win over those given here.
    A call also takes the SDK's `timeout`, `max_retries`, `extra_headers`, `extra_query` and
    `extra_body`. Parameters that a model refuses, such as `temperature` with reasoning models, are
    left out with a warning.

    Args:
        model: The model's name; `model_name` is the same. Without it a small current one.
        openai_api_key: The key; without it the environment variable OPENAI_API_KEY is read.
        api_key: The same, by the SDK's name.
        base_url: The address of a compatible server, often ending in `/v1`; without it the
            environment variable OPENAI_BASE_URL, then OpenAI's own.
        organization: The organization that is billed; without it OPENAI_ORG_ID.
        temperature: Sampling temperature, 0 to 2.
        max_tokens: Maximum number of tokens of the reply.
        top_p: Nucleus sampling: the probability mass to sample from, 0 to 1.
        n: Number of candidates that `generate` returns for each prompt.
        stop: Stop sequences, at which the reply ends.
        seed: Seed of sampling: the same seed gives about the same reply.
        logprobs: Return the log probabilities of tokens, in `response_metadata`.
        top_logprobs: Number of alternatives of each token to return with them.
        timeout: Seconds to wait for the server at each step of a call.
        deadline: Seconds within which each whole call has to end, with its retries and its stream;
            then it raises a `DeadlineExceededError` with the `partial` reply.
        max_retries: Number of retries of the SDK when the server is busy or unreachable.
        stream_usage: Request token counts in streams, which some compatible servers reject.
        use_responses_api: Use the Responses API, also without this where an argument needs it.
            Its replies have the response's id, which the next call can pass as
            `previous_response_id`; `use_previous_response_id` does so.
        reasoning: Reasoning settings of the Responses API: `{"effort": ..., "summary": ...}`.
        reasoning_effort: Reasoning effort, such as `low`.
        reasoning_tag: The tag between which the model writes its reasoning into its text, such as
            `think`. Replies have that in `reasoning`, and the text after it as content. Empty for
            none; without it that of a provider whose models write one.
        include: Additional output of the Responses API, such as `reasoning.encrypted_content`.
        store: Let OpenAI store the reply.
        model_kwargs: Further parameters of each request.
        extra_body: Further fields of each request, which are sent as they are.
        cache: Cache of replies; None for the global one, False for none.
        rate_limiter: Limit on the rate of calls.
        **options: Further parameters of each request: `max_completion_tokens`,
            `frequency_penalty`, `presence_penalty`, `logit_bias`, `service_tier`, `verbosity`,
            `prompt_cache_key`, `prompt_cache_retention`, `safety_identifier`, `user`,
            `response_format`, `modalities`, `audio`, `prediction`, `web_search_options`,
            `stream_options` and every other field that the SDK's `create` takes, but that
            `metadata` is that of runs; with those of the Responses API, such as `truncation`,
            `background` and `instructions`, and `use_previous_response_id`.
            `default_headers`, `default_query`, `http_client` and `http_async_client`, for the
            SDK's clients. `name`, `tags`, `metadata`, `callbacks`, `streaming` and
            `disable_streaming`, for the runs of the model.

    LangChain's `openai_api_base`, `openai_organization`, `request_timeout` and `stop_sequences`
    are other names of `base_url`, `organization`, `timeout` and `stop`.

    Raises:
        TypeError: If there is no such argument.
        MissingKeyError: If there is no key. While a cassette is replayed none is needed; then the
            first call that it does not hold raises this error.

    Example:
        >>> ChatOpenAI("gpt-4o-mini", openai_api_key="sk-secret")
        ChatOpenAI(model='gpt-4o-mini')
    """

    _saved_as: ClassVar[str] = "chatnb.chat_models.openai.ChatOpenAI"

    provider = "openai"
    _sdk_name = "openai"

    _key_variable = "OPENAI_API_KEY"
    _families = OPENAI_FAMILIES

    reasoning_tag: str | None = None  # An attribute of models only where it is given.
    _transport_parameters = frozenset(
        {"openai_api_key", "organization", "use_previous_response_id", "output_version"}
    )
    _not_in_cache_key = BatchChatModel._not_in_cache_key | {"stream_usage"}
    _parameters = (
        *("temperature", "max_tokens", "top_p", "n", "stop", "seed", "logprobs", "top_logprobs"),
        *("reasoning", "reasoning_effort", "include", "store"),
        *REQUEST_PARAMETERS,
    )
    _options = RequestOptions
    _aliases: ClassVar[Mapping[str, str]] = {
        "openai_api_base": "base_url",
        "openai_organization": "organization",
        "max_output_tokens": "max_tokens",
        "request_timeout": "timeout",
        "stop_sequences": "stop",
    }
    _rivals: ClassVar[Mapping[str, str]] = {
        "max_tokens": "max_completion_tokens",
        "max_completion_tokens": "max_tokens",
    }
    use_previous_response_id: bool = False

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
        deadline: float | None = None,
        max_retries: int = 2,
        stream_usage: bool = True,
        use_responses_api: bool = False,
        reasoning: dict[str, Any] | None = None,
        reasoning_effort: str | None = None,
        reasoning_tag: str | None = None,
        include: list[str] | None = None,
        store: bool | None = None,
        model_kwargs: dict[str, Any] | None = None,
        extra_body: dict[str, Any] | None = None,
        cache: ReplyCache | Literal[False] | None = None,
        rate_limiter: RateLimiter | None = None,
        **options: Unpack[RequestOptions],
    ) -> None:
        super().__init__(
            model or model_name or DEFAULT_MODELS["openai"],
            base_url=base_url or os.environ.get("OPENAI_BASE_URL"),
            timeout=timeout,
            deadline=deadline,
            max_retries=max_retries,
            model_kwargs=model_kwargs or {},
            cache=cache,
            rate_limiter=rate_limiter,
            extra_body=extra_body,
            **options,
        )
        missing = missing_key("ChatOpenAI", "OPENAI_API_KEY")
        self.openai_api_key = secret_key(openai_api_key or api_key, "OPENAI_API_KEY", missing)
        self.organization = organization
        self.temperature = temperature
        self.max_tokens = max_tokens
        self.top_p = top_p
        self.n = n
        self.stop = stop
        self.seed = seed
        self.logprobs = logprobs
        self.top_logprobs = top_logprobs
        self.stream_usage = stream_usage
        self.use_responses_api = uses_responses_api(
            {
                **options,
                "reasoning": reasoning,
                "include": include,
                "use_responses_api": use_responses_api,
            },
            is_openai=self.base_url is None,
        )
        if reasoning_tag is not None:
            self.reasoning_tag = reasoning_tag
        self.reasoning = reasoning
        self.reasoning_effort = reasoning_effort
        self.include = include
        self.store = store

    def _endpoint(self, params: Mapping[str, Any]) -> Endpoint:
        return self._with_tag(self._untagged_endpoint(params))

    def _with_tag(self, endpoint: Endpoint) -> Endpoint:
        tag = self._reasoning_tag
        if not tag:
            return endpoint
        return endpoint._replace(
            replies=partial(tagged_replies, tag, endpoint.replies),
            decoder=partial(TaggedDecoder, tag, endpoint.decoder),
        )

    def _untagged_endpoint(self, params: Mapping[str, Any]) -> Endpoint:
        return RESPONSES if self._uses_responses_api(params) else CHAT_COMPLETIONS

    def _uses_responses_api(self, params: Mapping[str, Any]) -> bool:
        """Return whether a call goes to the Responses API, which its parameters may need."""
        is_openai = self.provider == "openai" and self.base_url is None
        return self.use_responses_api or needs_responses_api(params, is_openai=is_openai)

    @property
    def _reasoning_tag(self) -> str | None:
        return self.reasoning_tag

    @property
    def _api_key(self) -> SecretStr:
        return self.openai_api_key

    def _sdk(self) -> Sdk:
        import openai

        sort = partial(error_response, key=self._key_variable)
        return Sdk(openai, openai.OpenAI, openai.AsyncOpenAI, openai.OpenAIError, sort)

    def _batch_api_class(self) -> Callable[..., BatchApi]:
        from chatnb.chat_models.openai.batches import OpenAIBatches

        if self.provider != "openai":
            raise ConfigurationError(
                f"{self!r} has no batch API that chatnb knows: ChatOpenAI and ChatAnthropic have "
                "one. For other models use batch(...)."
            )
        return OpenAIBatches

    def _client_side_stop_sequences(
        self, stop: list[str] | None, params: Mapping[str, Any]
    ) -> list[str]:
        # The Responses API has no `stop`.
        return (stop or self.stop or []) if self._uses_responses_api(params) else []

    def _request(
        self, messages: list[BaseMessage], params: dict[str, Any], *, stream: bool = False
    ) -> Request:
        own: dict[str, Any] = {"stream": True} if stream else {}
        usage = params.get("stream_usage")
        if stream and (self.stream_usage if usage is None else usage):
            own["stream_options"] = {
                "include_usage": True,
                **(vars(self).get("stream_options") or {}),
            }
        params = {**own, **params}
        if not is_replaying():  # The requests of a cassette were sent when they were recorded.
            messages = [*without_expired_audio(messages, time.time())]
        if self.use_previous_response_id:
            messages, params = self._after_last_response(messages, params)
        request = super()._request(messages, params, stream=stream)
        if self.base_url is None and "messages" in request.body:
            check_roles(request.body["messages"])
        if not stream:
            request.body.pop("stream_options", None)
        # OpenAI has renamed the parameter; compatible servers know its old name.
        if self.base_url is None and "max_tokens" in request.body:
            request.body["max_completion_tokens"] = request.body.pop("max_tokens")
        # OpenAI rejects it in requests without tools.
        if not request.body.get("tools") and "parallel_tool_calls" not in params:
            request.body.pop("parallel_tool_calls", None)
        return request

    def _after_last_response(
        self, messages: list[BaseMessage], params: dict[str, Any]
    ) -> tuple[list[BaseMessage], dict[str, Any]]:
        is_stored = params.get("store", self.store) is not False
        if not is_stored or params.get("previous_response_id") is not None:
            return messages, params
        following, response_id = after_last_response(messages)
        return [*following], {**params, "previous_response_id": response_id}

    def replies_from_json(self, body: bytes) -> list[AIMessage]:
        """Return the replies in `body`, a response of the API that its request was sent to."""
        # The tools of a job may have chosen it, which is loaded without them.
        if parse_json(body).get("object") == "response":
            return self._with_tag(RESPONSES).replies(body)
        return super().replies_from_json(body)

    def _must_stream(self, request: Request) -> bool:
        # The whole reply of a background response would be that it is queued.
        return bool(request.sent.get("background"))

    def _connection(self) -> dict[str, Any]:
        return {**super()._connection(), "organization": self.organization}
