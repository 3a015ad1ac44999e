"""Filter, merge and trim the messages of a conversation."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, Literal, Protocol, TypeAlias, cast

from chatnb.schema.merging import Content, ContentPart, join_content, join_dicts
from chatnb.schema.message_types import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    SystemMessage,
    ToolMessage,
)
from chatnb.schema.token_counts import count_tokens_approximately
from chatnb.schema.usage import add_usage

# A message's `type`, such as `human`, or its class.
MessageType: TypeAlias = str | type[BaseMessage]
MessageTypes: TypeAlias = MessageType | Sequence[MessageType]
_KNOWN_TYPES = frozenset(
    f"{name}{ending}" if ending else name.lower()
    for name in ("Human", "AI", "System", "Function", "Tool", "Chat")
    for ending in ("", "MessageChunk")
)
# The types of content parts, and of a provider's own items, that are tool calls.
_CALL_PARTS = frozenset(
    {"custom_tool_call", "function", "function_call", "invalid_tool_call", "tool_call", "tool_use"}
)


class CountsTokens(Protocol):
    """A chat model that counts tokens."""

    def get_num_tokens_from_messages(self, messages: list[BaseMessage]) -> int:
        """Count the tokens of messages."""
        ...


# A function counts a list of messages (`len` counts each as one), or one message if its parameter
# is annotated as a BaseMessage.
TokenCounter: TypeAlias = (
    Callable[[list[BaseMessage]], int]
    | Callable[[BaseMessage], int]
    | CountsTokens
    | Literal["approximate"]
)
TextSplitter: TypeAlias = Callable[[str], list[str]]
_Count: TypeAlias = Callable[[list[BaseMessage]], int]


# The public functions are those of `chatnb.runnables.messages`, which take any input of a chat
# model, and without one are steps of a chain.


def trim_messages(
    messages: list[BaseMessage],
    *,
    max_tokens: int,
    token_counter: TokenCounter,
    strategy: Literal["first", "last"] = "last",
    include_system: bool = False,
    start_on: MessageTypes | None = None,
    end_on: MessageTypes | None = None,
    allow_partial: bool = False,
    text_splitter: TextSplitter | None = None,
) -> list[BaseMessage]:
    """Trim a conversation to a number of tokens.

    Args:
        messages: The conversation, as a chat model takes it; without it, a runnable is returned.
        max_tokens: The maximum number of tokens.
        token_counter: A function of messages, a model, or `approximate`.
        strategy: Keep the `first` or the `last` messages.
        include_system: Also keep a system message at the start; only with `last`.
        start_on: Begin with a message of these types or classes; only with `last`.
        end_on: End with a message of these types or classes.
        allow_partial: Keep a part of the message that does not fit as a whole.
        text_splitter: Splits the text of such a message; by default into lines.

    Returns:
        The messages kept, of at most `max_tokens`, without results of tools whose calls are not
        among them; the given messages are not changed.

    Raises:
        ValueError: If the strategy is unknown or does not go with the other arguments, or if the
            system message alone takes too many tokens.
        TypeError: If the token counter is none of these.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> messages = [HumanMessage("Hi"), AIMessage("Hello."), HumanMessage("Bye")]
        >>> trim_messages(messages, max_tokens=2, token_counter=len, start_on="human")
        [HumanMessage(content='Bye')]
    """
    if max_tokens < 0:
        raise ValueError(f"max_tokens is 0 or more, not {max_tokens}")
    cut = _Cut(max_tokens, _count_function(token_counter), allow_partial, text_splitter or _lines)
    if strategy == "last":
        return cut.last(messages, include_system, start_on, end_on)
    if strategy != "first":
        raise ValueError(f"The strategy is 'first' or 'last', not {strategy!r}")
    if include_system or start_on is not None:
        raise ValueError("include_system and start_on only go with the strategy 'last'")
    return without_lone_results(_ended_on(cut.first(messages), end_on))


def filter_messages(
    messages: list[BaseMessage],
    *,
    include_names: Sequence[str] | None = None,
    exclude_names: Sequence[str] | None = None,
    include_types: MessageTypes | None = None,
    exclude_types: MessageTypes | None = None,
    include_ids: Sequence[str] | None = None,
    exclude_ids: Sequence[str] | None = None,
    exclude_tool_calls: bool | Sequence[str] = False,
) -> list[BaseMessage]:
    """Filter the messages of a conversation.

    Args:
        messages: The conversation, as a chat model takes it; without it, a runnable is returned.
        include_names: Keep messages with these names.
        exclude_names: Drop messages with these names.
        include_types: Keep these types or classes.
        exclude_types: Drop these types or classes.
        include_ids: Keep the messages with these ids.
        exclude_ids: Drop the messages with these ids.
        exclude_tool_calls: Drop all tool calls and their results, or those with these ids.

    Returns:
        The messages that nothing excludes and that match one of the includes, if there are any,
        without results of tools whose calls are not among them; a message that loses some of its
        tool calls is a copy.

    Raises:
        TypeError: If a type is neither a type's name nor a class of messages.
        ValueError: If there is no type of that name.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> filter_messages([HumanMessage("Hi"), AIMessage("Hello.")], include_types="ai")
        [AIMessage(content='Hello.')]
    """
    includes = (include_names, include_types, include_ids)
    excludes = (exclude_names, exclude_types, exclude_ids)
    kept = list[BaseMessage]()
    for message in messages:
        if _matches(message, *excludes):
            continue
        if any(include is not None for include in includes) and not _matches(message, *includes):
            continue
        remaining = _without_calls(message, exclude_tool_calls)
        if remaining is not None:
            kept.append(remaining)
    return without_lone_results(kept)


def merge_message_runs(
    messages: list[BaseMessage], *, chunk_separator: str = "\n"
) -> list[BaseMessage]:
    """Merge consecutive messages from the same speaker.

    Results of tools and functions are not merged, since each belongs to its call.

    Args:
        messages: The conversation, as a chat model takes it; without it, a runnable is returned.
        chunk_separator: The text between two merged texts.

    Returns:
        The merged messages; the given messages are not changed.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> merge_message_runs([HumanMessage("Hi."), HumanMessage("Hello?")])
        [HumanMessage(content='Hi.\\nHello?')]
    """
    runs = list[list[BaseMessage]]()
    for message in messages:
        if runs and _same_speaker(runs[-1][-1], message):
            runs[-1].append(message)
        else:
            runs.append([message])
    return [run[0] if len(run) == 1 else _merged(run, chunk_separator) for run in runs]


def has_type(message: BaseMessage, types: MessageTypes) -> bool:
    """Return whether a message has one of some types; a chunk has its message's type too."""
    several = [types] if isinstance(types, str) or not isinstance(types, Sequence) else types
    return any(_has_one_type(message, type_) for type_ in several)


def _has_one_type(message: BaseMessage, type_: MessageType) -> bool:
    if isinstance(type_, str):
        if type_ not in _KNOWN_TYPES:
            known = ", ".join(sorted(_KNOWN_TYPES))
            raise ValueError(f"There is no message type {type_!r}. Known types: {known}")
        return any(getattr(base, "type", None) == type_ for base in type(message).__mro__)
    if isinstance(type_, type) and issubclass(type_, BaseMessage):  # pyright: ignore[reportUnnecessaryIsInstance]
        return isinstance(message, type_)
    raise TypeError(f"A message type is a name such as 'human' or a class, not {type_!r}")


def _matches(
    message: BaseMessage,
    names: Sequence[str] | None,
    types: MessageTypes | None,
    ids: Sequence[str] | None,
) -> bool:
    return (
        (message.name is not None and message.name in (names or ()))
        or (types is not None and has_type(message, types))
        or (message.id is not None and message.id in (ids or ()))
    )


def without_lone_results(messages: list[BaseMessage]) -> list[BaseMessage]:
    """Return messages without the results of calls that are not before them."""
    called, kept = set[str | None](), list[BaseMessage]()
    for message in messages:
        if isinstance(message, AIMessage):
            calls = (*message.tool_calls, *message.invalid_tool_calls)
            called.update(call.get("id") or "" for call in calls)
            function: dict[str, Any] = message.additional_kwargs.get("function_call") or {}
            called.add(function.get("name"))
        answered = message.name if isinstance(message, FunctionMessage) else None
        if isinstance(message, ToolMessage):
            answered = message.tool_call_id
        if answered is None or answered in called:
            kept.append(message)
    return kept


def _without_calls(message: BaseMessage, excluded: bool | Sequence[str]) -> BaseMessage | None:
    """Return the message without these tool calls, or None if nothing remains."""
    if excluded is False:
        return message
    if isinstance(message, ToolMessage):
        return None if excluded is True or message.tool_call_id in excluded else message
    if not isinstance(message, AIMessage):
        return message
    before = len(message.tool_calls) + len(message.invalid_tool_calls)
    calls = [c for c in message.tool_calls if excluded is not True and c["id"] not in excluded]
    invalid = [
        c for c in message.invalid_tool_calls if excluded is not True and c["id"] not in excluded
    ]
    if len(calls) + len(invalid) == before:
        return message
    if not (calls or invalid):
        return None
    changes: dict[str, Any] = {
        "tool_calls": calls,
        "invalid_tool_calls": invalid,
        "content": _without_call_parts(message.content, excluded),
        "additional_kwargs": {
            key: _without_call_parts(value, excluded)
            for key, value in message.additional_kwargs.items()
        },
    }
    if hasattr(message, "tool_call_chunks"):
        changes["tool_call_chunks"] = []
    return replace(message, **changes)


def _without_call_parts(value: Any, excluded: bool | Sequence[str]) -> Any:
    """Return content, or items of a reply, without the parts of these calls."""
    if not isinstance(value, list):
        return value
    return [part for part in cast("list[Any]", value) if not _is_excluded_call(part, excluded)]


def _is_excluded_call(part: Any, excluded: bool | Sequence[str]) -> bool:
    if not isinstance(part, dict):
        return False
    given = cast("dict[str, Any]", part)
    if given.get("type") not in _CALL_PARTS:
        return False
    return excluded is True or (given.get("call_id") or given.get("id")) in excluded  # pyright: ignore[reportOperatorIssue]


def _same_speaker(left: BaseMessage, right: BaseMessage) -> bool:
    if type(left) is not type(right) or isinstance(left, ToolMessage | FunctionMessage):
        return False
    roles = [message.role if isinstance(message, ChatMessage) else "" for message in (left, right)]
    return left.name == right.name and roles[0] == roles[1]


def _merged(run: list[BaseMessage], separator: str) -> BaseMessage:
    changes: dict[str, Any] = {
        "content": _joined_texts([message.content for message in run], separator),
        "additional_kwargs": join_dicts(message.additional_kwargs for message in run),
        "response_metadata": dict(run[-1].response_metadata),
        "id": next((message.id for message in run if message.id), None),
    }
    replies = [message for message in run if isinstance(message, AIMessage)]
    if replies:
        changes["tool_calls"] = [call for reply in replies for call in reply.tool_calls]
        changes["invalid_tool_calls"] = [c for reply in replies for c in reply.invalid_tool_calls]
        usage = None
        for reply in replies:
            usage = add_usage(usage, reply.usage_metadata)
        changes["usage_metadata"] = usage
    if any(field.name == "tool_call_chunks" for field in fields(run[0])):
        changes["tool_call_chunks"] = []
    return replace(run[0], **changes)


def _joined_texts(contents: list[Content], separator: str) -> Content:
    """Join contents, with the separator between two adjacent texts."""
    joined = list[Content]()
    for content in filter(None, contents):
        if joined and isinstance(joined[-1][-1], str) and isinstance(content[0], str):
            joined.append(separator)
        joined.append(content)
    return join_content(joined) if joined else ""


class _Cut:
    def __init__(
        self, max_tokens: int, count: _Count, allow_partial: bool, split: TextSplitter
    ) -> None:
        self._max_tokens = max_tokens
        self._count = count
        self._allow_partial = allow_partial
        self._split = split

    def first(self, messages: list[BaseMessage]) -> list[BaseMessage]:
        return self._kept(messages, [], from_end=False)

    def last(
        self,
        messages: list[BaseMessage],
        include_system: bool,
        start_on: MessageTypes | None,
        end_on: MessageTypes | None,
    ) -> list[BaseMessage]:
        has_system = bool(messages) and isinstance(messages[0], SystemMessage)
        system = messages[:1] if include_system and has_system else []
        needed = self._count(system) if system else 0
        if needed > self._max_tokens:
            raise ValueError(
                f"The system message alone takes {needed} of {self._max_tokens} tokens"
            )
        kept = self._kept(_ended_on(messages[len(system) :], end_on), system, from_end=True)
        kept = without_lone_results(kept)
        if start_on is not None:
            # A result begins nothing, as its call would have to come before it.
            types = (ToolMessage, FunctionMessage)
            starts = (
                number
                for number, message in enumerate(kept)
                if has_type(message, start_on) and not isinstance(message, types)
            )
            kept = kept[next(starts, len(kept)) :]
        return [*system, *kept]

    def _kept(
        self, messages: list[BaseMessage], system: list[BaseMessage], *, from_end: bool
    ) -> list[BaseMessage]:
        """Return the longest run that fits, from one end, and a part of the next message."""

        def run(length: int) -> list[BaseMessage]:
            return messages[len(messages) - length :] if from_end else messages[:length]

        def fits(kept: list[BaseMessage]) -> bool:
            return self._count([*system, *kept]) <= self._max_tokens

        longest = _largest(len(messages), lambda length: fits(run(length)))
        if longest == len(messages) or not self._allow_partial:
            return run(longest)
        cut_off = messages[len(messages) - longest - 1 if from_end else longest]
        chunks = _split_content(cut_off.content, self._split)

        def partly(size: int) -> list[BaseMessage]:
            some = chunks[len(chunks) - size :] if from_end else chunks[:size]
            part = replace(cut_off, content=_rebuilt(cut_off.content, some))
            return [part, *run(longest)] if from_end else [*run(longest), part]

        size = _largest(len(chunks), lambda size: size == 0 or fits(partly(size)))
        return partly(size) if size else run(longest)


def _largest(most: int, fits: Callable[[int], bool]) -> int:
    """Return the largest number up to `most` that fits; 0 and all below one that fits do too."""
    return bisect_right(range(1, most + 1), 0, key=lambda number: 0 if fits(number) else 1)


def _count_function(counter: TokenCounter) -> _Count:
    if counter == "approximate":
        return count_tokens_approximately
    count: Any = getattr(counter, "get_num_tokens_from_messages", None)
    if count is not None:
        return count
    if not callable(counter):
        raise TypeError(
            f"A token counter is a function of messages, a model, or 'approximate', not {counter!r}"
        )
    annotations = getattr(counter, "__annotations__", {})
    parameter = next((hint for name, hint in annotations.items() if name != "return"), None)
    if parameter is BaseMessage or parameter == "BaseMessage":
        count_one = cast("Callable[[BaseMessage], int]", counter)
        return lambda messages: sum(count_one(message) for message in messages)
    return cast("_Count", counter)


def _ended_on(messages: list[BaseMessage], end_on: MessageTypes | None) -> list[BaseMessage]:
    if end_on is None:
        return messages
    ends = (n for n in range(len(messages), 0, -1) if has_type(messages[n - 1], end_on))
    return messages[: next(ends, 0)]


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _split_content(content: Content, split: TextSplitter) -> list[tuple[int, ContentPart]]:
    """Split a content's texts, each with the index of the part it comes from."""
    chunks = list[tuple[int, ContentPart]]()
    for index, part in enumerate([content] if isinstance(content, str) else content):
        if isinstance(part, str):
            chunks += [(index, text) for text in split(part)]
        elif part.get("type") == "text" and isinstance(part.get("text"), str):
            chunks += [(index, {**part, "text": text}) for text in split(part["text"])]
        else:
            chunks.append((index, part))
    return chunks


def _rebuilt(content: Content, chunks: list[tuple[int, ContentPart]]) -> Content:
    if isinstance(content, str):
        return "".join(str(text) for _, text in chunks)
    parts = dict[int, ContentPart]()
    for index, chunk in chunks:
        before = parts.get(index)
        if isinstance(chunk, str):
            parts[index] = (before if isinstance(before, str) else "") + chunk
        elif isinstance(before, dict):
            parts[index] = {**chunk, "text": before["text"] + chunk["text"]}
        else:
            parts[index] = chunk
    return list(parts.values())
