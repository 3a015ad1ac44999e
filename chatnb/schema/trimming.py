"""A conversation cut to a number of tokens."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal, Protocol, TypeAlias, cast

from chatnb.schema.base_message import BaseMessage
from chatnb.schema.merging import Content, ContentPart
from chatnb.schema.roles import AIMessage, SystemMessage
from chatnb.schema.selection import MessageKinds, is_kind

_CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 3


class CountsTokens(Protocol):
    """A chat model that counts tokens."""

    def get_num_tokens_from_messages(self, messages: list[BaseMessage]) -> int:
        """Count the tokens of messages."""
        ...


TokenCounter: TypeAlias = (
    Callable[[list[BaseMessage]], int]
    | Callable[[BaseMessage], int]
    | CountsTokens
    | Literal["approximate"]
)
"""Counts a list of messages (`len` counts each as one), or, where its parameter is annotated as a
BaseMessage, one message."""
TextSplitter: TypeAlias = Callable[[str], list[str]]
_Count: TypeAlias = Callable[[list[BaseMessage]], int]


def count_tokens_approximately(messages: Iterable[BaseMessage]) -> int:
    """Estimate the tokens of messages, without any model's tokenizer.

    Args:
        messages: The messages.

    Returns:
        A token for each four characters of text and of tool calls, and three for each message.

    Example:
        >>> count_tokens_approximately([AIMessage("12345678")])
        5
    """
    tokens = 0
    for message in messages:
        text = message.text + (message.name or "")
        if isinstance(message, AIMessage):
            text += "".join(f"{call['name']}{call['args']}" for call in message.tool_calls)
        tokens += _TOKENS_PER_MESSAGE + -(-len(text) // _CHARACTERS_PER_TOKEN)
    return tokens


def trim_messages(
    messages: Sequence[BaseMessage],
    *,
    max_tokens: int,
    token_counter: TokenCounter,
    strategy: Literal["first", "last"] = "last",
    include_system: bool = False,
    start_on: MessageKinds | None = None,
    end_on: MessageKinds | None = None,
    allow_partial: bool = False,
    text_splitter: TextSplitter | None = None,
) -> list[BaseMessage]:
    """Cut a conversation to a number of tokens.

    Args:
        messages: The conversation.
        max_tokens: The most tokens to keep.
        token_counter: What counts them: a function of messages, a model, or `approximate`.
        strategy: Keep the `first` or the `last` messages.
        include_system: Keep a system message at the start besides; only with `last`.
        start_on: Begin with a message of these types or classes; only with `last`.
        end_on: End with a message of these types or classes.
        allow_partial: Keep a part of the message that does not fit as a whole.
        text_splitter: How a part is cut; without one, by lines.

    Returns:
        The messages kept, never of more tokens than allowed; those given stay as they are.

    Raises:
        ValueError: If the strategy is unknown or does not go with the other arguments, or if the
            system message alone takes too many tokens.
        TypeError: If the token counter counts nothing.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> talk = [HumanMessage("Hi"), AIMessage("Hello."), HumanMessage("Bye")]
        >>> trim_messages(talk, max_tokens=2, token_counter=len, start_on="human")
        [HumanMessage(content='Bye')]
    """
    if max_tokens < 0:
        raise ValueError(f"max_tokens is 0 or more, not {max_tokens}")
    cut = _Cut(max_tokens, _counter(token_counter), allow_partial, text_splitter or _lines)
    if strategy == "last":
        return cut.last(list(messages), include_system, start_on, end_on)
    if strategy != "first":
        raise ValueError(f"The strategy is 'first' or 'last', not {strategy!r}")
    if include_system or start_on is not None:
        raise ValueError("include_system and start_on only go with the strategy 'last'")
    return _ended_on(cut.first(list(messages)), end_on)


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
        start_on: MessageKinds | None,
        end_on: MessageKinds | None,
    ) -> list[BaseMessage]:
        has_system = bool(messages) and isinstance(messages[0], SystemMessage)
        system = messages[:1] if include_system and has_system else []
        needed = self._count(system) if system else 0
        if needed > self._max_tokens:
            raise ValueError(
                f"The system message alone takes {needed} of {self._max_tokens} tokens"
            )
        kept = self._kept(_ended_on(messages[len(system) :], end_on), system, from_end=True)
        if start_on is not None:
            starts = (n for n, message in enumerate(kept) if is_kind(message, start_on))
            kept = kept[next(starts, len(kept)) :]
        return [*system, *kept]

    def _kept(
        self, messages: list[BaseMessage], system: list[BaseMessage], *, from_end: bool
    ) -> list[BaseMessage]:
        """The longest run that fits, from one end, with a part of the next message if allowed."""

        def run(length: int) -> list[BaseMessage]:
            return messages[len(messages) - length :] if from_end else messages[:length]

        def fits(kept: list[BaseMessage]) -> bool:
            return self._count([*system, *kept]) <= self._max_tokens

        longest = _largest(len(messages), lambda length: fits(run(length)))
        if longest == len(messages) or not self._allow_partial:
            return run(longest)
        cut_off = messages[len(messages) - longest - 1 if from_end else longest]
        pieces = _pieces(cut_off.content, self._split)

        def partly(size: int) -> list[BaseMessage]:
            some = pieces[len(pieces) - size :] if from_end else pieces[:size]
            part = replace(cut_off, content=_rebuilt(cut_off.content, some))
            return [part, *run(longest)] if from_end else [*run(longest), part]

        size = _largest(len(pieces), lambda size: size == 0 or fits(partly(size)))
        return partly(size) if size else run(longest)


def _largest(most: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to `most` that fits, where smaller ones fit better; 0 always does."""
    return bisect_right(range(1, most + 1), 0, key=lambda number: 0 if fits(number) else 1)


def _counter(counter: TokenCounter) -> _Count:
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
    parameter = next((kind for name, kind in annotations.items() if name != "return"), None)
    if parameter is BaseMessage or parameter == "BaseMessage":
        count_one = cast("Callable[[BaseMessage], int]", counter)
        return lambda messages: sum(count_one(message) for message in messages)
    return cast("_Count", counter)


def _ended_on(messages: list[BaseMessage], end_on: MessageKinds | None) -> list[BaseMessage]:
    if end_on is None:
        return messages
    ends = (n for n in range(len(messages), 0, -1) if is_kind(messages[n - 1], end_on))
    return messages[: next(ends, 0)]


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _pieces(content: Content, split: TextSplitter) -> list[tuple[int, ContentPart]]:
    """The content in pieces, text split, each with the number of the part it comes from."""
    pieces = list[tuple[int, ContentPart]]()
    for number, part in enumerate([content] if isinstance(content, str) else content):
        if isinstance(part, str):
            pieces += [(number, text) for text in split(part)]
        elif part.get("type") == "text" and isinstance(part.get("text"), str):
            pieces += [(number, {**part, "text": text}) for text in split(part["text"])]
        else:
            pieces.append((number, part))
    return pieces


def _rebuilt(content: Content, pieces: list[tuple[int, ContentPart]]) -> Content:
    if isinstance(content, str):
        return "".join(str(text) for _, text in pieces)
    parts = dict[int, ContentPart]()
    for number, piece in pieces:
        before = parts.get(number)
        if isinstance(piece, str):
            parts[number] = (before if isinstance(before, str) else "") + piece
        elif isinstance(before, dict):
            parts[number] = {**piece, "text": before["text"] + piece["text"]}
        else:
            parts[number] = piece
    return list(parts.values())
