"""Message chunks: the items of a stream, collected when added and joined when first read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from functools import cache
from itertools import groupby
from typing import Any, ClassVar, Self, TypeAlias, TypeVar, cast, overload

from chatnb.schema.merging import (
    FIELD_COMBINERS,
    Content,
    join_content,
    join_dicts,
    join_metadata,
    join_tool_call_chunks,
    last_given,
)
from chatnb.schema.message_class import LazyField, is_default
from chatnb.schema.message_types import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    new_list,
    plain_text,
)
from chatnb.schema.tool_calls import (
    InvalidToolCall,
    ToolCall,
    ToolCallChunk,
    as_tool_call_chunks,
    parse_tool_call_chunks,
)

# The fields of one chunk that are joined when read; a chunk of text alone is its text.
_Delta: TypeAlias = dict[str, Any] | str

_JOINERS: dict[str, Callable[[list[Any]], Any]] = {
    "content": join_content,
    "additional_kwargs": join_dicts,
    "response_metadata": join_metadata,
    "tool_call_chunks": lambda lists: join_tool_call_chunks(c for chunks in lists for c in chunks),
}
_EMPTY: dict[str, Callable[[], Any]] = {
    "additional_kwargs": dict[str, Any],
    "response_metadata": dict[str, Any],
    "tool_call_chunks": list[Any],
}
_new = object.__new__
_ID_AND_CONTENT = 2
_ID_DELTAS_AND_COUNT = 3


class BaseMessageChunk(BaseMessage):
    """A chunk of a message; chunks add up to the whole.

    A sum has the class of its left side.

    Raises:
        TypeError: If anything but a chunk is added.
        ValueError: If chunks of different speakers are added, or if the right side has a value in
            a field that the left class lacks.

    Example:
        >>> HumanMessageChunk("Good ") + HumanMessageChunk("morning")
        HumanMessageChunk(content='Good morning')
    """

    type: ClassVar[str] = "BaseMessageChunk"

    # A sum costs no more than a chunk: fields that have to be joined are kept as they came, in
    # `_deltas`, and joined when first read. Sums with the same beginning share that list; a sum
    # that finds another sum's delta at its index copies the list, so that threads need no lock.

    def __add__(self, other: BaseMessageChunk) -> Self:
        own_class = type(self)
        if type(other) is not own_class:
            return self._sum(other)
        # The fast path of a stream: a sum of text chunks, and one more of them.
        mine, theirs = self.__dict__, other.__dict__
        if len(theirs) != _ID_AND_CONTENT or len(mine) != _ID_DELTAS_AND_COUNT:
            return self._sum(other)
        try:
            deltas, count, text = mine["_deltas"], mine["_count"], theirs["content"]
        except KeyError:
            return self._sum(other)
        if type(text) is not str:
            return self._sum(other)
        deltas.append(text)
        total = _new(own_class)
        total.__dict__ = values = mine.copy()
        values["_count"] = count + 1
        if deltas[count] is not text:
            values["_deltas"] = [*deltas[:count], text]
        if values["id"] is None:
            values["id"] = theirs["id"]
        return total

    def __radd__(self, other: int) -> Self:
        """Accept the 0 that `sum` starts with."""
        if other != 0:
            return NotImplemented
        return self

    def __getstate__(self) -> dict[str, Any]:
        self._join()
        return dict(vars(self))

    def _sum(self, other: BaseMessageChunk) -> Self:
        if not isinstance(other, BaseMessageChunk):  # pyright: ignore[reportUnnecessaryIsInstance]
            return NotImplemented
        if type(self) is not type(other):
            _check_fields(type(self), other)
        total = object.__new__(type(self))
        values = vars(total)
        for name, combine in _combiners(type(self)):
            value = combine(getattr(self, name), getattr(other, name, None))
            if value is not None or name == "id":
                values[name] = value
        values["_deltas"], values["_count"] = self._deltas_with(other._delta())
        return total

    def _deltas_with(self, delta: _Delta) -> tuple[list[_Delta], int]:
        """Return the shared list of deltas with one more, and the number of them in the sum."""
        deltas: list[_Delta] | None = vars(self).get("_deltas")
        if deltas is None or not _JOINERS.keys().isdisjoint(vars(self)):
            return [self._delta(), delta], 2
        count = cast("int", vars(self)["_count"])
        deltas.append(delta)
        if deltas[count] is not delta:
            deltas = [*deltas[:count], delta]
        return deltas, count + 1

    def _delta(self) -> _Delta:
        self._join()
        delta: dict[str, Any] = {}
        for name in _joined_fields(type(self)):
            value: Any = vars(self).get(name)
            if value or name == "content":
                delta[name] = value if isinstance(value, str) else value.copy()
        content = delta["content"]
        return content if len(delta) == 1 and isinstance(content, str) else delta

    def _join(self) -> None:
        """Join the deltas into fields, unless that is done."""
        values, names = vars(self), _joined_fields(type(self))
        deltas: list[_Delta] | None = values.get("_deltas")
        if deltas is not None:
            content, dicts = _split_content(deltas[: values["_count"]])
            values.setdefault("content", content)
            for name in names[1:]:
                values.setdefault(name, _JOINERS[name]([d[name] for d in dicts if name in d]))
            values.pop("_deltas", None)
        for name in names[1:]:
            if name not in values:
                values[name] = _EMPTY[name]()


for _name in _JOINERS:
    setattr(BaseMessageChunk, _name, LazyField(_name, BaseMessageChunk._join))  # pyright: ignore[reportPrivateUsage]


def _split_content(deltas: list[_Delta]) -> tuple[Content, list[dict[str, Any]]]:
    """Return the joined content of deltas, and the deltas that are more than text."""
    try:
        return "".join(cast("list[str]", deltas)), []
    except TypeError:
        contents = [delta if isinstance(delta, str) else delta["content"] for delta in deltas]
        return join_content(contents), [delta for delta in deltas if not isinstance(delta, str)]


@cache
def _joined_fields(chunk_class: type[BaseMessageChunk]) -> tuple[str, ...]:
    names = {field.name for field in fields(chunk_class)}
    return tuple(name for name in _JOINERS if name in names)


@cache
def _combiners(
    chunk_class: type[BaseMessageChunk],
) -> tuple[tuple[str, Callable[[Any, Any], Any]], ...]:
    """Return the fields that are combined at once; those of subclasses keep the later value."""
    skipped = {*_JOINERS, "tool_calls", "invalid_tool_calls"}
    return tuple(
        (field.name, FIELD_COMBINERS.get(field.name, last_given))
        for field in fields(chunk_class)
        if field.name not in skipped
    )


def _check_fields(left: type[BaseMessageChunk], right: BaseMessageChunk) -> None:
    known = {field.name for field in fields(left)}
    for own in fields(right):
        if own.compare and own.name not in known and not is_default(right, own):
            raise ValueError(
                f"A {type(right).__name__} with {own.name} does not add to a {left.__name__}"
            )


COMPLETE_REASONS = ("stop", "tool_calls", "function_call")
"""The finish reasons of replies that the model itself ended."""
_PARSED_TYPES = ("tool_call", "invalid_tool_call")
_PARSED = ("tool_calls", "invalid_tool_calls")
# A chunk does not store these while they are empty: nearly all chunks are text alone.
_NOT_STORED_IF_EMPTY: dict[str, Any] = {
    "additional_kwargs": {},
    "name": None,
    "response_metadata": {},
    "tool_call_chunks": [],
    "usage_metadata": None,
}
_Message = TypeVar("_Message", bound=BaseMessage)


@dataclass(repr=False)
class AIMessageChunk(AIMessage, BaseMessageChunk):
    """A chunk of the model's message; chunks add up to the whole.

    `tool_calls` and `invalid_tool_calls` are parsed from `tool_call_chunks` when they are read.
    Whole calls that are passed become such chunks.

    Args:
        tool_call_chunks: Chunks of tool calls.

    Example:
        >>> AIMessageChunk("Hel") + AIMessageChunk("lo")
        AIMessageChunk(content='Hello')
        >>> sum([AIMessageChunk("Hel"), AIMessageChunk("lo")])
        AIMessageChunk(content='Hello')
    """

    type: ClassVar[str] = "AIMessageChunk"

    tool_calls: list[ToolCall] = field(
        default_factory=new_list, kw_only=True, repr=False, compare=False
    )
    invalid_tool_calls: list[InvalidToolCall] = field(
        default_factory=new_list, kw_only=True, repr=False, compare=False
    )
    tool_call_chunks: list[ToolCallChunk] = field(default_factory=new_list, kw_only=True)

    def __post_init__(self) -> None:
        values = self.__dict__
        calls, invalid = values.pop("tool_calls"), values.pop("invalid_tool_calls")
        for name, empty in _NOT_STORED_IF_EMPTY.items():
            if values[name] == empty:
                del values[name]
        if calls or invalid:
            whole = AIMessage("", tool_calls=calls, invalid_tool_calls=invalid)
            self.tool_call_chunks = self.tool_call_chunks or as_tool_call_chunks(
                whole.tool_calls, whole.invalid_tool_calls
            )
        if type(values["content"]) is not str:
            BaseMessage.__post_init__(self)

    @property
    def answer(self) -> str:
        """The text of the chunk, unless it is commentary before the final answer."""
        # Reading an absent field would create it, and make each later sum slower.
        is_text = len(vars(self)) == _ID_AND_CONTENT
        return plain_text(self) if is_text else super().answer

    def _standard_blocks(self) -> list[dict[str, Any]]:
        blocks = [
            block for block in super()._standard_blocks() if block["type"] not in _PARSED_TYPES
        ]
        return [*blocks, *cast("list[dict[str, Any]]", self.tool_call_chunks)]

    def _parse_calls(self) -> None:
        finished = self.response_metadata.get("finish_reason") in COMPLETE_REASONS
        calls: tuple[list[ToolCall], list[InvalidToolCall]] = [], []
        if chunks := self.tool_call_chunks:
            calls = parse_tool_call_chunks(chunks, finished=finished)
        vars(self).update(zip(_PARSED, calls, strict=True))

    def to_message(self) -> AIMessage:
        """Return the message so far.

        Returns:
            A new message.

        Example:
            >>> (AIMessageChunk("Hel") + AIMessageChunk("lo")).to_message()
            AIMessage(content='Hello')
        """
        return _convert(self, AIMessage)


for _name in _PARSED:
    setattr(AIMessageChunk, _name, LazyField(_name, AIMessageChunk._parse_calls))  # pyright: ignore[reportPrivateUsage]


@dataclass(repr=False)
class HumanMessageChunk(HumanMessage, BaseMessageChunk):
    """A chunk of a user's message.

    Example:
        >>> HumanMessageChunk("Hel") + HumanMessageChunk("lo")
        HumanMessageChunk(content='Hello')
    """

    type: ClassVar[str] = "HumanMessageChunk"

    def to_message(self) -> HumanMessage:
        """Return the message so far."""
        return _convert(self, HumanMessage)


@dataclass(repr=False)
class SystemMessageChunk(SystemMessage, BaseMessageChunk):
    """A chunk of a system message.

    Example:
        >>> SystemMessageChunk("Be ") + SystemMessageChunk("brief.")
        SystemMessageChunk(content='Be brief.')
    """

    type: ClassVar[str] = "SystemMessageChunk"

    def to_message(self) -> SystemMessage:
        """Return the message so far."""
        return _convert(self, SystemMessage)


@dataclass(repr=False)
class FunctionMessageChunk(  # pyright: ignore[reportIncompatibleVariableOverride]
    FunctionMessage, BaseMessageChunk
):
    """A chunk of a function's result.

    Example:
        >>> FunctionMessageChunk("4", name="add") + FunctionMessageChunk("2", name="add")
        FunctionMessageChunk(content='42', name='add')
    """

    type: ClassVar[str] = "FunctionMessageChunk"

    def to_message(self) -> FunctionMessage:
        """Return the message so far."""
        return _convert(self, FunctionMessage)


@dataclass(repr=False)
class ToolMessageChunk(ToolMessage, BaseMessageChunk):
    """A chunk of a tool's result.

    Example:
        >>> ToolMessageChunk("4", tool_call_id="c1") + ToolMessageChunk("2", tool_call_id="c1")
        ToolMessageChunk(content='42', tool_call_id='c1')
    """

    type: ClassVar[str] = "ToolMessageChunk"

    def to_message(self) -> ToolMessage:
        """Return the message so far."""
        return _convert(self, ToolMessage)


@dataclass(repr=False)
class ChatMessageChunk(ChatMessage, BaseMessageChunk):
    """A chunk of a message from a speaker of any role.

    Example:
        >>> ChatMessageChunk("H", role="critic") + ChatMessageChunk("m.", role="critic")
        ChatMessageChunk(content='Hm.', role='critic')
    """

    type: ClassVar[str] = "ChatMessageChunk"

    def to_message(self) -> ChatMessage:
        """Return the message so far."""
        return _convert(self, ChatMessage)


_CHUNK_CLASSES: dict[type[BaseMessage], type[BaseMessageChunk]] = {
    AIMessage: AIMessageChunk,
    HumanMessage: HumanMessageChunk,
    SystemMessage: SystemMessageChunk,
    FunctionMessage: FunctionMessageChunk,
    ToolMessage: ToolMessageChunk,
    ChatMessage: ChatMessageChunk,
}


def text_chunk(text: str, id: str | None = None) -> AIMessageChunk:
    """Return a chunk of text alone, at a fraction of the cost of calling the class."""
    chunk = object.__new__(AIMessageChunk)
    chunk.__dict__ = {"content": text, "id": id}
    return chunk


def bare_chunk(content: Content = "", id: str | None = None, **fields: Any) -> AIMessageChunk:
    """Return a chunk of fields that are right and not empty, as cheaply as `text_chunk`."""
    chunk = object.__new__(AIMessageChunk)
    chunk.__dict__ = {"content": content, "id": id, **fields}
    return chunk


def join_chunks(chunks: Iterable[AIMessageChunk]) -> AIMessageChunk:
    """Add up any number of chunks in linear time."""
    parts = list[AIMessageChunk]()
    for is_text, group in groupby(chunks, _is_text_alone):
        some = list(group)
        if is_text:
            id = next((chunk.id for chunk in some if chunk.id is not None), None)
            some = [text_chunk("".join([chunk.__dict__["content"] for chunk in some]), id)]
        parts += some
    # To add to an empty chunk would join a sum that was only collected.
    return sum(parts[1:], start=parts[0]) if parts else AIMessageChunk("")


def _is_text_alone(chunk: AIMessageChunk) -> bool:
    values = chunk.__dict__
    return len(values) == _ID_AND_CONTENT and type(values.get("content")) is str


@overload
def as_chunk(message: AIMessage) -> AIMessageChunk: ...
@overload
def as_chunk(message: BaseMessage) -> BaseMessageChunk: ...
def as_chunk(message: BaseMessage) -> BaseMessageChunk:
    """Convert a whole message to a chunk."""
    for message_class, chunk_class in _CHUNK_CLASSES.items():
        if isinstance(message, message_class):
            return _convert(message, chunk_class)
    raise TypeError(f"There is no chunk class for a {type(message).__name__}")


def _convert(message: BaseMessage, target: type[_Message]) -> _Message:
    values = {f.name: getattr(message, f.name) for f in fields(target) if hasattr(message, f.name)}
    for name, value in values.items():
        if isinstance(value, list | dict) and name != "artifact":
            values[name] = cast("list[Any]", value).copy()
    return target(**values)
