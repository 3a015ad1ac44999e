"""Tools and the tool choice as OpenAI's dicts, in which models here are given tools."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeGuard, cast

from chatnb.json_schemas import JsonSchema, schema_from_type, strict_schema
from chatnb.langchain_objects import is_langchain, load_adapter
from chatnb.tools.base import Tool, check_tool_name
from chatnb.tools.provider_tools import made_by_factory
from chatnb.tools.signatures import Arguments, SchemaArguments, TypedArguments

# A tool, a function, a Pydantic model, TypedDict or dataclass, or a dict that describes one.
ToolLike: TypeAlias = Tool | Callable[..., Any] | type[Any] | Mapping[str, Any]

_ACCEPTED = (
    "A tool is a function, a Tool, a Pydantic model, OpenAI's or Anthropic's dict for a tool, "
    "or a JSON schema with a title"
)


class Declaration(NamedTuple):
    """The declaration of a tool for a model; `strict` if its own dict sets strict mode."""

    name: str
    description: str
    arguments: Arguments
    strict: bool | None = None


def tool_declaration(tool: ToolLike) -> Declaration | None:
    """Return the declaration of a tool; None for a tool that the provider has built in."""
    tool = given_tool(tool)
    if is_dict(tool):
        return _dict_declaration(tool)
    if isinstance(tool, Tool):
        return Declaration(tool.name, tool.description, tool.arguments)
    if isinstance(tool, type):
        named = schema_from_type(tool)
        return Declaration(named.name, named.description, TypedArguments(named.name, tool))
    if is_langchain(tool, "BaseTool") or callable(tool):
        return tool_declaration(to_tool(tool))
    raise TypeError(f"{_ACCEPTED}, not {tool!r}")


def given_tool(tool: ToolLike) -> ToolLike:
    """Return a tool; for a function such as `web_search`, the tool that it makes."""
    return cast("ToolLike", made_by_factory(tool))


def to_tool(tool: Any) -> Tool:
    """Return a function, or a tool of LangChain's, as a tool."""
    if is_langchain(tool, "BaseTool"):
        return load_adapter("tools", "tool_from_langchain")(tool)
    return Tool(tool)


def is_dict(tool: ToolLike) -> TypeGuard[Mapping[str, Any]]:
    """Return whether a tool is described by a dict."""
    return isinstance(tool, Mapping)


def to_openai_tool(tool: ToolLike, *, strict: bool | None = None) -> dict[str, Any]:
    """Convert a tool to OpenAI's dict.

    Args:
        tool: A function, a `Tool`, a Pydantic model, OpenAI's or Anthropic's dict, or a JSON
            schema with a title. A tool that the provider has built in stays as it is.
        strict: True to have the provider enforce the schema, with closed objects and all of their
            properties required; None for the provider's default.

    Returns:
        The dict.

    Raises:
        TypeError: If it describes no tool.
        ValueError: If models cannot call it by its name.
        ConfigurationError: If strict mode cannot express its schema.

    Example:
        >>> def now(zone: str) -> str:
        ...     '''Tell the time.'''
        >>> to_openai_tool(now)["function"]["name"]
        'now'
        >>> to_openai_tool({"type": "web_search"})
        {'type': 'web_search'}
    """
    tool = given_tool(tool)
    declaration = tool_declaration(tool)
    if declaration is None:
        return dict(cast("Mapping[str, Any]", tool))
    function: dict[str, Any] = {"name": declaration.name}
    if declaration.description:
        function["description"] = declaration.description
    parameters = declaration.arguments.parameters
    function["parameters"] = strict_schema(parameters) if strict else parameters
    strict = declaration.strict if strict is None else strict
    if strict is not None:
        function["strict"] = strict
    return {"type": "function", "function": function}


def _extras(tool: ToolLike, taken: Container[str]) -> dict[str, Any]:
    given = (tool.extras or {}) if isinstance(tool, Tool) else {}
    return {name: value for name, value in given.items() if name in taken}


def flat_tools(tools: Sequence[Any]) -> list[Any]:
    """Return the tools of a list, and those of lists in it, such as an MCP server's.

    Args:
        tools: Tools, and lists of tools.

    Raises:
        TypeError: If it is no list.

    Example:
        >>> flat_tools([[len], max])
        [<built-in function len>, <built-in function max>]
    """
    if isinstance(tools, Mapping | str) or not isinstance(tools, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"Tools are given in a list, not as {type(tools).__name__}: {tools!r}")
    flat = list[Any]()
    for tool in tools:
        flat += flat_tools(cast("list[Any]", tool)) if isinstance(tool, list | tuple) else [tool]
    return flat


def to_openai_tools(
    tools: Sequence[ToolLike], *, strict: bool | None = None, extras: Container[str] = ()
) -> list[Any]:
    """Convert a list of tools to OpenAI's dicts; raise ValueError if two have the same name."""
    # The fields that a provider has besides are those of `extras` among a tool's own.
    converted = [
        {**to_openai_tool(tool, strict=strict), **_extras(tool, extras)}
        for tool in flat_tools(tools)
    ]
    names = [name for tool in converted if (name := tool_name(tool))]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"Two tools are called {name!r}, and a model cannot tell them apart")
    return converted


def tools_for_model(chat: object, tools: Sequence[ToolLike]) -> list[Any]:
    """Return the dicts of tools as a chat model takes them; one that calls none warns of it."""
    model = _innermost(chat)
    written = to_openai_tools(tools, extras=getattr(type(model), "_tool_extras", ()))
    check = getattr(type(model), "_check_tools", None)
    if check is not None:
        check(model, written)
    return written


def _innermost(chat: object) -> object:
    attributes = vars(chat)
    return _innermost(attributes["bound"]) if "bound" in attributes else chat


def tool_name(schema: Mapping[str, Any]) -> str | None:
    """Return the name in a tool's dict, if it has one."""
    return (schema.get("function") or schema.get("custom") or schema).get("name")


def _dict_declaration(schema: Mapping[str, Any]) -> Declaration | None:
    if schema.get("type") == "function":
        return _function_declaration(schema.get("function") or schema, "parameters")
    if "input_schema" in schema:
        return _function_declaration(schema, "input_schema")
    if "name" in schema and "type" not in schema:
        return _function_declaration(schema, "parameters")
    if "title" in schema and ("properties" in schema or schema.get("type") == "object"):
        named = schema_from_type(schema)
        return Declaration(named.name, named.description, SchemaArguments(named.name, named.schema))
    if isinstance(schema.get("type"), str) and schema["type"] != "object":
        return None
    raise TypeError(f"{_ACCEPTED}, not {dict(schema)!r}")


def _function_declaration(schema: Mapping[str, Any], parameters_key: str) -> Declaration:
    name = check_tool_name(str(schema.get("name") or ""))
    given: JsonSchema = schema.get(parameters_key) or {}
    parameters: JsonSchema = {"type": "object", "properties": {}, **given}
    return Declaration(
        name,
        str(schema.get("description") or ""),
        SchemaArguments(name, parameters),
        schema.get("strict"),
    )


# auto, none, required (or any, or True), a tool's name, or a provider's dict.
ToolChoice: TypeAlias = str | bool | Mapping[str, Any]

_MODES: dict[Any, str] = {
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
    """Convert a tool choice to OpenAI's; `tools` are OpenAI's dicts."""
    # `auto` lets the model choose, `none` forbids tools, and `required` (or `any`, or True) demands
    # one; a tool's name demands this one, as OpenAI's and Anthropic's dicts do.
    # Source: https://platform.openai.com/docs/api-reference/chat/create#chat-create-tool_choice
    if isinstance(choice, Mapping):
        return _choice_from_dict(choice, tools)
    if choice in _MODES:
        return _MODES[choice]
    return _choice_by_name(choice, tools)


def _choice_from_dict(
    choice: Mapping[str, Any], tools: Sequence[Mapping[str, Any]]
) -> str | dict[str, Any]:
    choice_type, name = choice.get("type"), tool_name(choice)
    if name is not None and choice_type in ("function", "tool", None):
        return _choice_by_name(name, tools)
    return _MODES[choice_type] if choice_type in _MODES else dict(choice)


def _choice_by_name(name: object, tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    known = [known for tool in tools if (known := tool_name(tool))]
    if name not in known:
        raise ValueError(
            f"tool_choice names no bound tool: {name!r}. The tools are: "
            f"{', '.join(known) or 'none'}. It may also be 'auto', 'none' or 'required'."
        )
    return {"type": "function", "function": {"name": name}}
