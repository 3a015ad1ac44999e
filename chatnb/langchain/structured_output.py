"""LangChain's structured output of a chat model: what to ask for, and how to read the answer."""

from __future__ import annotations

from operator import itemgetter
from typing import Any, Literal, TypeAlias

from langchain_core.output_parsers import (
    BaseOutputParser,
    JsonOutputParser,
    PydanticOutputParser,
)
from langchain_core.output_parsers.openai_tools import (
    JsonOutputKeyToolsParser,
    PydanticToolsParser,
)
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

Method: TypeAlias = Literal["json_schema", "function_calling", "json_mode"]
Schema: TypeAlias = dict[str, Any] | type
AnyParser: TypeAlias = BaseOutputParser[Any]
AnyRunnable: TypeAlias = Runnable[Any, Any]


def response_format(
    schema: Schema, method: Literal["json_schema", "json_mode"], *, strict: bool | None = None
) -> dict[str, Any]:
    """Write OpenAI's parameter `response_format`.

    Args:
        schema: A pydantic class, a TypedDict, a JSON schema with a title, or OpenAI's function.
        method: Whether the reply is held to the schema, or to be any JSON.
        strict: Whether the provider holds the reply to the schema to the letter.

    Returns:
        The parameter.

    Example:
        >>> response_format({"title": "Now", "type": "object", "properties": {}}, "json_mode")
        {'type': 'json_object'}
    """
    if method == "json_mode":
        return {"type": "json_object"}
    function = convert_to_openai_tool(schema, strict=strict)["function"]
    described: dict[str, Any] = {"name": function["name"], "schema": function["parameters"]}
    described |= {name: function[name] for name in ("description", "strict") if function.get(name)}
    return {"type": "json_schema", "json_schema": described}


def parser_of(schema: Schema, method: Method) -> AnyParser:
    """The LangChain parser that reads the reply.

    Args:
        schema: As for `response_format`.
        method: How the reply was asked for.

    Returns:
        A parser that gives an instance of a pydantic class, otherwise a dict.

    Example:
        >>> type(parser_of({"title": "Now", "type": "object"}, "json_mode")).__name__
        'JsonOutputParser'
    """
    model: Any = schema if isinstance(schema, type) and is_basemodel_subclass(schema) else None
    if method != "function_calling":
        return PydanticOutputParser(pydantic_object=model) if model else JsonOutputParser()
    if model:
        return PydanticToolsParser(tools=[model], first_tool_only=True)
    name = convert_to_openai_tool(schema)["function"]["name"]
    return JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)


def parsed(asking: AnyRunnable, parser: AnyParser, *, include_raw: bool) -> AnyRunnable:
    """Put a parser behind a model.

    Args:
        asking: The model.
        parser: The parser.
        include_raw: Whether to give `raw`, `parsed` and `parsing_error` in place of the value
            alone, and raise no error of the parser.

    Returns:
        The chain.

    Example:
        >>> from langchain_core.runnables import RunnableLambda
        >>> chain = parsed(RunnableLambda(str), JsonOutputParser(), include_raw=True)
        >>> chain.invoke("{}")
        {'raw': '{}', 'parsed': {}, 'parsing_error': None}
    """
    if not include_raw:
        return asking | parser
    read = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
    )
    unread = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=asking) | read.with_fallbacks([unread], exception_key="parsing_error")
