"""Which messages of a conversation go on: filtered, and merged where one speaker goes on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import Any, TypeAlias

from chatnb.schema.base_message import BaseMessage
from chatnb.schema.coercion import MessageLike, to_messages
from chatnb.schema.merging import Content, join_content, join_dicts
from chatnb.schema.roles import AIMessage, ChatMessage, FunctionMessage, ToolMessage
from chatnb.schema.usage import add_usage

MessageKind: TypeAlias = str | type[BaseMessage]
"""A message's `type`, such as `human`, or its class."""
MessageKinds: TypeAlias = MessageKind | Sequence[MessageKind]

_KNOWN_KINDS = frozenset(
    f"{name}{ending}" if ending else name.lower()
    for name in ("Human", "AI", "System", "Function", "Tool", "Chat")
    for ending in ("", "MessageChunk")
)


def is_kind(message: BaseMessage, kinds: MessageKinds) -> bool:
    """Tell whether a message is of one of some kinds.

    Args:
        message: Any message.
        kinds: Types or classes, one or several; a chunk counts as its kind of message.

    Returns:
        Whether it is.

    Raises:
        TypeError: If a kind is neither a type's name nor a class of messages.
        ValueError: If there is no type of that name.

    Example:
        >>> is_kind(AIMessage("Hello."), ["human", AIMessage])
        True
    """
    several = [kinds] if isinstance(kinds, str) or not isinstance(kinds, Sequence) else kinds
    return any(_is_one_kind(message, kind) for kind in several)


def _is_one_kind(message: BaseMessage, kind: MessageKind) -> bool:
    if isinstance(kind, str):
        if kind not in _KNOWN_KINDS:
            known = ", ".join(sorted(_KNOWN_KINDS))
            raise ValueError(f"There is no kind of message called {kind!r}. Known kinds: {known}")
        return any(getattr(base, "type", None) == kind for base in type(message).__mro__)
    if isinstance(kind, type) and issubclass(kind, BaseMessage):  # pyright: ignore[reportUnnecessaryIsInstance]
        return isinstance(message, kind)
    raise TypeError(f"A kind of message is a type such as 'human' or a class, not {kind!r}")


def filter_messages(
    messages: Iterable[MessageLike],
    *,
    include_names: Sequence[str] | None = None,
    exclude_names: Sequence[str] | None = None,
    include_types: MessageKinds | None = None,
    exclude_types: MessageKinds | None = None,
    include_ids: Sequence[str] | None = None,
    exclude_ids: Sequence[str] | None = None,
    exclude_tool_calls: bool | Sequence[str] = False,
) -> list[BaseMessage]:
    """Leave out messages.

    Args:
        messages: The conversation.
        include_names: Keep what these speakers said.
        exclude_names: Leave out what these speakers said.
        include_types: Keep these types or classes.
        exclude_types: Leave out these types or classes.
        include_ids: Keep the messages with these ids.
        exclude_ids: Leave out the messages with these ids.
        exclude_tool_calls: Leave out all tool calls and answers to them, or those of these ids.

    Returns:
        The messages that nothing excludes and that match one of the things to include, if there
        are any; a message that loses some of its tool calls is a copy.

    Raises:
        TypeError: If a kind is neither a type's name nor a class of messages.
        ValueError: If there is no type of that name.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> filter_messages([HumanMessage("Hi"), AIMessage("Hello.")], include_types="ai")
        [AIMessage(content='Hello.')]
    """
    includes = (include_names, include_types, include_ids)
    excludes = (exclude_names, exclude_types, exclude_ids)
    kept = list[BaseMessage]()
    for message in to_messages(list(messages)):
        if _matches(message, *excludes):
            continue
        if any(include is not None for include in includes) and not _matches(message, *includes):
            continue
        remaining = _without_calls(message, exclude_tool_calls)
        if remaining is not None:
            kept.append(remaining)
    return kept


def _matches(
    message: BaseMessage,
    names: Sequence[str] | None,
    kinds: MessageKinds | None,
    ids: Sequence[str] | None,
) -> bool:
    return (
        (message.name is not None and message.name in (names or ()))
        or (kinds is not None and is_kind(message, kinds))
        or (message.id is not None and message.id in (ids or ()))
    )


def _without_calls(message: BaseMessage, excluded: bool | Sequence[str]) -> BaseMessage | None:
    """The message without these tool calls; None if nothing else was in it."""
    if excluded is False:
        return message
    if isinstance(message, ToolMessage):
        return None if excluded is True or message.tool_call_id in excluded else message
    if not isinstance(message, AIMessage) or not message.tool_calls:
        return message
    calls = [c for c in message.tool_calls if excluded is not True and c["id"] not in excluded]
    if not calls:
        return None
    return message if len(calls) == len(message.tool_calls) else _with_calls(message, calls)


def _with_calls(message: AIMessage, calls: list[Any]) -> AIMessage:
    given: dict[str, Any] = {"tool_calls": calls}
    if hasattr(message, "tool_call_chunks"):
        given["tool_call_chunks"] = []
    return replace(message, **given)


def merge_message_runs(
    messages: Iterable[MessageLike], *, chunk_separator: str = "\n"
) -> list[BaseMessage]:
    """Merge messages that follow one another from the same speaker.

    Answers of tools and functions stay apart, since each belongs to its call.

    Args:
        messages: The conversation.
        chunk_separator: What goes between two texts.

    Returns:
        The merged messages; those given stay as they are.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> merge_message_runs([HumanMessage("Hi."), HumanMessage("Hello?")])
        [HumanMessage(content='Hi.\\nHello?')]
    """
    runs = list[list[BaseMessage]]()
    for message in to_messages(list(messages)):
        if runs and _same_speaker(runs[-1][-1], message):
            runs[-1].append(message)
        else:
            runs.append([message])
    return [run[0] if len(run) == 1 else _merged(run, chunk_separator) for run in runs]


def _same_speaker(left: BaseMessage, right: BaseMessage) -> bool:
    if type(left) is not type(right) or isinstance(left, ToolMessage | FunctionMessage):
        return False
    roles = [message.role if isinstance(message, ChatMessage) else "" for message in (left, right)]
    return left.name == right.name and roles[0] == roles[1]


def _merged(run: list[BaseMessage], separator: str) -> BaseMessage:
    given: dict[str, Any] = {
        "content": _joined_texts([message.content for message in run], separator),
        "additional_kwargs": join_dicts(message.additional_kwargs for message in run),
        "response_metadata": dict(run[-1].response_metadata),
        "id": next((message.id for message in run if message.id), None),
    }
    replies = [message for message in run if isinstance(message, AIMessage)]
    if replies:
        given["tool_calls"] = [call for reply in replies for call in reply.tool_calls]
        given["invalid_tool_calls"] = [c for reply in replies for c in reply.invalid_tool_calls]
        usage = None
        for reply in replies:
            usage = add_usage(usage, reply.usage_metadata)
        given["usage_metadata"] = usage
    if any(field.name == "tool_call_chunks" for field in fields(run[0])):
        given["tool_call_chunks"] = []
    return replace(run[0], **given)


def _joined_texts(contents: list[Content], separator: str) -> Content:
    """Join contents, with the separator where one text follows another."""
    pieces = list[Content]()
    for content in contents:
        if pieces and content and _ends_in_text(pieces[-1]) and _begins_with_text(content):
            pieces.append(separator)
        if content:
            pieces.append(content)
    return join_content(pieces) if pieces else ""


def _ends_in_text(content: Content) -> bool:
    return isinstance(content[-1], str)


def _begins_with_text(content: Content) -> bool:
    return isinstance(content[0], str)
