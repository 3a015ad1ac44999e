"""What OpenTelemetry's conventions for generative AI call the facts of a run.

The conventions are in development and may change with each of their releases; this is v0.1.0.
Source: https://github.com/open-telemetry/semantic-conventions-genai
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from chatnb.schema.base_message import BaseMessage
from chatnb.schema.coercion import to_messages
from chatnb.schema.roles import AIMessage, ChatMessage, ToolMessage
from chatnb.schema.run_log_json import to_json
from chatnb.tracing.run import Run

Attributes = dict[str, str | bool | int | float | Sequence[str]]

_MODEL_KEYS = ("ls_model_name", "model_name", "model")
_PROVIDER_KEYS = ("ls_provider", "provider")
_UNKNOWN_PROVIDER = "chatnb"
_BROKEN_OFF = "error"
_ROLES = {
    "human": "user",
    "ai": "assistant",
    "system": "system",
    "function": "tool",
    "tool": "tool",
}
_OPERATIONS = {"llm": "chat", "tool": "execute_tool"}


def span_name(run: Run) -> str:
    """What the span of a run is called.

    Example:
        >>> from chatnb.tracing.run import Origin
        >>> span_name(Run("r1", "search", "tool", Origin().now()))
        'execute_tool search'
    """
    operation = _operation(run)
    target = (_told(run, _MODEL_KEYS) if run.type == "llm" else None) or run.name
    return f"{operation} {target}" if operation else target


def start_attributes(run: Run) -> Attributes:
    """What is known of a run at its start, so that samplers see it.

    Returns:
        The attributes; those of the conventions, and `chatnb.run.id` and `chatnb.run.type`.
    """
    attributes: Attributes = {"chatnb.run.id": run.id, "chatnb.run.type": run.type}
    if operation := _operation(run):
        attributes["gen_ai.operation.name"] = operation
    match run.type:
        case "llm":
            provider = _told(run, _PROVIDER_KEYS) or _UNKNOWN_PROVIDER
            attributes["gen_ai.provider.name"] = provider
            if model := _told(run, _MODEL_KEYS):
                attributes["gen_ai.request.model"] = model
        case "tool":
            attributes["gen_ai.tool.name"] = run.name
        case "chain" if run.parent is None:
            attributes["gen_ai.agent.name"] = run.name
        case _:
            pass
    return attributes


def end_attributes(run: Run) -> Attributes:
    """What is known of a run at its end, without what was said in it."""
    attributes: Attributes = {}
    if run.error is not None and run.error["stopped"]:
        attributes["chatnb.run.stopped"] = True
    elif run.error is not None:
        attributes["error.type"] = run.error["type"]
    if run.type == "llm":
        attributes.update(_response(run))
        attributes.update(_usage(run))
    if run.first_token_time is not None:
        waited = (run.first_token_time - run.start_time).total_seconds()
        attributes["gen_ai.request.stream"] = True
        attributes["gen_ai.response.time_to_first_chunk"] = waited
    return attributes


def content_attributes(run: Run) -> Attributes:
    """What was said in a run of a chat model or a tool, as JSON."""
    match run.type:
        case "llm":
            said = [_written(message) for message in _messages(run.inputs)]
            replies = [
                {**_written(candidate["message"]), "finish_reason": reason or _BROKEN_OFF}
                for candidate, reason in zip(_candidates(run), _reasons(run), strict=True)
            ]
            attributes: Attributes = {"gen_ai.input.messages": _json(said)}
            if replies:
                attributes["gen_ai.output.messages"] = _json(replies)
            return attributes
        case "tool":
            output = cast("dict[str, Any]", run.output or {})
            attributes = {"gen_ai.tool.call.arguments": to_json(run.inputs)}
            if "output" in output:
                attributes["gen_ai.tool.call.result"] = to_json(output["output"])
            return attributes
        case _:
            return {}


def _operation(run: Run) -> str | None:
    """The conventions know whole workflows, but not their steps."""
    if run.type == "chain" and run.parent is None:
        return "invoke_workflow"
    return _OPERATIONS.get(run.type)


def _told(run: Run, keys: Sequence[str]) -> str | None:
    told = (run.metadata.get(key) for key in keys)
    return next((value for value in told if isinstance(value, str) and value), None)


def _candidates(run: Run) -> list[Mapping[str, Any]]:
    output = cast("dict[str, Any]", run.output or {})
    return [one for candidates in output.get("generations", []) for one in candidates]


def _reasons(run: Run) -> list[str | None]:
    return [one["message"].response_metadata.get("finish_reason") for one in _candidates(run)]


def _response(run: Run) -> Attributes:
    attributes: Attributes = {}
    reasons = _reasons(run)
    if any(reasons) or (reasons and run.error):
        filled = [reason or _BROKEN_OFF for reason in reasons]
        attributes["gen_ai.response.finish_reasons"] = filled
    for candidate in _candidates(run)[:1]:
        message: BaseMessage = candidate["message"]
        if message.id:
            attributes["gen_ai.response.id"] = message.id
        if model := message.response_metadata.get("model_name"):
            attributes["gen_ai.response.model"] = model
    return attributes


def _usage(run: Run) -> Attributes:
    usage = run.usage_metadata
    if usage is None:
        return {}
    attributes: Attributes = {
        "gen_ai.usage.input_tokens": usage["input_tokens"],
        "gen_ai.usage.output_tokens": usage["output_tokens"],
    }
    if cached := usage.get("input_token_details", {}).get("cached"):
        attributes["gen_ai.usage.cache_read.input_tokens"] = cached
    if reasoning := usage.get("output_token_details", {}).get("reasoning"):
        attributes["gen_ai.usage.reasoning.output_tokens"] = reasoning
    return attributes


def _messages(inputs: Any) -> list[BaseMessage]:
    try:
        return to_messages(inputs)
    except (TypeError, ValueError):  # What no chat model takes was not said to one.
        return []


def _written(message: BaseMessage) -> dict[str, Any]:
    kind = message.type.removesuffix("MessageChunk").lower()
    role = message.role if isinstance(message, ChatMessage) else _ROLES.get(kind, kind)
    written: dict[str, Any] = {"role": role, "parts": _parts(message)}
    if message.name:
        written["name"] = message.name
    return written


def _parts(message: BaseMessage) -> list[dict[str, Any]]:
    if isinstance(message, ToolMessage):
        answer = {"type": "tool_call_response", "id": message.tool_call_id}
        return [{**answer, "response": message.content}]
    content = [message.content] if isinstance(message.content, str) else message.content
    parts = [
        {"type": "text", "content": part} if isinstance(part, str) else _part(part)
        for part in content
        if part
    ]
    if isinstance(message, AIMessage):
        if message.reasoning:
            parts.insert(0, {"type": "reasoning", "content": message.reasoning})
        parts += [
            {"type": "tool_call", "id": call["id"], "name": call["name"], "arguments": call["args"]}
            for call in message.tool_calls
        ]
    return parts


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    if part.get("type") == "text":
        return {"type": "text", "content": part.get("text", "")}
    return {"type": "unknown", **part}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=repr)
