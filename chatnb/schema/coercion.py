"""What people pass to a chat model, as a list of messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from chatnb.schema.messages import AIMessage, BaseMessage, Content, HumanMessage, SystemMessage

MessageLike: TypeAlias = BaseMessage | str | tuple[str, Content] | Mapping[str, Any]
ChatInput: TypeAlias = str | BaseMessage | Sequence[MessageLike]

_CLASSES: dict[str, type[BaseMessage]] = {
    "human": HumanMessage,
    "user": HumanMessage,
    "ai": AIMessage,
    "assistant": AIMessage,
    "system": SystemMessage,
    "developer": SystemMessage,
}
_ACCEPTED = (
    "A chat model takes a string, a message, or a list of messages, "
    '("human", "text") pairs and {"role": "user", "content": "text"} dicts'
)


def to_messages(value: ChatInput) -> list[BaseMessage]:
    """Turn a chat model's input into messages.

    Args:
        value: A string, a message, or a list of messages, pairs and dicts.

    Returns:
        A new list; messages that were messages already are the same objects.

    Raises:
        TypeError: If the value or an item of it is none of these.
        ValueError: If a role is unknown.

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
    raise TypeError(f"{_ACCEPTED}, not {type(value).__name__}: {value!r}")


def _message(item: MessageLike) -> BaseMessage:
    if isinstance(item, BaseMessage):
        return item
    if isinstance(item, str):
        return HumanMessage(item)
    match item:
        case (role, content):
            return _of_role(role, content)
        case {"role": role, "content": content}:
            return _of_role(role, content)
        case _:
            raise TypeError(f"{_ACCEPTED}; this item is none of them: {item!r}")


def _of_role(role: str, content: Content) -> BaseMessage:
    message_class = _CLASSES.get(role)
    if message_class is None:
        raise ValueError(f"Unknown role {role!r}. Known roles: {', '.join(_CLASSES)}")
    return message_class(content)
