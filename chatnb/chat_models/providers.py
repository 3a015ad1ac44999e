"""Servers that speak OpenAI's chat completions: the table of them, and what each does its own way.

The facts are in providers.toml, with their sources.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal, cast

from chatnb.chat_models.openai_payloads import Payload, malformed, parse_json
from chatnb.chat_models.openai_requests import request_body
from chatnb.errors import BadRequestError
from chatnb.schema.messages import AIMessage, BaseMessage


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A row of the table; what each field means is written at the top of providers.toml."""

    name: str
    docs: str
    base_url: str
    usage: Literal["asked", "unasked", "x_groq"]
    reasoning: Literal["none", "reasoning", "reasoning_content", "thinking parts"]
    key: str | None = None
    model: str | None = None
    cached_tokens: str | None = None
    sent_back: Literal["reasoning_content", "extra_content"] | None = None
    renamed: dict[str, str] = field(default_factory=dict[str, str])
    refused: Sequence[str] = ()


@cache
def known_providers() -> Mapping[str, Provider]:
    """Read the table.

    Returns:
        The providers by name.

    Example:
        >>> known_providers()["groq"].key
        'GROQ_API_KEY'
    """
    table = files("chatnb.chat_models").joinpath("providers.toml").read_text(encoding="utf-8")
    return {name: Provider(name=name, **row) for name, row in tomllib.loads(table).items()}


def body_for(
    provider: Provider, messages: Sequence[BaseMessage], params: Mapping[str, Any]
) -> dict[str, Any]:
    """Write a request as a provider takes it.

    Args:
        provider: The provider.
        messages: The conversation.
        params: The parameters by OpenAI's names; None leaves one out.

    Returns:
        The request's JSON.

    Raises:
        BadRequestError: If the provider refuses a parameter.
        ValueError: If OpenAI has no role for a message.

    Example:
        >>> body_for(known_providers()["mistral"], [], {"seed": 1})
        {'messages': [], 'random_seed': 1}
    """
    given = {name: value for name, value in params.items() if value is not None}
    refused = [name for name in provider.refused if name in given]
    if refused:
        raise BadRequestError(
            f"{provider.name} takes no {', '.join(refused)}.", hint="Leave it out."
        )
    body = request_body(messages, {provider.renamed.get(k, k): v for k, v in given.items()})
    for message, written in zip(messages, body["messages"], strict=True):
        if isinstance(message, AIMessage):
            _send_back(provider, message, written)
    return body


def parse_reply(provider: Provider, data: bytes) -> Payload:
    """Parse what a provider sends, and put what it says its own way where OpenAI has it.

    Args:
        provider: The provider.
        data: An event's data, or a whole reply.

    Returns:
        The JSON object.

    Raises:
        MalformedReplyError: If it is no reply.

    Example:
        >>> said = b'{"choices": [], "x_groq": {"usage": {"prompt_tokens": 3}}}'
        >>> parse_reply(known_providers()["groq"], said)["usage"]
        {'prompt_tokens': 3}
    """
    payload = cast("dict[str, Any]", parse_json(data))
    try:
        _place_usage(provider, payload)
        for choice in payload.get("choices") or ():
            _place_said(provider, choice.get("delta") or choice.get("message") or {})
    except (KeyError, TypeError, AttributeError) as error:
        raise malformed(json.dumps(payload, default=str)) from error
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


def _place_usage(provider: Provider, payload: dict[str, Any]) -> None:
    if provider.usage == "x_groq" and not payload.get("usage"):
        extra: Payload = payload.get("x_groq") or {}
        payload["usage"] = extra.get("usage")
    usage: Any = payload.get("usage")
    if usage and provider.cached_tokens and not usage.get("prompt_tokens_details"):
        cached = usage.get(provider.cached_tokens)
        usage["prompt_tokens_details"] = {"cached_tokens": cached}


def _place_said(provider: Provider, said: dict[str, Any]) -> None:
    content = said.get("content")
    if provider.reasoning == "thinking parts" and isinstance(content, list):
        _place_thinking(said, cast("list[dict[str, Any]]", content))
    if provider.sent_back == "extra_content":
        calls: Sequence[Payload] = said.get("tool_calls") or ()
        said["extra_content"] = {
            call["id"]: call["extra_content"]
            for call in calls
            if call.get("id") and call.get("extra_content")
        }


def _place_thinking(said: dict[str, Any], content: list[dict[str, Any]]) -> None:
    thoughts = [
        thought["text"]
        for part in content
        if part["type"] == "thinking"
        for thought in part["thinking"]
    ]
    spoken = [part for part in content if part["type"] != "thinking"]
    said["reasoning_content"] = "".join(thoughts)
    said["content"] = spoken
    if all(part["type"] == "text" for part in spoken):
        said["content"] = "".join(part["text"] for part in spoken)
