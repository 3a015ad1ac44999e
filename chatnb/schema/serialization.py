"""Messages as plain dicts and as JSON, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, cast

from chatnb.schema import messages as _messages
from chatnb.schema.base_message import BaseMessage

_KINDS: dict[str, type[BaseMessage]] = {
    kind.type: kind
    for kind in (
        _messages.AIMessage,
        _messages.AIMessageChunk,
        _messages.ChatMessage,
        _messages.ChatMessageChunk,
        _messages.FunctionMessage,
        _messages.FunctionMessageChunk,
        _messages.HumanMessage,
        _messages.HumanMessageChunk,
        _messages.SystemMessage,
        _messages.SystemMessageChunk,
        _messages.ToolMessage,
        _messages.ToolMessageChunk,
    )
}
_ONLY_OF_LANGCHAIN = {"type", "example", "chunk_position"}
"""What its dicts hold beyond a message's fields, and what says nothing here."""


def message_to_dict(message: BaseMessage) -> dict[str, Any]:
    """Write a message as a dict, in langchain's form.

    Args:
        message: Any message or chunk.

    Returns:
        Its type, and all of its fields under `data`.

    Raises:
        ValueError: If the message is of a kind that cannot be read back.

    Example:
        >>> message_to_dict(_messages.HumanMessage("Hi"))["type"]
        'human'
    """
    if _KINDS.get(message.type) is not type(message):
        raise ValueError(f"A {type(message).__name__} cannot be read back from a dict")
    data = {field.name: _copied(getattr(message, field.name)) for field in fields(message)}
    return {"type": message.type, "data": {**data, "type": message.type}}


def messages_to_dict(messages: Iterable[BaseMessage]) -> list[dict[str, Any]]:
    """Write messages as dicts, in langchain's form.

    Args:
        messages: Any messages.

    Returns:
        A dict a message.

    Raises:
        ValueError: As `message_to_dict`.

    Example:
        >>> len(messages_to_dict([_messages.HumanMessage("Hi")]))
        1
    """
    return [message_to_dict(message) for message in messages]


def message_from_dict(written: Mapping[str, Any]) -> BaseMessage:
    """Read a message from langchain's form of dict.

    Args:
        written: What `message_to_dict` gave.

    Returns:
        The message.

    Raises:
        ValueError: If this is no message's dict, or of a type that does not exist.
        TypeError: If a field has a wrong type, is missing, or does not exist.

    Example:
        >>> message_from_dict({"type": "human", "data": {"content": "Hi"}})
        HumanMessage(content='Hi')
    """
    kind, data = _form(written)
    message_class = _KINDS.get(kind)
    if message_class is None:
        raise ValueError(f"Unknown type of message {kind!r}. Known types: {', '.join(_KINDS)}")
    given = {name: _copied(value) for name, value in data.items() if name not in _ONLY_OF_LANGCHAIN}
    return message_class(**given)


def messages_from_dict(written: Iterable[Mapping[str, Any]]) -> list[BaseMessage]:
    """Read messages from langchain's form of dict.

    Args:
        written: What `messages_to_dict` gave.

    Returns:
        The messages.

    Raises:
        ValueError: As `message_from_dict`.
        TypeError: As `message_from_dict`.

    Example:
        >>> messages_from_dict([{"type": "ai", "data": {"content": "Hello."}}])
        [AIMessage(content='Hello.')]
    """
    return [message_from_dict(message) for message in written]


def messages_to_json(messages: Iterable[BaseMessage], *, indent: int | None = None) -> str:
    """Write messages as JSON.

    Args:
        messages: Any messages.
        indent: Spaces a level, or None for one line.

    Returns:
        The JSON text, which is plain ASCII.

    Raises:
        TypeError: If a message holds something that JSON cannot.

    Example:
        >>> messages_from_json(messages_to_json([_messages.HumanMessage("Hi")]))
        [HumanMessage(content='Hi')]
    """
    try:
        return json.dumps(messages_to_dict(messages), indent=indent)
    except TypeError as error:
        raise TypeError(f"These messages cannot be written as JSON: {error}") from error


def messages_from_json(text: str) -> list[BaseMessage]:
    """Read messages from JSON.

    Args:
        text: What `messages_to_json` gave.

    Returns:
        The messages.

    Raises:
        ValueError: If this is not JSON of messages.
        TypeError: As `message_from_dict`.

    Example:
        >>> messages_from_json('[{"type": "human", "data": {"content": "Hi"}}]')
        [HumanMessage(content='Hi')]
    """
    try:
        written: object = json.loads(text)
    except ValueError as error:
        raise ValueError(f"This is not JSON of messages: {error}") from error
    if not isinstance(written, list):
        raise ValueError(f"JSON of messages is a list, not {text[:80]}")
    return messages_from_dict(cast("list[dict[str, Any]]", written))


def _form(written: Any) -> tuple[str, dict[str, Any]]:
    match written:
        case {"type": str(kind), "data": dict()}:
            return kind, written["data"]
        case _:
            raise ValueError(f'A message is written {{"type": .., "data": {{..}}}}: {written!r}')


def _copied(value: Any) -> Any:
    """Copy dicts and lists, so that neither side changes the other."""
    if isinstance(value, dict):
        return {k: _copied(v) for k, v in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list):
        return [_copied(item) for item in cast("list[Any]", value)]
    return value
