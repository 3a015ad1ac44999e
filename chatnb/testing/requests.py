"""A request to a model as a cassette writes it: its content, and nothing that changes by itself."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast

from chatnb.schema.base_message import BaseMessage

NOT_ASKED = frozenset(
    {
        *("api_key", "openai_api_key", "anthropic_api_key", "azure_ad_token", "organization"),
        *("azure_ad_token_provider", "azure_endpoint", "api_version", "base_url", "project"),
        *("timeout", "max_retries", "stream_usage", "cache", "rate_limiter", "delay", "budget"),
        *("model", "model_name", "model_path", "name"),
        *("extra_headers", "default_headers", "headers", "extra_query"),
    }
)
"""What a model is made with that says where and how to ask, not what."""

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_DATA_URL = re.compile(r"(data:[\w.+-]+/[\w.+-]+;base64),([A-Za-z0-9+/=]{64,})")


def written_request(
    model: Any, messages: Sequence[BaseMessage], stop: Sequence[str] | None, params: dict[str, Any]
) -> dict[str, Any]:
    """Write a request as plain data.

    Args:
        model: The chat model that is asked.
        messages: What it is asked.
        stop: Texts at which it stops.
        params: The parameters of this call only.

    Returns:
        The model's class and name, the parameters that are not at their defaults, the tools, and
        the messages; no ids, times, addresses, keys or paths.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> written_request(None, [HumanMessage("Hi", id="m1")], None, {"temperature": 0})
        {'model': 'NoneType', 'parameters': {'temperature': 0}, 'messages': [{'human': 'Hi'}]}
    """
    parameters = _parameters(model, params)
    if stop:
        parameters["stop"] = list(stop)
    tools = parameters.pop("tools", None)
    name = f"{type(model).__name__} {getattr(model, 'model_name', '')}".strip()
    request = {
        "model": name,
        "parameters": {key: parameters[key] for key in sorted(parameters)},
        "tools": tools,
        "messages": _conversation(messages),
    }
    return {key: value for key, value in request.items() if value}


def key_of(request: Mapping[str, Any]) -> str:
    """The key of a request, the same in every process and whatever the order of its keys.

    Example:
        >>> key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
        True
    """
    text = json.dumps(request, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def plain(value: Any) -> Any:
    """Write a value as what YAML and JSON hold, the same each time.

    Example:
        >>> plain({"stop": ("a",), "of": int, 1: object()})
        {'stop': ['a'], 'of': 'int', '1': '<object object>'}
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _DATA_URL.sub(_digest, str(value))
    if isinstance(value, Mapping):
        pairs = cast("Mapping[Any, Any]", value).items()
        return {str(name): plain(said) for name, said in pairs}
    if isinstance(value, list | tuple):
        return [plain(item) for item in cast("Sequence[Any]", value)]
    if callable(value):
        return str(getattr(cast("Any", value), "__qualname__", "function"))
    return _ADDRESS.sub("", repr(value))


def _digest(found: re.Match[str]) -> str:
    """An image takes a line, not a page: it is told by its hash."""
    return f"{found[1]},sha256={hashlib.sha256(found[2].encode()).hexdigest()}"


def _parameters(model: Any, params: dict[str, Any]) -> dict[str, Any]:
    """What was asked for, where it is not the model's default."""
    defaults = _defaults(model.__class__)
    public: dict[str, Any] = getattr(model, "__dict__", {})
    own = {name: public[name] for name in defaults if name in public}
    given = {name: value for name, value in params.items() if value is not None}
    asked = {name: value for name, value in {**own, **given}.items() if name not in NOT_ASKED}
    return {
        name: plain(value)
        for name, value in asked.items()
        if value is not None and value != defaults.get(name) and (name in given or _is_data(value))
    }


@cache
def _defaults(model_class: type) -> dict[str, Any]:
    """The names that a class's constructors take, with their defaults; those of subclasses win."""
    found: dict[str, Any] = {}
    for base in model_class.__mro__:
        constructor: Any = vars(base).get("__init__")
        if not inspect.isfunction(constructor):
            continue
        for name, parameter in inspect.signature(constructor).parameters.items():
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                empty = parameter.default is parameter.empty
                found.setdefault(name, None if empty else parameter.default)
    found.pop("self", None)
    return found


def _is_data(value: Any) -> bool:
    if isinstance(value, dict):
        said = cast("dict[Any, Any]", value).values()
        return bool(said) and all(_is_data(each) for each in said)
    if isinstance(value, list | tuple):
        items = cast("Sequence[Any]", value)
        return bool(items) and all(_is_data(item) for item in items)
    return isinstance(value, bool | int | float | str)


def _conversation(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    """The messages, with the ids of tool calls numbered in order: providers draw them by lot."""
    numbers: dict[str, str] = {}

    def numbered(id: str | None) -> str | None:
        return id and numbers.setdefault(id, f"call_{len(numbers) + 1}")

    return [_message(message, numbered) for message in messages]


def _message(message: BaseMessage, numbered: Any) -> dict[str, Any]:
    kind = message.type.removesuffix("MessageChunk").lower()
    said: dict[str, Any] = {kind: plain(message.content)}
    for name in ("role", "name", "additional_kwargs"):
        if value := getattr(message, name, None):
            said[name] = plain(value)
    calls: list[Any] = [
        *(getattr(message, "tool_calls", None) or []),
        *(getattr(message, "invalid_tool_calls", None) or []),
    ]
    if calls:
        said["tool_calls"] = [
            {"name": call.get("name"), "args": plain(call.get("args")), "id": numbered(call["id"])}
            for call in calls
        ]
    if answered := getattr(message, "tool_call_id", None):
        said["tool_call_id"] = numbered(answered)
    if getattr(message, "status", "success") != "success":
        said["status"] = getattr(message, "status", None)
    return said
