"""Structured output of a chat model in LangChain: its parameters and its parsers."""

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
    """Return OpenAI's parameter `response_format`."""
    if method == "json_mode":
        return {"type": "json_object"}
    function = convert_to_openai_tool(schema, strict=strict)["function"]
    described: dict[str, Any] = {"name": function["name"], "schema": function["parameters"]}
    described |= {name: function[name] for name in ("description", "strict") if function.get(name)}
    return {"type": "json_schema", "json_schema": described}


def get_parser(schema: Schema, method: Method) -> AnyParser:
    """Return the LangChain parser of the reply to a request by this method."""
    model: Any = schema if isinstance(schema, type) and is_basemodel_subclass(schema) else None
    if method != "function_calling":
        return PydanticOutputParser(pydantic_object=model) if model else JsonOutputParser()
    if model:
        return PydanticToolsParser(tools=[model], first_tool_only=True)
    name = convert_to_openai_tool(schema)["function"]["name"]
    return JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)


def with_parser(model: AnyRunnable, parser: AnyParser, *, include_raw: bool) -> AnyRunnable:
    """Return the model followed by the parser; on request with the message and the error."""
    if not include_raw:
        return model | parser
    parsed = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
    )
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=model) | parsed.with_fallbacks([failed], exception_key="parsing_error")
