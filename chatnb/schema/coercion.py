"""What people pass to a chat model, as a list of messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from chatnb.schema.base_message import BaseMessage
from chatnb.schema.merging import Content
from chatnb.schema.openai_dicts import READERS, message_from_openai_dict
from chatnb.schema.prompts import PromptValue
from chatnb.schema.roles import HumanMessage

MessageLike: TypeAlias = BaseMessage | str | tuple[str, Content] | Mapping[str, Any]
ChatInput: TypeAlias = str | BaseMessage | PromptValue | Sequence[MessageLike]

_ACCEPTED = (
    "A chat model takes a string, a message, or a list of messages, "
    '("human", "text") pairs and {"role": "user", "content": "text"} dicts, or a prompt value'
)


def to_messages(value: ChatInput) -> list[BaseMessage]:
    """Turn a chat model's input into messages.

    Args:
        value: A string, a message, a prompt value, or a list of messages, pairs and dicts.

    Returns:
        A new list; messages that were messages already are the same objects.

    Raises:
        TypeError: If the value or an item of it is none of these.
        ValueError: If a role is unknown, or something that it needs is missing.

    Example:
        >>> to_messages([("system", "Be brief."), {"role": "user", "content": "Hi"}])
        [SystemMessage(content='Be brief.'), HumanMessage(content='Hi')]
    """
    if isinstance(value, str):
        return [HumanMessage(value)]
    if isinstance(value, BaseMessage):
        return [value]
    if isinstance(value, list):
        return [_message(item) for item in value]
    if isinstance(value, PromptValue) and not isinstance(value, type):
        return list(value.to_messages())
    raise TypeError(f"{_ACCEPTED}, not {type(value).__name__}: {value!r}")


def _message(item: MessageLike) -> BaseMessage:
    if isinstance(item, BaseMessage):
        return item
    if isinstance(item, str):
        return HumanMessage(item)
    match item:
        case (str(role), content):
            return _read({"role": role, "content": content})
        case {"role": str()} | {"type": str(), "content": _}:
            return _read(item)
        case _:
            raise TypeError(f"{_ACCEPTED}; this item is none of them: {item!r}")


def _read(written: Mapping[str, Any]) -> BaseMessage:
    role = written.get("role") or written.get("type")
    if role not in READERS and written.get("type") != "chat":
        raise ValueError(f"Unknown role {role!r}. Known roles: {', '.join(READERS)}")
    return message_from_openai_dict(written)
