"""What LangChain asks of a chat model, in chatnb's canonical form: OpenAI's chat completions.

Source: https://docs.langchain.com/oss/python/langchain/messages
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias, cast

import langchain_core.messages as theirs
from langchain_core.messages import convert_to_openai_data_block, is_data_content_block
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from chatnb.langchain.messages import message_from_langchain
from chatnb.schema.messages import AIMessage, BaseMessage, ContentPart

LangChainTool: TypeAlias = dict[str, Any] | type | Callable[..., Any] | BaseTool
ToolChoice: TypeAlias = str | bool | dict[str, Any] | None

_SAID_ELSEWHERE = frozenset(
    {
        "function_call",
        "input_json_delta",
        "invalid_tool_call",
        "reasoning",
        "redacted_thinking",
        "thinking",
        "tool_call",
        "tool_call_chunk",
        "tool_use",
    }
)
"""Parts of a reply that its tool calls say again, or that OpenAI does not want back."""
_OF_LANGCHAIN = frozenset({"annotations", "extras", "id", "index"})
"""What LangChain notes on a text part and OpenAI refuses."""
_CHOICES = {"any": "required", "required": "required", "auto": "auto", "none": "none"}
_CONVERTED = (None, "function", "object")
"""The types of dicts that describe a tool of one's own; all others are a provider's built-ins."""


def canonical_messages(messages: Iterable[theirs.BaseMessage]) -> list[BaseMessage]:
    """Read a conversation of LangChain's, as it is sent to a model.

    Args:
        messages: The conversation.

    Returns:
        The messages, their parts in OpenAI's form.

    Raises:
        TypeError: If chatnb has no such kind of message.
        ValueError: If a part cannot be said in OpenAI's form, such as a file by its URL.

    Example:
        >>> image = {"type": "image", "base64": "AA==", "mime_type": "image/png"}
        >>> canonical_messages([theirs.HumanMessage([image])])[0].content
        [{'type': 'image_url', 'image_url': {'url': 'data:image/png;base64,AA=='}}]
    """
    read = [message_from_langchain(message) for message in messages]
    for message in read:
        if isinstance(message.content, list):
            said = isinstance(message, AIMessage)
            message.content = [
                _part(part) for part in message.content if not (said and _said_elsewhere(part))
            ] or ""
    return read


def canonical_tools(
    tools: Sequence[LangChainTool], *, strict: bool | None = None
) -> list[dict[str, Any]]:
    """Write tools as OpenAI's dicts.

    Args:
        tools: LangChain tools, functions, pydantic classes, TypedDicts, JSON schemas, or dicts of
            a provider's built-in tools, which stay as they are.
        strict: Whether the provider holds the arguments to the schema.

    Returns:
        A dict a tool.

    Example:
        >>> canonical_tools([{"title": "now", "type": "object", "properties": {}}])
        ... # doctest: +NORMALIZE_WHITESPACE
        [{'type': 'function', 'function': {'name': 'now',
          'parameters': {'type': 'object', 'properties': {}}}}]
    """
    return [_tool(tool, strict) for tool in tools]


def canonical_tool_choice(choice: ToolChoice) -> str | dict[str, Any] | None:
    """Write a choice of tools as OpenAI's.

    Args:
        choice: `any` or True for some tool, `auto`, `none`, a tool's name, or OpenAI's dict.

    Returns:
        The choice, or None where none was made.

    Example:
        >>> canonical_tool_choice("any"), canonical_tool_choice("add")
        ('required', {'type': 'function', 'function': {'name': 'add'}})
    """
    if isinstance(choice, dict):
        return choice
    if choice is True:
        return "required"
    if not choice:
        return None
    return _CHOICES.get(choice) or {"type": "function", "function": {"name": choice}}


def langchain_tool_choice(choice: str | dict[str, Any]) -> str | dict[str, Any]:
    """Write OpenAI's choice of tools as the one that LangChain's models understand.

    Args:
        choice: `auto`, `none`, `required`, or the dict that names a function.

    Returns:
        The choice.

    Example:
        >>> langchain_tool_choice({"type": "function", "function": {"name": "add"}})
        'add'
    """
    match choice:
        case {"type": "function", "function": {"name": str(name)}}:
            return name
        case "required":
            return "any"
        case _:
            return choice


def _said_elsewhere(part: ContentPart) -> bool:
    return isinstance(part, dict) and part.get("type") in _SAID_ELSEWHERE


def _part(part: ContentPart) -> ContentPart:
    if isinstance(part, str):
        return part
    if is_data_content_block(part):
        return convert_to_openai_data_block(part)
    if part.get("type") == "text":
        return {name: value for name, value in part.items() if name not in _OF_LANGCHAIN}
    return part


def _tool(tool: LangChainTool, strict: bool | None) -> dict[str, Any]:
    described = cast("dict[str, Any]", tool) if isinstance(tool, dict) else None
    if described is not None and described.get("type") not in _CONVERTED:
        return described
    return convert_to_openai_tool(cast("Any", tool), strict=strict)
