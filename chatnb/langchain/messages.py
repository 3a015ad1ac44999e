"""Messages and chunks as LangChain's, and back, without loss.

A message from LangChain keeps all that its class declares; fields that only one instance was given
and `chunk_position`, which says where a stream ended, stay behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, TypeVar, cast

import langchain_core.messages as theirs

import chatnb.schema.messages as ours
from chatnb.langchain.usage import usage_from_langchain, usage_to_langchain
from chatnb.schema.tool_calls import InvalidToolCall, ToolCallChunk, invalid_tool_call

_Kind = TypeVar("_Kind")

_NAMES = tuple(
    f"{role}Message{piece}"
    for role in ("AI", "Chat", "Function", "Human", "System", "Tool")
    for piece in ("", "Chunk")
)
"""Both sides call their classes the same."""
_THEIRS: dict[type, type[theirs.BaseMessage]] = {
    getattr(ours, name): getattr(theirs, name) for name in _NAMES
}
_OURS: dict[type, type[ours.BaseMessage]] = {theirs_: ours_ for ours_, theirs_ in _THEIRS.items()}
_SHARED = ("name", "args", "id")
"""What a piece and an invalid call both say."""
_NO_REASON = "The call is invalid"
_OF_REPLIES = ("usage_metadata", "tool_calls", "invalid_tool_calls", "tool_call_chunks")


def message_to_langchain(message: ours.BaseMessage) -> theirs.BaseMessage:
    """Write a message as LangChain's.

    Args:
        message: Any message or chunk.

    Returns:
        A new message of the same kind.

    Raises:
        TypeError: If LangChain has no such kind of message.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> message_to_langchain(HumanMessage("Hi", name="ada"))
        HumanMessage(content='Hi', additional_kwargs={}, response_metadata={}, name='ada')
    """
    kind = _counterpart(_THEIRS, message)
    given = {f.name: getattr(message, f.name) for f in fields(message) if f.name not in _OF_REPLIES}
    written = kind(**given)
    if isinstance(message, ours.AIMessage) and isinstance(written, theirs.AIMessage):
        written.usage_metadata = usage_to_langchain(message.usage_metadata)
        _write_calls(message, written)
    return written


def messages_to_langchain(messages: Iterable[ours.BaseMessage]) -> list[theirs.BaseMessage]:
    """Write messages as LangChain's.

    Args:
        messages: Any messages and chunks.

    Returns:
        A new message for each.

    Raises:
        TypeError: As `message_to_langchain`.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> [message.type for message in messages_to_langchain([HumanMessage("Hi")])]
        ['human']
    """
    return [message_to_langchain(message) for message in messages]


def message_from_langchain(message: theirs.BaseMessage) -> ours.BaseMessage:
    """Read a message of LangChain's.

    Args:
        message: Any message or chunk.

    Returns:
        A new message of the same kind.

    Raises:
        TypeError: If chatnb has no such kind of message.

    Example:
        >>> message_from_langchain(theirs.HumanMessage("Hi", name="ada"))
        HumanMessage(content='Hi', name='ada')
    """
    kind = _counterpart(_OURS, message)
    given = {
        f.name: _copied(getattr(message, f.name)) for f in fields(kind) if f.name != "artifact"
    }
    if isinstance(message, theirs.ToolMessage):
        given["artifact"] = message.artifact
    if isinstance(message, theirs.AIMessage):
        given["usage_metadata"] = usage_from_langchain(message.usage_metadata)
    if isinstance(message, theirs.AIMessageChunk):
        given |= {"tool_calls": [], "invalid_tool_calls": [], "tool_call_chunks": _pieces(message)}
    return kind(**given)


def messages_from_langchain(messages: Iterable[theirs.BaseMessage]) -> list[ours.BaseMessage]:
    """Read messages of LangChain's.

    Args:
        messages: Any messages and chunks.

    Returns:
        A new message for each.

    Raises:
        TypeError: As `message_from_langchain`.

    Example:
        >>> messages_from_langchain([theirs.AIMessage("Hello.")])
        [AIMessage(content='Hello.')]
    """
    return [message_from_langchain(message) for message in messages]


def _counterpart(kinds: Mapping[type, type[_Kind]], message: object) -> type[_Kind]:
    for base in type(message).__mro__:
        if base in kinds:
            return kinds[base]
    raise TypeError(f"A {type(message).__name__} has no counterpart on the other side")


def _copied(value: Any) -> Any:
    return cast("Any", value.copy()) if isinstance(value, list | dict) else value


def _write_calls(message: ours.AIMessage, written: theirs.AIMessage) -> None:
    """Set what LangChain would otherwise guess from `additional_kwargs`."""
    if isinstance(message, ours.AIMessageChunk) and isinstance(written, theirs.AIMessageChunk):
        _write_pieces(message.tool_call_chunks, written)
        return
    written.tool_calls = [theirs.ToolCall(**call) for call in message.tool_calls]
    written.invalid_tool_calls = [_theirs_invalid(call) for call in message.invalid_tool_calls]


def _write_pieces(pieces: list[ToolCallChunk], written: theirs.AIMessageChunk) -> None:
    """LangChain parses pieces when a chunk is made, and refuses one with an error: that a call
    stays invalid is said in `invalid_tool_calls` alone."""
    calls, invalid = list[theirs.ToolCall](), list[theirs.InvalidToolCall]()
    for piece in pieces:
        if "error" in piece:
            said = {name: piece[name] for name in ("name", "args", "id", "error")}
            invalid.append(_theirs_invalid(invalid_tool_call(**said)))
        else:
            parsed = theirs.AIMessageChunk(content="", tool_call_chunks=[_theirs_piece(piece)])
            calls += parsed.tool_calls
            invalid += parsed.invalid_tool_calls
    written.tool_call_chunks = [_theirs_piece(piece) for piece in pieces]
    written.tool_calls, written.invalid_tool_calls = calls, invalid


def _theirs_invalid(call: InvalidToolCall) -> theirs.InvalidToolCall:
    return cast("theirs.InvalidToolCall", call.copy())


def _theirs_piece(piece: ToolCallChunk) -> theirs.ToolCallChunk:
    kept = {name: value for name, value in piece.items() if name != "error"}
    return cast("theirs.ToolCallChunk", kept)


def _pieces(message: theirs.AIMessageChunk) -> list[ToolCallChunk]:
    """The pieces of a chunk; those of calls that were given as invalid never get valid."""
    pieces = [cast("ToolCallChunk", piece.copy()) for piece in message.tool_call_chunks]
    if not message.invalid_tool_calls:
        return pieces
    parsed = theirs.AIMessageChunk(content="", tool_call_chunks=message.tool_call_chunks)
    for call in message.invalid_tool_calls:
        if call in parsed.invalid_tool_calls:
            continue
        for piece in pieces:
            if "error" not in piece and all(piece[name] == call[name] for name in _SHARED):
                piece["error"] = _NO_REASON if call["error"] is None else call["error"]
                break
    return pieces
