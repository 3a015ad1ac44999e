"""Which tool a model is to call, in OpenAI's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from chatnb.tools.openai_tools import name_of

ToolChoice: TypeAlias = str | bool | Mapping[str, Any]
"""auto, none, required (or any, or True), a tool's name, or a provider's dict."""

_WORDS: dict[Any, str] = {
    "auto": "auto",
    "none": "none",
    False: "none",
    "required": "required",
    "any": "required",
    True: "required",
}


def to_openai_tool_choice(
    choice: ToolChoice, tools: Sequence[Mapping[str, Any]]
) -> str | dict[str, Any]:
    """Write a choice of tools as OpenAI does.

    Source: https://platform.openai.com/docs/api-reference/chat/create#chat-create-tool_choice

    Args:
        choice: `auto` lets the model choose, `none` forbids tools, and `required` (or `any`, or
            True) demands one; a tool's name demands this one, as OpenAI's and Anthropic's dicts do.
        tools: The tools, as OpenAI's dicts.

    Returns:
        A word, or a dict that names a tool.

    Raises:
        ValueError: If there is no such tool.

    Example:
        >>> to_openai_tool_choice("any", [])
        'required'
        >>> to_openai_tool_choice("now", [{"type": "function", "function": {"name": "now"}}])
        {'type': 'function', 'function': {'name': 'now'}}
    """
    if isinstance(choice, Mapping):
        return _from_dict(choice, tools)
    if choice in _WORDS:
        return _WORDS[choice]
    return _named(choice, tools)


def _from_dict(
    choice: Mapping[str, Any], tools: Sequence[Mapping[str, Any]]
) -> str | dict[str, Any]:
    kind, name = choice.get("type"), name_of(choice)
    if name is not None and kind in ("function", "tool", None):
        return _named(name, tools)
    return _WORDS[kind] if kind in _WORDS else dict(choice)


def _named(name: object, tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    known = [known for tool in tools if (known := name_of(tool))]
    if name not in known:
        raise ValueError(
            f"tool_choice names no tool that is bound: {name!r}. The tools are: "
            f"{', '.join(known) or 'none'}. It may also be 'auto', 'none' or 'required'."
        )
    return {"type": "function", "function": {"name": name}}
