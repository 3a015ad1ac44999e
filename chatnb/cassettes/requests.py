"""Requests as a cassette stores them."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast

from chatnb.schema.message_types import BaseMessage

# Parameters that say where and how a model is called; the others are a part of the request. A
# provider names its own in `_transport_parameters`.
_TRANSPORT_PARAMETERS = frozenset(
    {
        *("api_key", "base_url", "project"),
        *("timeout", "max_retries", "stream_usage", "cache", "rate_limiter", "delay", "budget"),
        *("model", "model_name", "model_path", "name"),
        *("extra_headers", "default_headers", "headers", "extra_query", "default_query"),
        *("http_client", "http_async_client", "streaming", "disable_streaming"),
    }
)
_MODEL_ENDPOINT = re.compile(
    r"POST https?://[^?#]*?(/(?:chat/completions|completions|responses|messages|embeddings))"
)
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_DATA_URL = re.compile(r"(data:[\w.+-]+/[\w.+-]+;base64),([A-Za-z0-9+/=]{64,})")


def request_to_dict(
    model: Any, messages: Sequence[BaseMessage], stop: Sequence[str] | None, params: dict[str, Any]
) -> dict[str, Any]:
    """Write a request as plain data."""
    parameters = _parameters(model, params)
    if stop:
        parameters["stop"] = list(stop)
    tools = parameters.pop("tools", None)
    name = f"{type(model).__name__} {getattr(model, 'model_name', '')}".strip()
    request = {
        "model": name,
        "parameters": {key: parameters[key] for key in sorted(parameters)},
        "tools": tools,
        "messages": _messages(messages),
    }
    return {key: value for key, value in request.items() if value}


def check_request(request: Any) -> None:
    """Raise a TypeError for what is not the plain data of a request."""
    found = cast("dict[str, Any]", request) if isinstance(request, dict) else {"messages": None}
    messages: Any = found.get("messages", [])
    if not isinstance(messages, list):
        raise TypeError(f"a request is a dict with messages, not {request!r:.80}")
    if not isinstance(found.get("http", ""), str):
        raise TypeError(f"the address of a request is a text, not {found['http']!r:.80}")
    for message in cast("list[Any]", messages):
        if not isinstance(message, dict):
            raise TypeError(f"a message is a mapping, such as `human: Hi`, not {message!r:.80}")
    request_key(found)


def request_key(request: Mapping[str, Any]) -> str:
    """Return the key of a request: the same in every process and for any order of its fields."""
    text = json.dumps(compared_parts(request), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def compared_parts(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request without what does not count.

    That is where a model is called, as a gateway may be set on one machine alone.
    """
    if (endpoint := model_endpoint(request)) is None:
        return dict(request)
    # Clients ask for the usage of streams at some addresses, and at others not.
    body = {name: item for name, item in request["body"].items() if name != "stream_options"}
    return {**request, "http": endpoint, "body": body}


def model_endpoint(request: Mapping[str, Any]) -> str | None:
    """Return the end of the address of a model's HTTP, or None for other requests."""
    body = request.get("body")
    if not isinstance(body, dict) or "model" not in body:
        return None
    found = _MODEL_ENDPOINT.fullmatch(request.get("http", ""))
    return found[1] if found else None


def plain_data(value: Any) -> Any:
    """Write a value as plain data of YAML and JSON, always in the same way."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _DATA_URL.sub(_digest, str(value))
    if isinstance(value, Mapping):
        pairs = cast("Mapping[Any, Any]", value).items()
        return {str(name): plain_data(item) for name, item in pairs}
    if isinstance(value, list | tuple):
        return [plain_data(item) for item in cast("Sequence[Any]", value)]
    if callable(value):
        return str(getattr(cast("Any", value), "__qualname__", "function"))
    return _ADDRESS.sub("", repr(value))


def _digest(match: re.Match[str]) -> str:
    """Write the data of an image as its hash, which takes one line instead of a page."""
    return f"{match[1]},sha256={hashlib.sha256(match[2].encode()).hexdigest()}"


def _parameters(model: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that differ from the model's defaults."""
    defaults = _defaults(model.__class__)
    public: dict[str, Any] = getattr(model, "__dict__", {})
    own = {name: public[name] for name in defaults if name in public}
    given = {name: value for name, value in params.items() if value is not None}
    left_out = _TRANSPORT_PARAMETERS | getattr(model, "_transport_parameters", frozenset[str]())
    request = {name: value for name, value in {**own, **given}.items() if name not in left_out}
    return {
        name: plain_data(value)
        for name, value in request.items()
        if value is not None and value != defaults.get(name) and (name in given or _is_data(value))
    }


@cache
def _defaults(model_class: type) -> dict[str, Any]:
    """Return the parameters of a class's constructors with their defaults; subclasses win."""
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
        items = cast("dict[Any, Any]", value).values()
        return bool(items) and all(_is_data(item) for item in items)
    if isinstance(value, list | tuple):
        items = cast("Sequence[Any]", value)
        return bool(items) and all(_is_data(item) for item in items)
    return isinstance(value, bool | int | float | str)


def _messages(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    """Write the messages, with the ids of tool calls numbered: providers draw them at random."""
    numbers: dict[str, str] = {}

    def numbered(id: str | None) -> str | None:
        return id and numbers.setdefault(id, f"call_{len(numbers) + 1}")

    return [_message(message, numbered) for message in messages]


def _message(message: BaseMessage, numbered: Any) -> dict[str, Any]:
    role = message.type.removesuffix("MessageChunk").lower()
    data: dict[str, Any] = {role: plain_data(message.content)}
    for name in ("role", "name", "additional_kwargs"):
        if value := getattr(message, name, None):
            data[name] = plain_data(value)
    calls: list[Any] = [
        *(getattr(message, "tool_calls", None) or []),
        *(getattr(message, "invalid_tool_calls", None) or []),
    ]
    if calls:
        data["tool_calls"] = [
            {
                "name": call.get("name"),
                "args": plain_data(call.get("args")),
                "id": numbered(call["id"]),
            }
            for call in calls
        ]
    if call_id := getattr(message, "tool_call_id", None):
        data["tool_call_id"] = numbered(call_id)
    if getattr(message, "status", "success") != "success":
        data["status"] = getattr(message, "status", None)
    return data
