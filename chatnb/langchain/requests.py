"""Convert LangChain's requests to chatnb's form, that of OpenAI's chat completions.

Source: https://docs.langchain.com/oss/python/langchain/messages
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

LangChainTool: TypeAlias = dict[str, Any] | type | Callable[..., Any] | BaseTool
ToolChoice: TypeAlias = str | bool | dict[str, Any] | None

_TOOL_CHOICES = {"any": "required", "required": "required", "auto": "auto", "none": "none"}
_OWN_TOOL_TYPES = (None, "function", "object")  # All others are built-in tools of a provider.


def canonical_tools(
    tools: Sequence[LangChainTool], *, strict: bool | None = None
) -> list[dict[str, Any]]:
    """Return tools as OpenAI's dicts; built-in tools of a provider stay as they are."""
    return [_tool(tool, strict) for tool in tools]


def canonical_tool_choice(choice: ToolChoice) -> str | dict[str, Any] | None:
    """Return OpenAI's tool choice for LangChain's, or None for none."""
    if isinstance(choice, dict):
        return choice
    if choice is True:
        return "required"
    if not choice:
        return None
    return _TOOL_CHOICES.get(choice) or {"type": "function", "function": {"name": choice}}


def langchain_tool_choice(choice: str | dict[str, Any]) -> str | dict[str, Any]:
    """Return LangChain's tool choice for OpenAI's."""
    match choice:
        case {"type": "function", "function": {"name": str(name)}}:
            return name
        case "required":
            return "any"
        case _:
            return choice


def _tool(tool: LangChainTool, strict: bool | None) -> dict[str, Any]:
    described = cast("dict[str, Any]", tool) if isinstance(tool, dict) else None
    if described is not None and described.get("type") not in _OWN_TOOL_TYPES:
        return described
    return convert_to_openai_tool(cast("Any", tool), strict=strict)
