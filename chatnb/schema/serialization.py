"""Messages as plain dicts in LangChain's form and as JSON, and the check of what is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, TypeAlias, TypeVar, cast

from chatnb.schema import messages as _messages
from chatnb.schema.message_types import COMMENTARY, BaseMessage
from chatnb.strict_json import parse_json

M = TypeVar("M", bound=BaseMessage)
_Check: TypeAlias = Callable[[Any], bool]

_CLASSES: dict[str, type[BaseMessage]] = {
    message_class.type: message_class
    for message_class in (
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
# Fields of LangChain's dicts that messages do not have.
_LANGCHAIN_ONLY = {"type", "example", "chunk_position"}


def message_to_dict(message: BaseMessage) -> dict[str, Any]:
    """Convert a message to a dict in LangChain's form.

    Args:
        message: Any message or chunk.

    Returns:
        Its type, and all of its fields under `data`.

    Raises:
        ValueError: If the message is of a class that cannot be read back.

    Example:
        >>> message_to_dict(_messages.HumanMessage("Hi"))["type"]
        'human'
    """
    data = {name: _copied(value) for name, value in _field_values(message)}
    return {"type": message.type, "data": {**data, "type": message.type}}


def _field_values(message: BaseMessage) -> Iterator[tuple[str, Any]]:
    if _CLASSES.get(message.type) is not type(message):
        raise ValueError(f"A {type(message).__name__} cannot be read back from a dict")
    return ((name, getattr(message, name)) for name in _field_names(type(message)))


@cache
def _field_names(message_class: type[BaseMessage]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(message_class))


def messages_to_dict(messages: Iterable[BaseMessage]) -> list[dict[str, Any]]:
    """Convert messages to dicts in LangChain's form.

    Args:
        messages: Any messages.

    Returns:
        A dict for each message.

    Raises:
        ValueError: As `message_to_dict`.

    Example:
        >>> len(messages_to_dict([_messages.HumanMessage("Hi")]))
        1
    """
    return [message_to_dict(message) for message in messages]


def message_from_dict(written: Mapping[str, Any]) -> BaseMessage:
    """Convert a dict in LangChain's form to a message.

    Args:
        written: The return value of `message_to_dict`.

    Returns:
        The message.

    Raises:
        ValueError: If this is not a message's dict, or its type is unknown.
        TypeError: If a field has a wrong type, is missing, or does not exist.

    Example:
        >>> message_from_dict({"type": "human", "data": {"content": "Hi"}})
        HumanMessage(content='Hi')
    """
    type_, data = _type_and_data(written)
    message_class = _CLASSES.get(type_)
    if message_class is None:
        known = ", ".join(_CLASSES)
        raise ValueError(f"Unknown message type {type_!r:.80}. Known types: {known}")
    given = {name: _copied(value) for name, value in data.items() if name not in _LANGCHAIN_ONLY}
    return checked_message(message_class(**given))


def messages_from_dict(written: Iterable[Mapping[str, Any]]) -> list[BaseMessage]:
    """Convert dicts in LangChain's form to messages.

    Args:
        written: The return value of `messages_to_dict`.

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
    """Convert messages to JSON.

    Args:
        messages: Any messages.
        indent: Spaces for each level, or None for one line.

    Returns:
        The JSON, in plain ASCII.

    Raises:
        TypeError: If a message holds a value that JSON cannot express.

    Example:
        >>> messages_from_json(messages_to_json([_messages.HumanMessage("Hi")]))
        [HumanMessage(content='Hi')]
    """
    try:
        # Without the copies of `messages_to_dict`, since nothing is changed.
        written = [
            {"type": message.type, "data": {**dict(_field_values(message)), "type": message.type}}
            for message in messages
        ]
        return json.dumps(written, indent=indent)
    except TypeError as error:
        raise TypeError(f"These messages cannot be written as JSON: {error}") from error


def messages_from_json(text: str) -> list[BaseMessage]:
    """Convert JSON to messages.

    Args:
        text: The return value of `messages_to_json`.

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
        written: object = parse_json(text)
    except ValueError as error:
        raise ValueError(f"This is not JSON of messages: {error}") from error
    if not isinstance(written, list):
        raise ValueError(f"JSON of messages is a list, not {written!r:.80}")
    return messages_from_dict(cast("list[dict[str, Any]]", written))


def _type_and_data(written: Any) -> tuple[str, dict[str, Any]]:
    match written:
        case {"type": str(type_), "data": dict()}:
            return type_, written["data"]
        case _:
            raise ValueError(
                f'A message has the form {{"type": .., "data": {{..}}}}: {written!r:.200}'
            )


def _copied(value: Any) -> Any:
    # Plainer and faster than json_patch.copy_document, which also copies cycles.
    if isinstance(value, dict):
        return {k: _copied(v) for k, v in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list):
        return [_copied(item) for item in cast("list[Any]", value)]
    return value


_MAX_COUNT = 2**53
_NO_DETAILS = dict[str, object]()
_TEXT_PARTS = ("text", "input_text", "output_text", "refusal", "thinking", "reasoning")


def checked_message(message: M) -> M:
    """Return the message; raise a TypeError if a field has not the type that readers rely on."""
    for name, value in vars(message).items():
        check = _CHECKS.get(name)
        if check is not None and not check(value):
            raise TypeError(f"the {name} of a message cannot be {value!r:.80}")
    return message


def with_readable_fields(message: BaseMessage) -> BaseMessage:
    """Return the message without the fields that `checked_message` would not read back."""
    state = cast("dict[str, Any]", message.__getstate__())  # Of a sum of chunks, its joined fields.
    bad = [name for name, value in state.items() if name in _CHECKS and not _CHECKS[name](value)]
    optional = {field.name for field in fields(message) if field.kw_only}
    if optional.isdisjoint(bad):
        return message
    return type(message)(**{name: value for name, value in state.items() if name not in bad})


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MAX_COUNT


def _is_content(value: object) -> bool:
    if isinstance(value, str):
        return True
    return isinstance(value, list) and all(map(_is_part, cast("list[object]", value)))


def _is_part(value: object) -> bool:
    if not isinstance(value, dict):
        return isinstance(value, str)
    part = cast("dict[str, object]", value)
    type = part.get("type")
    is_read_as_text = type is None or type in _TEXT_PARTS
    return _is_text(type) and (not is_read_as_text or _is_text(part.get("text")))


def is_usage(value: object) -> bool:
    """Return whether a value is token usage, or None."""
    if not value or not isinstance(value, dict):
        return value is None or value == {}
    usage = cast("dict[str, object]", value)
    counts = ("input_tokens", "output_tokens", "total_tokens")
    details = (usage.get(f"{side}_token_details", _NO_DETAILS) for side in ("input", "output"))
    return (
        all(_is_count(usage.get(name)) for name in counts)
        and all(map(_is_details, details))
        and _is_amount(usage.get("cost", 0.0))
        and _is_text(usage.get("service_tier"))
    )


def _is_amount(value: object) -> bool:
    return type(value) in (int, float) and 0 <= cast("float", value) <= _MAX_COUNT


def _is_details(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_count, cast("dict[str, Any]", value).values()))


def _has_texts(*names: str) -> _Check:
    """Return the check of a dict in which some values are texts, if they are there."""
    return lambda value: (
        isinstance(value, dict)
        and all(_is_text(cast("dict[str, object]", value).get(name)) for name in names)
    )


def _calls(value: object) -> Iterator[dict[str, Any] | None]:
    if not isinstance(value, list):
        yield None
        return
    for call in cast("list[object]", value):
        yield cast("dict[str, Any]", call) if isinstance(call, dict) else None


def _are_calls(value: object) -> bool:
    return all(
        call is not None
        and isinstance(call.get("name"), str)
        and isinstance(call.get("args"), dict)
        and _is_text(call.get("id"))
        for call in _calls(value)
    )


def _are_unfinished_calls(value: object) -> bool:
    texts = ("name", "args", "id", "error")
    return all(
        call is not None
        and all(_is_text(call.get(name)) for name in texts)
        and isinstance(call.get("index"), int | None)
        for call in _calls(value)
    )


# By the field's name; `artifact` may be anything.
_CHECKS: dict[str, _Check] = {
    "content": _is_content,
    "additional_kwargs": _has_texts("reasoning_content", "refusal", COMMENTARY),
    "response_metadata": _has_texts("finish_reason", "model_name"),
    "name": _is_text,
    "id": _is_text,
    "usage_metadata": is_usage,
    "tool_calls": _are_calls,
    "invalid_tool_calls": _are_unfinished_calls,
    "tool_call_chunks": _are_unfinished_calls,
}
