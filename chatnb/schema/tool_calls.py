"""Tool calls: what a model asks for, whole, broken, or on its way."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NotRequired, TypedDict, cast


class ToolCall(TypedDict):
    """A call that a model asks for, its arguments parsed."""

    name: str
    args: dict[str, Any]
    id: str | None
    type: NotRequired[Literal["tool_call"]]


class InvalidToolCall(TypedDict):
    """A call that cannot be made, as it came, and why not."""

    name: str | None
    args: str | None
    id: str | None
    error: str | None
    type: NotRequired[Literal["invalid_tool_call"]]


class ToolCallChunk(TypedDict):
    """A piece of a call; pieces of one `index` add up. One with an `error` never gets valid."""

    name: str | None
    args: str | None
    id: str | None
    index: int | None
    type: NotRequired[Literal["tool_call_chunk"]]
    error: NotRequired[str]


def tool_call(*, name: str, args: Mapping[str, Any], id: str | None = None) -> ToolCall:
    """Make a tool call.

    Args:
        name: The tool.
        args: Its arguments by name.
        id: What the tool's answer refers to.

    Returns:
        The call.

    Raises:
        TypeError: If the name is no string or the arguments are no mapping.

    Example:
        >>> tool_call(name="add", args={"a": 1}, id="c1")
        {'name': 'add', 'args': {'a': 1}, 'id': 'c1', 'type': 'tool_call'}
    """
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"A tool call names its tool with a string, not {name!r}")
    if not isinstance(args, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f"The arguments of a tool call are a dict, not {type(args).__name__}: {args!r}; "
            "what is not parsed belongs into invalid_tool_calls"
        )
    return ToolCall(name=name, args=dict(args), id=id, type="tool_call")


def invalid_tool_call(
    *,
    name: str | None = None,
    args: str | None = None,
    id: str | None = None,
    error: str | None = None,
) -> InvalidToolCall:
    """Make an invalid tool call.

    Args:
        name: The tool, if it is known.
        args: The arguments as they came.
        id: The call's id, if it is known.
        error: Why the call cannot be made.

    Returns:
        The invalid call.

    Example:
        >>> invalid_tool_call(name="add", args='{"a":')["type"]
        'invalid_tool_call'
    """
    return InvalidToolCall(name=name, args=args, id=id, error=error, type="invalid_tool_call")


def tool_call_chunk(
    *,
    name: str | None = None,
    args: str | None = None,
    id: str | None = None,
    index: int | None = None,
) -> ToolCallChunk:
    """Make a piece of a tool call.

    Args:
        name: The tool, usually in the first piece only.
        args: The next characters of the arguments.
        id: The call's id, usually in the first piece only.
        index: Which call of the message this belongs to; pieces without one stay alone.

    Returns:
        The piece.

    Example:
        >>> tool_call_chunk(args='{"a"', index=0)["args"]
        '{"a"'
    """
    return ToolCallChunk(name=name, args=args, id=id, index=index, type="tool_call_chunk")


def parse_tool_call(
    name: str | None, args: str | None, id: str | None, *, finished: bool
) -> ToolCall | InvalidToolCall:
    """Parse the arguments of a call that has arrived.

    Args:
        name: The tool.
        args: The arguments as JSON.
        id: The call's id.
        finished: Whether the model said that it was done. Then no arguments at all mean none;
            before, they may be on their way.

    Returns:
        A call, or an invalid call with the reason; a truncated one is always invalid.

    Example:
        >>> parse_tool_call("add", '{"a": 1', "c1", finished=True)["error"]
        'The arguments are not whole JSON: {"a": 1'
    """
    if not name:
        return invalid_tool_call(name=name, args=args, id=id, error="The call names no tool")
    if not args and finished:
        return tool_call(name=name, args={}, id=id)
    try:
        parsed: object = json.loads(args or "")
    except ValueError:
        error = f"The arguments are not whole JSON: {args or ''}"
        return invalid_tool_call(name=name, args=args, id=id, error=error)
    if not isinstance(parsed, dict):
        error = f"The arguments are not a JSON object: {args}"
        return invalid_tool_call(name=name, args=args, id=id, error=error)
    return tool_call(name=name, args=cast("dict[str, Any]", parsed), id=id)


def parse_tool_call_chunks(
    chunks: Iterable[ToolCallChunk], *, finished: bool
) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    """Parse the calls that chunks have grown to.

    Args:
        chunks: The pieces, those of one call already added up.
        finished: Whether the model said that it was done.

    Returns:
        The valid calls and the invalid ones.

    Example:
        >>> parse_tool_call_chunks([tool_call_chunk(name="now", args="{}")], finished=False)
        ([{'name': 'now', 'args': {}, 'id': None, 'type': 'tool_call'}], [])
    """
    valid, invalid = list[ToolCall](), list[InvalidToolCall]()
    for chunk in chunks:
        name, args, id = chunk.get("name"), chunk.get("args"), chunk.get("id")
        call: ToolCall | InvalidToolCall
        if "error" in chunk:
            call = invalid_tool_call(name=name, args=args, id=id, error=chunk["error"])
        else:
            call = parse_tool_call(name, args, id, finished=finished)
        if "error" in call:
            invalid.append(call)
        else:
            valid.append(call)
    return valid, invalid


def as_tool_call_chunks(
    valid: Iterable[ToolCall], invalid: Iterable[InvalidToolCall]
) -> list[ToolCallChunk]:
    """Write whole calls as the only pieces of their stream.

    Args:
        valid: Calls.
        invalid: Invalid calls, which stay invalid.

    Returns:
        A chunk a call, numbered.

    Example:
        >>> as_tool_call_chunks([tool_call(name="add", args={"a": 1})], [])[0]["args"]
        '{"a": 1}'
    """
    chunks = [
        tool_call_chunk(
            name=call["name"],
            args=json.dumps(call["args"], ensure_ascii=False),
            id=call.get("id"),
        )
        for call in valid
    ]
    for call in invalid:
        chunk = tool_call_chunk(name=call.get("name"), args=call.get("args"), id=call.get("id"))
        chunk["error"] = call.get("error") or "The call is invalid"
        chunks.append(chunk)
    for index, chunk in enumerate(chunks):
        chunk["index"] = index
    return chunks
