"""Messages, chunks and token usage as LangChain's, and back, without loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, TypeVar, cast

import langchain_core.messages as lc
from langchain_core.messages.ai import UsageMetadata as LangChainUsage

import chatnb.schema.messages as own
from chatnb.schema.tool_calls import InvalidToolCall, ToolCallChunk, invalid_tool_call
from chatnb.schema.usage import UsageMetadata

_TO_LANGCHAIN = {"cached": "cache_read"}
_FROM_LANGCHAIN = {name: own for own, name in _TO_LANGCHAIN.items()}


def usage_to_langchain(usage: UsageMetadata | None) -> LangChainUsage | None:
    """Return token counts under LangChain's names."""
    # LangChain adds up all values as integers, and knows neither cost nor service tier.
    written = _rename(usage, _TO_LANGCHAIN) or {}
    counts = {k: v for k, v in written.items() if k not in ("cost", "service_tier")}
    return cast("LangChainUsage", counts) if counts else None


def usage_from_langchain(usage: LangChainUsage | None) -> UsageMetadata | None:
    """Return token counts under chatnb's names."""
    return cast("UsageMetadata | None", _rename(usage, _FROM_LANGCHAIN))


def _rename(
    usage: UsageMetadata | LangChainUsage | None, names: Mapping[str, str]
) -> dict[str, Any] | None:
    if usage is None:
        return None
    return {
        name: {names.get(detail, detail): count for detail, count in value.items()}
        if isinstance(value, dict)
        else value
        for name, value in cast("Mapping[str, int | dict[str, int]]", usage).items()
    }


_Message = TypeVar("_Message")

# LangChain has the same class names.
_NAMES = tuple(
    f"{role}Message{suffix}"
    for role in ("AI", "Chat", "Function", "Human", "System", "Tool")
    for suffix in ("", "Chunk")
)
_LANGCHAIN_TYPES: dict[type, type[lc.BaseMessage]] = {
    getattr(own, name): getattr(lc, name) for name in _NAMES
}
_OWN_TYPES: dict[type, type[own.BaseMessage]] = {
    getattr(lc, name): getattr(own, name) for name in _NAMES
}
_CALL_FIELDS = ("name", "args", "id")
_NO_REASON = "The call is invalid"
_REPLY_FIELDS = ("usage_metadata", "tool_calls", "invalid_tool_calls", "tool_call_chunks")


def message_to_langchain(message: own.BaseMessage) -> lc.BaseMessage:
    """Write a message as LangChain's.

    Args:
        message: Any message or chunk.

    Returns:
        A new message of the same type.

    Raises:
        TypeError: If LangChain has no such type of message.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> message_to_langchain(HumanMessage("Hi", name="ada"))
        HumanMessage(content='Hi', additional_kwargs={}, response_metadata={}, name='ada')
    """
    message_type = _counterpart(_LANGCHAIN_TYPES, message)
    given = {
        f.name: getattr(message, f.name) for f in fields(message) if f.name not in _REPLY_FIELDS
    }
    written = message_type(**given)
    if isinstance(message, own.AIMessage) and isinstance(written, lc.AIMessage):
        written.usage_metadata = usage_to_langchain(message.usage_metadata)
        _write_calls(message, written)
    return written


def messages_to_langchain(messages: Iterable[own.BaseMessage]) -> list[lc.BaseMessage]:
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


def message_from_langchain(message: lc.BaseMessage) -> own.BaseMessage:
    """Read a message of LangChain's.

    Args:
        message: Any message or chunk.

    Returns:
        A new message of the same type.

    Raises:
        TypeError: If chatnb has no such type of message.

    Example:
        >>> message_from_langchain(lc.HumanMessage("Hi", name="ada"))
        HumanMessage(content='Hi', name='ada')
    """
    message_type = _counterpart(_OWN_TYPES, message)
    given = {
        f.name: _copied(getattr(message, f.name))
        for f in fields(message_type)
        if f.name != "artifact"
    }
    if isinstance(message, lc.ToolMessage):
        given["artifact"] = message.artifact
    if isinstance(message, lc.AIMessage):
        given["usage_metadata"] = usage_from_langchain(message.usage_metadata)
    if isinstance(message, lc.AIMessageChunk):
        given |= {
            "tool_calls": [],
            "invalid_tool_calls": [],
            "tool_call_chunks": _tool_call_chunks(message),
        }
    return message_type(**given)


def messages_from_langchain(messages: Iterable[lc.BaseMessage]) -> list[own.BaseMessage]:
    """Read messages of LangChain's.

    Args:
        messages: Any messages and chunks.

    Returns:
        A new message for each.

    Raises:
        TypeError: As `message_from_langchain`.

    Example:
        >>> messages_from_langchain([lc.AIMessage("Hello.")])
        [AIMessage(content='Hello.')]
    """
    return [message_from_langchain(message) for message in messages]


def _counterpart(kinds: Mapping[type, type[_Message]], message: object) -> type[_Message]:
    for base in type(message).__mro__:
        if base in kinds:
            return kinds[base]
    raise TypeError(f"A {type(message).__name__} has no counterpart on the other side")


def _copied(value: Any) -> Any:
    return cast("Any", value.copy()) if isinstance(value, list | dict) else value


def _write_calls(message: own.AIMessage, written: lc.AIMessage) -> None:
    """Set what LangChain would otherwise guess from `additional_kwargs`."""
    if isinstance(message, own.AIMessageChunk) and isinstance(written, lc.AIMessageChunk):
        _write_tool_call_chunks(message.tool_call_chunks, written)
        return
    written.tool_calls = [lc.ToolCall(**call) for call in message.tool_calls]
    written.invalid_tool_calls = [
        _to_langchain_invalid(call) for call in message.invalid_tool_calls
    ]


def _write_tool_call_chunks(chunks: list[ToolCallChunk], written: lc.AIMessageChunk) -> None:
    """Write tool call chunks; the chunks of invalid calls only as `invalid_tool_calls`."""
    calls, invalid = list[lc.ToolCall](), list[lc.InvalidToolCall]()
    for chunk in chunks:
        if "error" in chunk:
            invalid_call = {name: chunk[name] for name in ("name", "args", "id", "error")}
            invalid.append(_to_langchain_invalid(invalid_tool_call(**invalid_call)))
        else:
            parsed = lc.AIMessageChunk(content="", tool_call_chunks=[_to_langchain_chunk(chunk)])
            calls += parsed.tool_calls
            invalid += parsed.invalid_tool_calls
    written.tool_call_chunks = [_to_langchain_chunk(chunk) for chunk in chunks]
    written.tool_calls, written.invalid_tool_calls = calls, invalid


def _to_langchain_invalid(call: InvalidToolCall) -> lc.InvalidToolCall:
    return cast("lc.InvalidToolCall", call.copy())


def _to_langchain_chunk(chunk: ToolCallChunk) -> lc.ToolCallChunk:
    kept = {name: value for name, value in chunk.items() if name != "error"}
    return cast("lc.ToolCallChunk", kept)


def _tool_call_chunks(message: lc.AIMessageChunk) -> list[ToolCallChunk]:
    """Return the tool call chunks; those of invalid calls have an error, and stay invalid."""
    chunks = [cast("ToolCallChunk", chunk.copy()) for chunk in message.tool_call_chunks]
    if not message.invalid_tool_calls:
        return chunks
    parsed = lc.AIMessageChunk(content="", tool_call_chunks=message.tool_call_chunks)
    for call in message.invalid_tool_calls:
        if call in parsed.invalid_tool_calls:
            continue
        for chunk in chunks:
            if "error" not in chunk and all(chunk[name] == call[name] for name in _CALL_FIELDS):
                chunk["error"] = _NO_REASON if call["error"] is None else call["error"]
                break
    return chunks
