"""Messages as OpenAI's dicts, in both directions.

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from chatnb.schema.base_message import BaseMessage
from chatnb.schema.merging import Content
from chatnb.schema.roles import (
    AIMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from chatnb.schema.tool_calls import InvalidToolCall, ToolCall, parse_tool_call

_DEVELOPER = "__openai_role__"
"""Where a system message keeps that its role is called `developer`."""
_OWN_FIELDS = {"role", "type", "content", "name", "tool_calls", "tool_call_id", "id"}
_SENT_BACK = ("function_call", "refusal")


def message_to_openai(message: BaseMessage) -> dict[str, Any]:
    """Write a message as OpenAI's dict.

    Reasoning, usage, artifacts and ids of replies have no place there and are left out.

    Args:
        message: Any message or chunk.

    Returns:
        The dict.

    Raises:
        ValueError: If OpenAI has no role for this kind of message.

    Example:
        >>> message_to_openai(HumanMessage("Hi", name="ada"))
        {'role': 'user', 'content': 'Hi', 'name': 'ada'}
    """
    written: dict[str, Any] = {"role": _role(message), "content": _written(message.content)}
    if message.name:
        written["name"] = message.name
    if isinstance(message, ToolMessage):
        written["tool_call_id"] = message.tool_call_id
    if isinstance(message, AIMessage):
        _write_calls(message, written)
    return written


def convert_to_openai_messages(
    messages: BaseMessage | Sequence[BaseMessage],
) -> dict[str, Any] | list[dict[str, Any]]:
    """Write messages as OpenAI's dicts.

    Args:
        messages: One message, or several.

    Returns:
        A dict for one message, a list for several.

    Raises:
        ValueError: If OpenAI has no role for a message.

    Example:
        >>> convert_to_openai_messages([HumanMessage("Hi")])
        [{'role': 'user', 'content': 'Hi'}]
    """
    if isinstance(messages, BaseMessage):
        return message_to_openai(messages)
    return [message_to_openai(message) for message in messages]


def message_from_openai_dict(written: Mapping[str, Any]) -> BaseMessage:
    """Read a message from OpenAI's dict.

    Args:
        written: A dict with a role; a role of its own makes a ChatMessage.

    Returns:
        The message; fields it does not have go into `additional_kwargs`.

    Raises:
        ValueError: If the role or something that the role needs is missing.
        TypeError: If the content is neither text nor parts.

    Example:
        >>> message_from_openai_dict({"role": "assistant", "content": "Hello."})
        AIMessage(content='Hello.')
    """
    role = written.get("role") or written.get("type")
    if not isinstance(role, str):
        raise ValueError(f"A message needs a role, such as 'user': {dict(written)!r}")
    read = READERS.get(role)
    if read is None:
        return ChatMessage(_content(written), role=role, **_rest(written))
    return read(written)


def messages_from_openai_dicts(written: Iterable[Mapping[str, Any]]) -> list[BaseMessage]:
    """Read messages from OpenAI's dicts.

    Args:
        written: The dicts.

    Returns:
        The messages.

    Raises:
        ValueError: As `message_from_openai_dict`.

    Example:
        >>> messages_from_openai_dicts([{"role": "user", "content": "Hi"}])
        [HumanMessage(content='Hi')]
    """
    return [message_from_openai_dict(message) for message in written]


def read_tool_calls(
    calls: Iterable[Mapping[str, Any]] | None, *, finished: bool
) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    """Read the tool calls of OpenAI's dict.

    Args:
        calls: What stands under `tool_calls`.
        finished: Whether the model said that it was done.

    Returns:
        The valid calls and the invalid ones.

    Example:
        >>> written = {"id": "c1", "function": {"name": "add", "arguments": "{}"}}
        >>> read_tool_calls([written], finished=True)[0]
        [{'name': 'add', 'args': {}, 'id': 'c1', 'type': 'tool_call'}]
    """
    valid, invalid = list[ToolCall](), list[InvalidToolCall]()
    for written in calls or ():
        function: Mapping[str, Any] = written.get("function") or {}
        args = function.get("arguments")
        if args is not None and not isinstance(args, str):
            args = json.dumps(args, ensure_ascii=False)
        call = parse_tool_call(function.get("name"), args, written.get("id"), finished=finished)
        if "error" in call:
            invalid.append(call)
        else:
            valid.append(call)
    return valid, invalid


def _role(message: BaseMessage) -> str:
    match message:
        case HumanMessage():
            return "user"
        case AIMessage():
            return "assistant"
        case SystemMessage():
            return str(message.additional_kwargs.get(_DEVELOPER) or "system")
        case ToolMessage():
            return "tool"
        case FunctionMessage():
            return "function"
        case ChatMessage():
            return message.role
        case _:
            raise ValueError(f"OpenAI has no role for a {type(message).__name__}")


def _written(content: Content) -> Content:
    if isinstance(content, str):
        return content
    return [{"type": "text", "text": part} if isinstance(part, str) else part for part in content]


def _write_calls(message: AIMessage, written: dict[str, Any]) -> None:
    said = message.additional_kwargs
    calls = [
        _written_call(call, json.dumps(call["args"], ensure_ascii=False))
        for call in message.tool_calls
    ]
    calls += [_written_call(call, call["args"] or "") for call in message.invalid_tool_calls]
    if calls or said.get("tool_calls"):
        written["tool_calls"] = calls or said["tool_calls"]
    written.update((name, said[name]) for name in _SENT_BACK if said.get(name))
    audio = cast("Mapping[str, Any]", said.get("audio") or {})
    if audio.get("id"):
        written["audio"] = {"id": audio["id"]}
    if not message.content and written.keys() & {"tool_calls", "function_call", "refusal", "audio"}:
        written["content"] = None


def _written_call(call: ToolCall | InvalidToolCall, arguments: str) -> dict[str, Any]:
    function = {"name": call["name"] or "", "arguments": arguments}
    return {"type": "function", "id": call["id"], "function": function}


def _content(written: Mapping[str, Any]) -> Content:
    if "content" not in written:
        raise ValueError(f"A message needs content: {dict(written)!r}")
    return written["content"]


def _rest(written: Mapping[str, Any]) -> dict[str, Any]:
    """What every kind of message has besides its content, where it is given."""
    extra = {
        name: value
        for name, value in written.items()
        if name not in _OWN_FIELDS and value not in (None, [], {})
    }
    rest: dict[str, Any] = {"additional_kwargs": extra} if extra else {}
    rest.update((name, written[name]) for name in ("name", "id") if written.get(name))
    return rest


def _needed(written: Mapping[str, Any], name: str) -> str:
    if not written.get(name):
        role = written.get("role") or written.get("type")
        raise ValueError(f"A message of the role {role!r} needs a {name}: {dict(written)!r}")
    return written[name]


def _read_human(written: Mapping[str, Any]) -> BaseMessage:
    return HumanMessage(_content(written), **_rest(written))


def _read_system(written: Mapping[str, Any]) -> BaseMessage:
    return SystemMessage(_content(written), **_rest(written))


def _read_developer(written: Mapping[str, Any]) -> BaseMessage:
    return _read_system({**written, _DEVELOPER: "developer"})


def _read_ai(written: Mapping[str, Any]) -> BaseMessage:
    rest = _rest(written)
    calls, invalid = read_tool_calls(written.get("tool_calls"), finished=True)
    said_without_content = calls or invalid or rest.get("additional_kwargs")
    content = (written.get("content") or "") if said_without_content else _content(written)
    return AIMessage(content, tool_calls=calls, invalid_tool_calls=invalid, **rest)


def _read_tool(written: Mapping[str, Any]) -> BaseMessage:
    id, rest = _needed(written, "tool_call_id"), _rest(written)
    return ToolMessage(_content(written), tool_call_id=id, **rest)


def _read_function(written: Mapping[str, Any]) -> BaseMessage:
    _needed(written, "name")
    return FunctionMessage(_content(written), **_rest(written))


def _read_chat(written: Mapping[str, Any]) -> BaseMessage:
    return ChatMessage(_content(written), role=written.get("role") or "chat", **_rest(written))


READERS: Mapping[str, Callable[[Mapping[str, Any]], BaseMessage]] = {
    "human": _read_human,
    "user": _read_human,
    "ai": _read_ai,
    "assistant": _read_ai,
    "system": _read_system,
    "developer": _read_developer,
    "function": _read_function,
    "tool": _read_tool,
    "chat": _read_chat,
}
"""How the messages of each known role are read."""
