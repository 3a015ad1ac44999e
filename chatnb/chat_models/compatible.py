"""Chat models of the providers in providers.toml, which speak OpenAI's chat completions."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from chatnb.cassettes.active import is_replaying
from chatnb.chat_models.openai.completions import replies_in, request_body
from chatnb.chat_models.openai.completions_stream import CompletionDecoder
from chatnb.chat_models.openai.errors import malformed, parse_json
from chatnb.chat_models.openai.model import CHAT_COMPLETIONS, RESPONSES, ChatOpenAI
from chatnb.chat_models.providers import Provider, known_providers
from chatnb.chat_models.sdk_model import Endpoint
from chatnb.chat_models.wire.client_options import NO_KEY, key_or_replay_key, secret
from chatnb.chat_models.wire.payloads import UNREADABLE, Payload, payload_text
from chatnb.errors import BadRequestError, ConfigurationError, UnknownModelError
from chatnb.redaction import environment_secret
from chatnb.schema.content.openai_parts import check_parts, without_tool_results
from chatnb.schema.messages import AIMessage, BaseMessage

if TYPE_CHECKING:
    from pydantic import SecretStr


class ChatCompatible(ChatOpenAI):
    """A chat model of another provider that speaks OpenAI's chat completions."""

    def __init__(
        self,
        provider: str,
        model: str | None = None,
        *,
        base_url: str | None = None,
        api_key: str | SecretStr | None = None,
        openai_api_key: str | SecretStr | None = None,
        stream_usage: bool = True,
        **params: Any,
    ) -> None:
        row = _row(provider)
        name = model or params.pop("model_name", None) or row.model
        if not name:
            raise UnknownModelError(f"Which model of {provider}? Write {provider}:MODEL.")
        self.provider = provider
        self._key_variable = row.key or "api_key="
        super().__init__(
            name,
            openai_api_key=openai_api_key or api_key or _key(row),
            base_url=base_url or _address(row),
            stream_usage=stream_usage and row.usage == "on_request",
            **params,
        )

    def __repr__(self) -> str:
        return f"ChatCompatible(provider={self.provider!r}, model={self.model_name!r})"

    @property
    def _reasoning_tag(self) -> str | None:
        return (
            _row(self.provider).reasoning_tag if self.reasoning_tag is None else self.reasoning_tag
        )

    def _untagged_endpoint(self, params: Mapping[str, Any]) -> Endpoint:
        if self._uses_responses_api(params):
            return RESPONSES
        row = _row(self.provider)
        parse = partial(parse_reply, row)
        return Endpoint(
            CHAT_COMPLETIONS.path,
            partial(body_for, row),
            partial(replies_in, parse=parse),
            partial(CompletionDecoder, parse),
        )


def _row(provider: str) -> Provider:
    row = known_providers().get(provider)
    if row is None:
        raise UnknownModelError(
            f"No provider is called {provider!r}. There are {', '.join(known_providers())}."
        )
    return row


def _address(row: Provider) -> str:
    if row.address is None:
        return row.base_url
    if found := os.environ.get(row.address):
        return found
    if is_replaying():
        return row.base_url
    raise ConfigurationError(
        f"{row.name} needs an address, such as {row.base_url}. Set the environment variable "
        f"{row.address}, or pass it as base_url=."
    )


def _key(row: Provider) -> str | SecretStr:
    if row.key is None:
        return NO_KEY
    return key_or_replay_key(
        secret(next(filter(None, map(environment_secret, (row.key, *row.other_keys))), None)),
        f"{row.name} needs an API key. Set the environment variable {row.key}, or pass it as "
        f'init_chat_model("{row.name}:...", api_key="...").',
    )


def body_for(
    provider: Provider, messages: Sequence[BaseMessage], params: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a request's JSON in a provider's variant of chat completions."""
    given = {name: value for name, value in params.items() if value is not None}
    rejected = [name for name in provider.rejected if name in given]
    if rejected:
        raise BadRequestError(
            f"{provider.name} takes no {', '.join(rejected)}.", hint="Leave it out."
        )
    messages = list(without_tool_results(messages))
    body = request_body(messages, {provider.renamed.get(k, k): v for k, v in given.items()})
    if provider.parts is not None:
        check_parts(body["messages"], provider.parts, f"{provider.name} takes")
    for message, written in zip(messages, body["messages"], strict=True):
        if isinstance(message, AIMessage):
            _send_back(provider, message, written)
    return body


def parse_reply(provider: Provider, data: bytes) -> Payload:
    """Parse the JSON of an event or a reply, with a provider's own fields moved to OpenAI's."""
    payload = cast("dict[str, Any]", parse_json(data))
    try:
        _move_usage(provider, payload)
        for choice in payload.get("choices") or ():
            message: dict[str, Any] = choice.get("delta") or choice.get("message") or {}
            _move_fields(provider, message)
            if provider.kept and choice.get("finish_reason"):
                kept = {name: payload[name] for name in provider.kept if payload.get(name)}
                choice["delta" if "delta" in choice else "message"] = {**message, **kept}
    except UNREADABLE as error:
        raise malformed(payload_text(payload)) from error
    return payload


def _send_back(provider: Provider, message: AIMessage, written: dict[str, Any]) -> None:
    kept: Any = message.additional_kwargs.get(provider.sent_back or "")
    if not kept:
        return
    if provider.sent_back == "reasoning_content":
        written["reasoning_content"] = kept
        return
    for call in written.get("tool_calls") or ():
        if call.get("id") in kept:
            call["extra_content"] = kept[call["id"]]


def _move_usage(provider: Provider, payload: dict[str, Any]) -> None:
    if payload.get("usage"):
        return
    if provider.usage == "x_groq":
        extra: Payload = payload.get("x_groq") or {}
        payload["usage"] = extra.get("usage")
    if provider.usage == "choice":
        for choice in payload.get("choices") or ():
            payload["usage"] = choice.get("usage")


def _move_fields(provider: Provider, message: dict[str, Any]) -> None:
    content = message.get("content")
    if provider.reasoning == "thinking parts" and isinstance(content, list):
        _move_thinking(message, cast("list[dict[str, Any]]", content))
    if provider.sent_back == "extra_content":
        calls: Sequence[Payload] = message.get("tool_calls") or ()
        message["extra_content"] = {
            call["id"]: call["extra_content"]
            for call in calls
            if call.get("id") and call.get("extra_content")
        }


def _move_thinking(message: dict[str, Any], content: list[dict[str, Any]]) -> None:
    thoughts = [
        thought["text"]
        for part in content
        if part["type"] == "thinking"
        for thought in part["thinking"]
    ]
    answer = [part for part in content if part["type"] != "thinking"]
    message["reasoning_content"] = "".join(thoughts)
    message["content"] = answer
    if all(part["type"] == "text" for part in answer):
        message["content"] = "".join(part["text"] for part in answer)
