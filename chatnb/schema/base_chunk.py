"""The sum of chunks, gathered when it is made and joined when it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias, cast

from chatnb.schema.base_message import BaseMessage, at_default
from chatnb.schema.merging import (
    join_content,
    join_dicts,
    join_metadata,
    join_tool_call_chunks,
)
from chatnb.schema.usage import latest_usage

Said: TypeAlias = dict[str, Any]
"""What one chunk said, of the fields that are joined when they are read."""
Growth: TypeAlias = "tuple[Growth | None, Said]"
"""What was said before, shared with the chunks that were summed, and what was said last."""

_JOINED: dict[str, Callable[[list[Any]], Any]] = {
    "content": join_content,
    "additional_kwargs": join_dicts,
    "response_metadata": join_metadata,
    "tool_call_chunks": lambda lists: join_tool_call_chunks(c for chunks in lists for c in chunks),
}


class BaseMessageChunk(BaseMessage):
    """A piece of a message; pieces add up to the whole.

    A sum takes the class of its left side. It costs no more than a chunk does: what has to be
    joined is kept as it came, and joined when it is first read.

    Raises:
        TypeError: If anything but a chunk is added.
        ValueError: If chunks of different speakers are added, or the left class lacks a field
            that the right side has something in.
    """

    type: ClassVar[str] = "BaseMessageChunk"

    def __add__(self, other: BaseMessageChunk) -> Self:
        if not isinstance(other, BaseMessageChunk):  # pyright: ignore[reportUnnecessaryIsInstance]
            return NotImplemented
        if type(self) is not type(other):
            _refuse_loss(type(self), other)
        total = object.__new__(type(self))
        said = vars(total)
        for name, combine in _combiners(type(self)):
            said[name] = combine(getattr(self, name), getattr(other, name, None))
        said["_growth"] = (self._growth_so_far(), other._said())
        return total

    def __radd__(self, other: int) -> Self:
        """Let `sum` begin with its 0."""
        if other != 0:
            return NotImplemented
        return self

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Join what has grown; only called for what has not been read before."""
            if name in _JOINED:
                self._join()
                if name in vars(self):
                    return vars(self)[name]
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __getstate__(self) -> dict[str, Any]:
        self._join()
        return dict(vars(self))

    def _join(self) -> None:
        growth = cast("Growth | None", vars(self).get("_growth"))
        if growth is None:
            return
        said = _unwound(growth)
        for name in _joined_fields(type(self)):
            values = [piece[name] for piece in said if name in piece]
            vars(self).setdefault(name, _JOINED[name](values))
        vars(self).pop("_growth", None)

    def _growth_so_far(self) -> Growth:
        growth = cast("Growth | None", vars(self).get("_growth"))
        if growth is not None and _JOINED.keys().isdisjoint(vars(self)):
            return growth
        return (None, self._said())

    def _said(self) -> Said:
        said: Said = {"content": self.content}
        for name in _joined_fields(type(self)):
            value = getattr(self, name)
            if value and name != "content":
                said[name] = value.copy()
        if not isinstance(self.content, str):
            said["content"] = self.content.copy()
        return said


def _unwound(growth: Growth) -> list[Said]:
    said, before = list[Said](), cast("Growth | None", growth)
    while before is not None:
        before, last = before
        said.append(last)
    said.reverse()
    return said


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
