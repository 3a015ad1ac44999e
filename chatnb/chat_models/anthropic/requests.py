"""Write requests to Anthropic's Messages API: pure functions.

Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from chatnb.chat_models.anthropic.blocks import Block, content_blocks, reply_blocks, result_blocks
from chatnb.schema.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

FitSchema: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]

TOOL_EXTRAS = frozenset(
    {
        *("allowed_callers", "cache_control", "defer_loading", "eager_input_streaming"),
        "input_examples",
    }
)
"""The fields of tools that only this API has."""

_SAMPLING = ("temperature", "top_p", "top_k")
# The SDK sends these fields, and `betas`, as headers.
_HEADERS = {
    "user_profile_id": "anthropic-user-profile-id",
    "workspace_id": "anthropic-workspace-id",
}
SENT_AS_HEADERS = ("betas", *_HEADERS)
"""The parameters that are headers of requests."""
_VERSION_WITH_SAMPLING = "2023-06-01"
_ROLES = {"user": "user", "human": "user", "assistant": "assistant", "ai": "assistant"}
_CHOICES = {"auto": "auto", "none": "none", "required": "any", "any": "any"}


def request_body(
    messages: Sequence[BaseMessage], params: Mapping[str, Any], *, fit_schema: FitSchema = dict
) -> dict[str, Any]:
    """Return a request's JSON; parameters that are None are left out."""
    # System messages, wherever they stand, become `system`; consecutive messages of one role become
    # one. `stop`, `tools`, `tool_choice`, `parallel_tool_calls` and `response_format` are taken in
    # OpenAI's form, and everything else by Anthropic's names.
    body: dict[str, Any] = {"messages": _turns(messages)}
    system = [message.content for message in messages if _role(message) == "system"]
    texts = [content for content in system if isinstance(content, str)]
    if len(texts) == len(system):
        body["system"] = "\n\n".join(texts)
    else:
        body["system"] = [block for content in system for block in content_blocks(content)]
    if not body["system"]:
        del body["system"]
    given = {name: value for name, value in params.items() if value is not None}
    body.update(_parameters(given, fit_schema))
    return body


def request_headers(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that a request of these parameters needs beyond the SDK's."""
    headers = {_HEADERS[name]: params[name] for name in _HEADERS if params.get(name)}
    if betas := params.get("betas"):
        headers["anthropic-beta"] = ",".join(betas)
    # Version 2026-10-21 of the API rejects every request that sets sampling parameters; models that
    # still take them are called with the version before.
    if any(name in params for name in _SAMPLING):
        headers["anthropic-version"] = _VERSION_WITH_SAMPLING
    return headers


def _turns(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    turns = list[dict[str, Any]]()
    for message in messages:
        role = _role(message)
        blocks = [] if role == "system" else _blocks(message)
        if not blocks:
            continue
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    return turns


def _role(message: BaseMessage) -> str:
    match message:
        case HumanMessage() | ToolMessage():
            return "user"
        case AIMessage():
            return "assistant"
        case SystemMessage():
            return "system"
        case ChatMessage() if message.role in _ROLES:
            return _ROLES[message.role]
        case ChatMessage() if message.role in ("system", "developer"):
            return "system"
        case _:
            role = f" of the role {message.role!r}" if isinstance(message, ChatMessage) else ""
            raise ValueError(f"Anthropic has no role for a {type(message).__name__}{role}")


def _blocks(message: BaseMessage) -> list[Block]:
    if isinstance(message, ToolMessage):
        return result_blocks(message)
    if isinstance(message, AIMessage):
        return reply_blocks(message)
    return content_blocks(message.content)


def _parameters(given: dict[str, Any], fit_schema: FitSchema) -> dict[str, Any]:
    tools, stop = given.pop("tools", None), given.pop("stop", None)
    choice, parallel = given.pop("tool_choice", None), given.pop("parallel_tool_calls", None)
    form, effort = given.pop("response_format", None), given.pop("effort", None)
    if stop:
        given["stop_sequences"] = stop
    if tools:
        given["tools"] = [_tool(tool) for tool in tools]
    if choice is not None or (tools and parallel is False):
        given["tool_choice"] = _tool_choice("auto" if choice is None else choice, parallel)
    if effort is not None:
        given["output_config"] = {**given.get("output_config", {}), "effort": effort}
    if form is not None:
        schema = fit_schema(_schema(form))
        format = {"type": "json_schema", "schema": schema}
        given["output_config"] = {**given.get("output_config", {}), "format": format}
    return given


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    if tool.get("type") != "function":
        return dict(tool)
    function: Mapping[str, Any] = tool["function"]
    written = {
        name: function[name] for name in ("name", "description", "strict") if name in function
    }
    written["input_schema"] = function.get("parameters") or {"type": "object", "properties": {}}
    return {**written, **{k: v for k, v in tool.items() if k not in ("type", "function")}}


def _tool_choice(choice: object, parallel: bool | None) -> dict[str, Any]:
    if isinstance(choice, str):
        if choice not in _CHOICES:
            raise ValueError(f"tool_choice is one of {', '.join(_CHOICES)}, not {choice!r}")
        written: dict[str, Any] = {"type": _CHOICES[choice]}
    else:
        written = dict(cast("Mapping[str, Any]", choice))
        if written.get("type") == "function":
            written = {"type": "tool", "name": written["function"]["name"]}
    if parallel is False and written["type"] != "none":
        written["disable_parallel_tool_use"] = True
    return written


def _schema(form: Mapping[str, Any]) -> dict[str, Any]:
    if form.get("type") != "json_schema":
        raise ValueError(
            f"Anthropic has no response_format of the type {form.get('type')!r}: "
            "give it a json_schema"
        )
    named: Mapping[str, Any] = form.get("json_schema") or form
    return named["schema"]
