"""The sum of chunks, gathered when it is made and joined when it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, ClassVar, Self, TypeAlias, cast

from chatnb.schema.base_message import BaseMessage, at_default
from chatnb.schema.merging import (
    Content,
    join_content,
    join_dicts,
    join_metadata,
    join_tool_call_chunks,
)
from chatnb.schema.usage import latest_usage

Said: TypeAlias = dict[str, Any] | str
"""What one chunk said, of the fields that are joined when they are read; text alone as it is."""

_JOINED: dict[str, Callable[[list[Any]], Any]] = {
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
_ID_PIECES_AND_COUNT = 3


class ReadLate:
    """A field that is not there until it is read, and then stays.

    Args:
        name: The field.
        read: What puts the field into a chunk.
    """

    def __init__(self, name: str, read: Callable[[Any], None]) -> None:
        self._name = name
        self._read = read

    def __get__(self, chunk: object, owner: type | None = None) -> Any:
        if chunk is None:
            return self
        self._read(chunk)
        try:
            return vars(chunk)[self._name]
        except KeyError:
            raise AttributeError(f"{type(chunk).__name__} has no {self._name}") from None


class BaseMessageChunk(BaseMessage):
    """A piece of a message; pieces add up to the whole.

    A sum takes the class of its left side. It costs no more than a chunk does: what has to be
    joined is kept as it came, and joined when it is first read. Sums of one beginning share a list
    of what came; a sum that finds somebody else's piece in its place takes a list of its own, so
    that threads need no lock.

    Raises:
        TypeError: If anything but a chunk is added.
        ValueError: If chunks of different speakers are added, or the left class lacks a field
            that the right side has something in.
    """

    type: ClassVar[str] = "BaseMessageChunk"

    def __add__(self, other: BaseMessageChunk) -> Self:
        own_class = type(self)
        if type(other) is not own_class:
            return self._sum(other)
        mine, theirs = self.__dict__, other.__dict__
        if len(theirs) != _ID_AND_CONTENT or len(mine) != _ID_PIECES_AND_COUNT:
            return self._sum(other)
        try:
            pieces, count, text = mine["_pieces"], mine["_count"], theirs["content"]
        except KeyError:
            return self._sum(other)
        if type(text) is not str:
            return self._sum(other)
        pieces.append(text)
        total = _new(own_class)
        total.__dict__ = said = mine.copy()
        said["_count"] = count + 1
        if pieces[count] is not text:
            said["_pieces"] = [*pieces[:count], text]
        if said["id"] is None:
            said["id"] = theirs["id"]
        return total

    def __radd__(self, other: int) -> Self:
        """Let `sum` begin with its 0."""
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
            _refuse_loss(type(self), other)
        total = object.__new__(type(self))
        said = vars(total)
        for name, combine in _combiners(type(self)):
            value = combine(getattr(self, name), getattr(other, name, None))
            if value is not None or name == "id":
                said[name] = value
        said["_pieces"], said["_count"] = self._pieces_with(other._said())
        return total

    def _pieces_with(self, said: Said) -> tuple[list[Said], int]:
        """What this sum and one more chunk said: a list that sums share, and how much of it."""
        pieces: list[Said] | None = vars(self).get("_pieces")
        if pieces is None or not _JOINED.keys().isdisjoint(vars(self)):
            return [self._said(), said], 2
        count = cast("int", vars(self)["_count"])
        pieces.append(said)
        if pieces[count] is not said:
            pieces = [*pieces[:count], said]
        return pieces, count + 1

    def _said(self) -> Said:
        self._join()
        said: dict[str, Any] = {}
        for name in _joined_fields(type(self)):
            value: Any = vars(self).get(name)
            if value or name == "content":
                said[name] = value if isinstance(value, str) else value.copy()
        content = said["content"]
        return content if len(said) == 1 and isinstance(content, str) else said

    def _join(self) -> None:
        """Put the joined fields in their places, unless they are there."""
        own, fields = vars(self), _joined_fields(type(self))
        pieces: list[Said] | None = own.get("_pieces")
        if pieces is not None:
            said = pieces[: own["_count"]]
            content, more = _content_of(said)
            own.setdefault("content", content)
            for name in fields[1:]:
                values = [piece[name] for piece in more if name in piece]
                own.setdefault(name, _JOINED[name](values))
            own.pop("_pieces", None)
        for name in fields[1:]:
            if name not in own:
                own[name] = _EMPTY[name]()


for _name in _JOINED:
    setattr(BaseMessageChunk, _name, ReadLate(_name, BaseMessageChunk._join))  # pyright: ignore[reportPrivateUsage]


def _content_of(pieces: list[Said]) -> tuple[Content, list[dict[str, Any]]]:
    """The content of pieces, and those that said more than text."""
    try:
        return "".join(cast("list[str]", pieces)), []
    except TypeError:
        contents = [piece if isinstance(piece, str) else piece["content"] for piece in pieces]
        more = [piece for piece in pieces if not isinstance(piece, str)]
        return join_content(contents), more


@cache
def _joined_fields(chunk_class: type[BaseMessageChunk]) -> tuple[str, ...]:
    names = {field.name for field in fields(chunk_class)}
    return tuple(name for name in _JOINED if name in names)


@cache
def _combiners(
    chunk_class: type[BaseMessageChunk],
) -> tuple[tuple[str, Callable[[Any, Any], Any]], ...]:
    """How to sum the fields that are summed at once; fields of subclasses keep the later value."""
    skipped = {*_JOINED, "tool_calls", "invalid_tool_calls"}
    return tuple(
        (field.name, _COMBINED.get(field.name, _second_or_first))
        for field in fields(chunk_class)
        if field.name not in skipped
    )


def _refuse_loss(left: type[BaseMessageChunk], right: BaseMessageChunk) -> None:
    known = {field.name for field in fields(left)}
    for field in fields(right):
        if field.compare and field.name not in known and not at_default(right, field):
            raise ValueError(
                f"A {type(right).__name__} with {field.name} does not add to a {left.__name__}"
            )


def _second_or_first(left: Any, right: Any) -> Any:
    return left if right is None else right


def _same(what: str) -> Callable[[str | None, str | None], str | None]:
    def same(left: str | None, right: str | None) -> str | None:
        if left and right and left != right:
            raise ValueError(f"Chunks of different {what} do not add up: {left!r} and {right!r}")
        return left or right

    return same


def _worse(left: str, right: str | None) -> str:
    return "error" if "error" in (left, right) else left


_COMBINED: Mapping[str, Callable[[Any, Any], Any]] = {
    "name": _same("speakers"),
    "role": _same("roles"),
    "tool_call_id": _same("tool calls"),
    "id": lambda left, right: left or right,
    "usage_metadata": latest_usage,
    "status": _worse,
}
