"""Tool calls: valid, invalid, and in chunks of a stream."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NotRequired, TypedDict, cast

CUSTOM_INPUT = "__arg1"
"""The one argument of a call of a custom tool, whose input is text; LangChain's name."""


class ToolCall(TypedDict):
    """A tool call that a model requests, with its arguments parsed.

    Example:
        >>> ToolCall(name="add", args={"a": 1}, id="1")["args"]
        {'a': 1}
    """

    name: str
    args: dict[str, Any]
    id: str | None
    type: NotRequired[Literal["tool_call"]]


class InvalidToolCall(TypedDict):
    """A tool call that cannot be made, with its unparsed arguments and the error.

    Example:
        >>> InvalidToolCall(name="add", args="{", id="1", error="It ends early.")["args"]
        '{'
    """

    name: str | None
    args: str | None
    id: str | None
    error: str | None
    type: NotRequired[Literal["invalid_tool_call"]]


class ToolCallChunk(TypedDict):
    """A chunk of a tool call; chunks of one `index` add up. One with an `error` stays invalid.

    Example:
        >>> ToolCallChunk(name="add", args='{"a":', id="1", index=0)["index"]
        0
    """

    name: str | None
    args: str | None
    id: str | None
    index: int | None
    type: NotRequired[Literal["tool_call_chunk"]]
    error: NotRequired[str]


def tool_call(*, name: str, args: Mapping[str, Any], id: str | None = None) -> ToolCall:
    """Return a tool call; raise a TypeError unless its name is a string and its args a mapping."""
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"The name of a tool call is a string, not {name!r}")
    if not isinstance(args, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f"The arguments of a tool call are a dict, not {type(args).__name__}: {args!r}; "
            "unparsed arguments belong into invalid_tool_calls"
        )
    return ToolCall(name=name, args=dict(args), id=id, type="tool_call")


def invalid_tool_call(
    *,
    name: str | None = None,
    args: str | None = None,
    id: str | None = None,
    error: str | None = None,
) -> InvalidToolCall:
    """Return an invalid tool call."""
    return InvalidToolCall(name=name, args=args, id=id, error=error, type="invalid_tool_call")


def tool_call_chunk(
    *,
    name: str | None = None,
    args: str | None = None,
    id: str | None = None,
    index: int | None = None,
) -> ToolCallChunk:
    """Return a chunk of a tool call."""
    return ToolCallChunk(name=name, args=args, id=id, index=index, type="tool_call_chunk")


def checked_call(call: ToolCall) -> ToolCall:
    """Return a call with all of its fields; raise ValueError if it has no name or arguments."""
    if not isinstance(call, dict) or not {"name", "args"} <= call.keys():  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"A tool call is a dict with a name and args, not {call!r}")
    return tool_call(name=call["name"], args=call["args"], id=call.get("id"))


def checked_invalid(call: InvalidToolCall) -> InvalidToolCall:
    """Return an invalid call with all of its fields; raise ValueError if it is no dict."""
    if not isinstance(call, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"An invalid tool call is a dict, not {call!r}")
    return invalid_tool_call(
        name=call.get("name"), args=call.get("args"), id=call.get("id"), error=call.get("error")
    )


def parse_tool_call(
    name: str | None, args: str | None, id: str | None, *, finished: bool
) -> ToolCall | InvalidToolCall:
    """Parse the JSON arguments of a call; return an invalid call if they are not a JSON object."""
    if not name:
        return invalid_tool_call(name=name, args=args, id=id, error="The call names no tool")
    # Once the model has finished, missing arguments mean none; before, they may still come.
    if not args and finished:
        return tool_call(name=name, args={}, id=id)
    try:
        parsed = _parse_arguments(args or "")
    except ValueError:
        error = f"The arguments are not whole JSON: {args or ''}"
        return invalid_tool_call(name=name, args=args, id=id, error=error)
    if not isinstance(parsed, dict):
        error = f"The arguments are not a JSON object: {args}"
        return invalid_tool_call(name=name, args=args, id=id, error=error)
    return tool_call(name=name, args=cast("dict[str, Any]", parsed), id=id)


def _parse_arguments(text: str) -> object:
    """Return the JSON of arguments; raise ValueError if they are cut off, or are of two calls."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        from chatnb.loose_json import find_json, search_json

    found = find_json(text)
    rest = text[found.end :].lstrip()
    other = search_json(rest) if rest.startswith("{") else None
    if other is not None and not (other.whole and other.value in ({}, found.value)):
        raise ValueError("two objects")
    return found.value


def is_json_object(text: str) -> bool:
    """Return whether a text is a whole JSON object."""
    if not (text.startswith("{") and text.endswith("}")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def parse_tool_call_chunks(
    chunks: Iterable[ToolCallChunk], *, finished: bool
) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    """Parse chunks that are already joined into valid and invalid calls."""
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
    """Convert whole calls to numbered chunks; invalid calls stay invalid."""
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
