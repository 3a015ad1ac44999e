"""A chunk for each kind of message: what a stream yields."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, TypeVar, cast, overload

from chatnb.schema.base_chunk import BaseMessageChunk, ReadLate
from chatnb.schema.base_message import BaseMessage
from chatnb.schema.roles import (
    AIMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    no_calls,
    no_invalid_calls,
)
from chatnb.schema.tool_calls import (
    InvalidToolCall,
    ToolCall,
    ToolCallChunk,
    as_tool_call_chunks,
    parse_tool_call_chunks,
)

_WHOLE = ("stop", "tool_calls", "function_call")
"""The finish reasons of a reply that is complete."""
_PARSED = ("tool_calls", "invalid_tool_calls")
_OFTEN_UNSAID: dict[str, Any] = {
    "additional_kwargs": {},
    "name": None,
    "response_metadata": {},
    "tool_call_chunks": [],
    "usage_metadata": None,
}
"""What a chunk does not keep while nothing was said of it; nearly all chunks are text alone."""
_Message = TypeVar("_Message", bound=BaseMessage)


def no_call_chunks() -> list[ToolCallChunk]:
    """No pieces of calls to begin with."""
    return []


@dataclass(repr=False)
class AIMessageChunk(AIMessage, BaseMessageChunk):
    """A piece of what the model says; pieces add up to the whole.

    `tool_calls` and `invalid_tool_calls` are what `tool_call_chunks` have grown to, parsed when
    they are read. Calls that are given whole become such chunks.

    Args:
        tool_call_chunks: Pieces of tool calls.

    Example:
        >>> AIMessageChunk("Hel") + AIMessageChunk("lo")
        AIMessageChunk(content='Hello')
        >>> sum([AIMessageChunk("Hel"), AIMessageChunk("lo")])
        AIMessageChunk(content='Hello')
    """

    type: ClassVar[str] = "AIMessageChunk"

    tool_calls: list[ToolCall] = field(
        default_factory=no_calls, kw_only=True, repr=False, compare=False
    )
    invalid_tool_calls: list[InvalidToolCall] = field(
        default_factory=no_invalid_calls, kw_only=True, repr=False, compare=False
    )
    tool_call_chunks: list[ToolCallChunk] = field(default_factory=no_call_chunks, kw_only=True)

    def __post_init__(self) -> None:
        said = self.__dict__
        calls, invalid = said.pop("tool_calls"), said.pop("invalid_tool_calls")
        for name, unsaid in _OFTEN_UNSAID.items():
            if said[name] == unsaid:
                del said[name]
        if calls or invalid:
            whole = AIMessage("", tool_calls=calls, invalid_tool_calls=invalid)
            self.tool_call_chunks = self.tool_call_chunks or as_tool_call_chunks(
                whole.tool_calls, whole.invalid_tool_calls
            )
        if type(said["content"]) is not str:
            BaseMessage.__post_init__(self)

    def _parse_calls(self) -> None:
        finished = self.response_metadata.get("finish_reason") in _WHOLE
        calls = parse_tool_call_chunks(self.tool_call_chunks, finished=finished)
        vars(self).update(zip(_PARSED, calls, strict=True))

    def to_message(self) -> AIMessage:
        """The message that this chunk has grown to.

        Returns:
            A new message.

        Example:
            >>> (AIMessageChunk("Hel") + AIMessageChunk("lo")).to_message()
            AIMessage(content='Hello')
        """
        return _copied(self, AIMessage)


for _name in _PARSED:
    setattr(AIMessageChunk, _name, ReadLate(_name, AIMessageChunk._parse_calls))  # pyright: ignore[reportPrivateUsage]


@dataclass(repr=False)
class HumanMessageChunk(HumanMessage, BaseMessageChunk):
    """A piece of what the user says.

    Example:
        >>> HumanMessageChunk("Hel") + HumanMessageChunk("lo")
        HumanMessageChunk(content='Hello')
    """

    type: ClassVar[str] = "HumanMessageChunk"

    def to_message(self) -> HumanMessage:
        """The message that this chunk has grown to."""
        return _copied(self, HumanMessage)


@dataclass(repr=False)
class SystemMessageChunk(SystemMessage, BaseMessageChunk):
    """A piece of what the model is told.

    Example:
        >>> SystemMessageChunk("Be ") + SystemMessageChunk("brief.")
        SystemMessageChunk(content='Be brief.')
    """

    type: ClassVar[str] = "SystemMessageChunk"

    def to_message(self) -> SystemMessage:
        """The message that this chunk has grown to."""
        return _copied(self, SystemMessage)


@dataclass(repr=False)
class FunctionMessageChunk(  # pyright: ignore[reportIncompatibleVariableOverride]
    FunctionMessage, BaseMessageChunk
):
    """A piece of what a function answered.

    Example:
        >>> FunctionMessageChunk("4", name="add") + FunctionMessageChunk("2", name="add")
        FunctionMessageChunk(content='42', name='add')
    """

    type: ClassVar[str] = "FunctionMessageChunk"

    def to_message(self) -> FunctionMessage:
        """The message that this chunk has grown to."""
        return _copied(self, FunctionMessage)


@dataclass(repr=False)
class ToolMessageChunk(ToolMessage, BaseMessageChunk):
    """A piece of what a tool answered.

    Example:
        >>> ToolMessageChunk("4", tool_call_id="c1") + ToolMessageChunk("2", tool_call_id="c1")
        ToolMessageChunk(content='42', tool_call_id='c1')
    """

    type: ClassVar[str] = "ToolMessageChunk"

    def to_message(self) -> ToolMessage:
        """The message that this chunk has grown to."""
        return _copied(self, ToolMessage)


@dataclass(repr=False)
class ChatMessageChunk(ChatMessage, BaseMessageChunk):
    """A piece of what a speaker of any role says.

    Example:
        >>> ChatMessageChunk("H", role="critic") + ChatMessageChunk("m.", role="critic")
        ChatMessageChunk(content='Hm.', role='critic')
    """

    type: ClassVar[str] = "ChatMessageChunk"

    def to_message(self) -> ChatMessage:
        """The message that this chunk has grown to."""
        return _copied(self, ChatMessage)


_CHUNKS: dict[type[BaseMessage], type[BaseMessageChunk]] = {
    AIMessage: AIMessageChunk,
    HumanMessage: HumanMessageChunk,
    SystemMessage: SystemMessageChunk,
    FunctionMessage: FunctionMessageChunk,
    ToolMessage: ToolMessageChunk,
    ChatMessage: ChatMessageChunk,
}


def text_chunk(text: str, id: str | None = None) -> AIMessageChunk:
    """Make a chunk of text alone, as most chunks are, at a fraction of the class's own cost.

    Args:
        text: The text.
        id: The id of the message that it is a piece of.

    Returns:
        The chunk.

    Example:
        >>> text_chunk("Hel", "m1") == AIMessageChunk("Hel", id="m1")
        True
    """
    chunk = object.__new__(AIMessageChunk)
    chunk.__dict__ = {"content": text, "id": id}
    return chunk


def join_chunks(chunks: Iterable[AIMessageChunk]) -> AIMessageChunk:
    """Add up any number of chunks in linear time.

    Args:
        chunks: The chunks in order.

    Returns:
        Their sum; an empty chunk if there are none.

    Example:
        >>> join_chunks([AIMessageChunk("Hel"), AIMessageChunk("lo")])
        AIMessageChunk(content='Hello')
    """
    return sum(chunks, start=AIMessageChunk(""))


@overload
def as_chunk(message: AIMessage) -> AIMessageChunk: ...
@overload
def as_chunk(message: BaseMessage) -> BaseMessageChunk: ...
def as_chunk(message: BaseMessage) -> BaseMessageChunk:
    """A whole message as the only chunk of its stream.

    Args:
        message: Any message.

    Returns:
        A new chunk of the message's kind.

    Raises:
        TypeError: If there are no chunks of that kind.

    Example:
        >>> as_chunk(AIMessage("Hello"))
        AIMessageChunk(content='Hello')
    """
    for message_class, chunk_class in _CHUNKS.items():
        if isinstance(message, message_class):
            return _copied(message, chunk_class)
    raise TypeError(f"There are no chunks of a {type(message).__name__}")


def _copied(message: BaseMessage, target: type[_Message]) -> _Message:
    values = {f.name: getattr(message, f.name) for f in fields(target) if hasattr(message, f.name)}
    for name, value in values.items():
        if isinstance(value, list | dict) and name != "artifact":
            values[name] = cast("list[Any]", value).copy()
    return target(**values)
