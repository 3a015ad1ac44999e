"""The ways to ask a model for JSON of a schema, and where its answer then stands.

Source: https://platform.openai.com/docs/guides/structured-outputs
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from chatnb.errors import OutputParserError
from chatnb.json_schemas import NamedSchema, strict_schema
from chatnb.output_parsers.json import json_instructions
from chatnb.schema.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

MethodName: TypeAlias = Literal["json_schema", "tools", "function_calling", "json_mode"]

_AGAIN = "Your answer is not valid. {why} Answer again, the whole of it, with that corrected."


@dataclass(frozen=True)
class ByJsonSchema:
    """Asks for a reply that is JSON of the schema; the provider holds the model to it.

    Args:
        schema: What the JSON is to be like.
        strict: Whether the provider guarantees it; None for what the provider does by itself.
    """

    schema: NamedSchema
    strict: bool | None = None

    def params(self) -> dict[str, Any]:
        """The parameters of the call, in OpenAI's form."""
        asked = {"name": self.schema.name, "schema": self._wanted(), **self._strictness()}
        return {"response_format": {"type": "json_schema", "json_schema": asked}}

    def question(self, messages: list[BaseMessage]) -> list[BaseMessage]:
        """The messages to send for those that were given."""
        return messages

    def text(self, reply: AIMessage) -> str:
        """The JSON of a whole reply.

        Raises:
            OutputParserError: If there is none.
        """
        return reply.text

    def piece(self, chunk: AIMessageChunk) -> str:
        """The JSON in a chunk of a reply."""
        return chunk.text

    def complaint(self, reply: AIMessage, why: str) -> list[BaseMessage]:
        """What to add to the conversation for a better answer.

        Args:
            reply: The answer that is not valid.
            why: What is wrong with it.
        """
        return [reply, HumanMessage(_AGAIN.format(why=why))]

    def _wanted(self) -> dict[str, Any]:
        return strict_schema(self.schema.schema) if self.strict else self.schema.schema

    def _strictness(self) -> dict[str, bool]:
        return {} if self.strict is None else {"strict": self.strict}


@dataclass(frozen=True)
class ByJsonMode(ByJsonSchema):
    """Asks for a reply that is JSON, and tells the model the schema in words.

    Raises:
        ValueError: If it is to be strict, which only a schema can be.
    """

    def __post_init__(self) -> None:
        if self.strict:
            raise ValueError('strict=True needs method="json_schema" or "tools"')

    def params(self) -> dict[str, Any]:
        return {"response_format": {"type": "json_object"}}

    def question(self, messages: list[BaseMessage]) -> list[BaseMessage]:
        told = json_instructions(self.schema.schema)
        if messages and isinstance(messages[0], SystemMessage):
            both = f"{messages[0].text}\n\n{told}"
            return [replace(messages[0], content=both), *messages[1:]]
        return [SystemMessage(told), *messages]


@dataclass(frozen=True)
class ByTools(ByJsonSchema):
    """Has the model call one tool, whose arguments are the answer."""

    def params(self) -> dict[str, Any]:
        function: dict[str, Any] = {"name": self.schema.name}
        if self.schema.description:
            function["description"] = self.schema.description
        function |= {"parameters": self._wanted(), **self._strictness()}
        return {
            "tools": [{"type": "function", "function": function}],
            "tool_choice": {"type": "function", "function": {"name": self.schema.name}},
            "parallel_tool_calls": False,
        }

    def text(self, reply: AIMessage) -> str:
        if reply.tool_calls:
            return json.dumps(reply.tool_calls[0]["args"], ensure_ascii=False)
        if reply.invalid_tool_calls:
            return reply.invalid_tool_calls[0]["args"] or ""
        raise OutputParserError(f"The model did not call {self.schema.name}.", text=reply.text)

    def piece(self, chunk: AIMessageChunk) -> str:
        return "".join(call["args"] or "" for call in chunk.tool_call_chunks)

    def complaint(self, reply: AIMessage, why: str) -> list[BaseMessage]:
        ids = [call["id"] for call in (*reply.tool_calls, *reply.invalid_tool_calls)]
        told = _AGAIN.format(why=why)
        answers = [ToolMessage(told, tool_call_id=id, status="error") for id in ids if id]
        return [reply, *(answers or [HumanMessage(told)])]


_METHODS: dict[str, type[ByJsonSchema]] = {
    "json_schema": ByJsonSchema,
    "tools": ByTools,
    "function_calling": ByTools,
    "json_mode": ByJsonMode,
}


def method_named(name: str, schema: NamedSchema, strict: bool | None) -> ByJsonSchema:
    """The way to ask that goes by a name.

    Args:
        name: `json_schema`, `tools` (or `function_calling`), or `json_mode`.
        schema: What the answer is to be like.
        strict: Whether the provider is to guarantee it.

    Raises:
        ValueError: If no way goes by that name, or it cannot be strict.

    Example:
        >>> schema = NamedSchema("City", "", {"type": "object"})
        >>> method_named("json_mode", schema, None).params()
        {'response_format': {'type': 'json_object'}}
    """
    if name not in _METHODS:
        raise ValueError(f"No method is called {name!r}. Methods: {', '.join(_METHODS)}")
    return _METHODS[name](schema, strict)
