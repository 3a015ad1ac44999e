"""Whatever describes a tool, as OpenAI's dict: the form in which models here are given tools.

Source: https://platform.openai.com/docs/api-reference/chat/create#chat-create-tools
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeGuard, cast

from chatnb.json_schemas import JsonSchema, schema_of, strict_schema
from chatnb.tools.arguments import Arguments, SchemaArguments, TypedArguments
from chatnb.tools.base import Tool, checked_name

ToolLike: TypeAlias = Tool | Callable[..., Any] | type[Any] | Mapping[str, Any]
"""A tool, a function, a Pydantic model, TypedDict or dataclass, or a dict that describes one."""

_ACCEPTED = (
    "A tool is a function, a Tool, a Pydantic model, OpenAI's or Anthropic's dict for a tool, "
    "or a JSON schema with a title"
)


class Declaration(NamedTuple):
    """What a model is told of a tool.

    Args:
        name: What the model calls it.
        description: What it does.
        arguments: What it takes.
        strict: Whether its own dict asks for strict mode.
    """

    name: str
    description: str
    arguments: Arguments
    strict: bool | None = None


def declaration_of(tool: ToolLike) -> Declaration | None:
    """What a model is told of a tool.

    Args:
        tool: Whatever describes it.

    Returns:
        The declaration; None for a tool that the provider has built in, of which only the
        provider knows.

    Raises:
        TypeError: If it describes no tool.
        ValueError: If no model could call it by its name.

    Example:
        >>> declaration_of({"name": "now", "description": "Tell the time."}).name
        'now'
        >>> declaration_of({"type": "web_search"})
    """
    if is_dict(tool):
        return _declared(tool)
    if isinstance(tool, Tool):
        return Declaration(tool.name, tool.description, tool.arguments)
    if isinstance(tool, type):
        named = schema_of(tool)
        return Declaration(named.name, named.description, TypedArguments(named.name, tool))
    if callable(tool):
        return declaration_of(Tool(tool))
    raise TypeError(f"{_ACCEPTED}, not {tool!r}")


def is_dict(tool: ToolLike) -> TypeGuard[Mapping[str, Any]]:
    """Tell whether a tool is described by a dict."""
    return isinstance(tool, Mapping)


def to_openai_tool(tool: ToolLike, *, strict: bool | None = None) -> dict[str, Any]:
    """Write a tool as OpenAI's dict.

    Args:
        tool: A function, a `Tool`, a Pydantic model, OpenAI's or Anthropic's dict, or a JSON
            schema with a title. A tool that the provider has built in stays as it is.
        strict: Whether the provider is to hold the model to the schema; its objects are closed
            and all their properties required then. None leaves that to the provider.

    Returns:
        The dict.

    Raises:
        TypeError: If it describes no tool.
        ValueError: If no model could call it by its name.
        ConfigurationError: If strict mode cannot express its schema.

    Example:
        >>> def now(zone: str) -> str:
        ...     '''Tell the time.'''
        >>> to_openai_tool(now)["function"]["name"]
        'now'
        >>> to_openai_tool({"type": "web_search"})
        {'type': 'web_search'}
    """
    declared = declaration_of(tool)
    if declared is None:
        return dict(cast("Mapping[str, Any]", tool))
    function: dict[str, Any] = {"name": declared.name}
    if declared.description:
        function["description"] = declared.description
    parameters = declared.arguments.parameters
    function["parameters"] = strict_schema(parameters) if strict else parameters
    if (asked := declared.strict if strict is None else strict) is not None:
        function["strict"] = asked
    return {"type": "function", "function": function}


def to_openai_tools(tools: Sequence[ToolLike], *, strict: bool | None = None) -> list[Any]:
    """Write tools as OpenAI's dicts, each under a name of its own.

    Raises:
        TypeError: If one is no tool, or they are in no list.
        ValueError: If two have the same name.
    """
    if isinstance(tools, Mapping | str) or not isinstance(tools, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"Tools are given in a list, not as {type(tools).__name__}: {tools!r}")
    written = [to_openai_tool(tool, strict=strict) for tool in tools]
    names = [name for tool in written if (name := name_of(tool))]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"Two tools are called {name!r}, and a model cannot tell them apart")
    return written


def name_of(written: Mapping[str, Any]) -> str | None:
    """The name by which a model calls the tool that OpenAI's dict describes, if it has one.

    Example:
        >>> name_of({"type": "computer_20250124", "name": "computer"})
        'computer'
    """
    return (written.get("function") or written).get("name")


def _declared(written: Mapping[str, Any]) -> Declaration | None:
    if written.get("type") == "function":
        return _of_function(written.get("function") or written, "parameters")
    if "input_schema" in written:
        return _of_function(written, "input_schema")
    if "name" in written and "type" not in written:
        return _of_function(written, "parameters")
    if "title" in written and ("properties" in written or written.get("type") == "object"):
        named = schema_of(written)
        return Declaration(named.name, named.description, SchemaArguments(named.name, named.schema))
    if isinstance(written.get("type"), str) and written["type"] != "object":
        return None
    raise TypeError(f"{_ACCEPTED}, not {dict(written)!r}")


def _of_function(written: Mapping[str, Any], place: str) -> Declaration:
    name = checked_name(str(written.get("name") or ""))
    schema: JsonSchema = {"type": "object", "properties": {}, **(written.get(place) or {})}
    return Declaration(
        name,
        str(written.get("description") or ""),
        SchemaArguments(name, schema),
        written.get("strict"),
    )
