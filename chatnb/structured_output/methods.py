"""Methods to request JSON of a schema from a model, and to read it from the reply.

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

_CORRECTION = (
    "Your answer is not valid. {problem} Answer again, the whole of it, with that corrected."
)


@dataclass(frozen=True)
class ByJsonSchema:
    """Requests a reply that is JSON of the schema; `strict` has the provider guarantee it."""

    schema: NamedSchema
    strict: bool | None = None

    def params(self) -> dict[str, Any]:
        """Return the parameters of the call, in OpenAI's form."""
        json_schema = {
            "name": self.schema.name,
            "schema": self._request_schema(),
            **self._strict_param(),
        }
        return {"response_format": {"type": "json_schema", "json_schema": json_schema}}

    def request_messages(self, messages: list[BaseMessage]) -> list[BaseMessage]:
        """Return the messages to send."""
        return messages

    def text(self, reply: AIMessage) -> str:
        """Return the JSON of a complete reply."""
        return reply.answer

    def chunk_text(self, chunk: AIMessageChunk) -> str:
        """Return the JSON in a chunk of a reply."""
        return chunk.answer

    def correction_messages(self, reply: AIMessage, problem: str) -> list[BaseMessage]:
        """Return the messages to append after an invalid reply, so that the model corrects it."""
        return [reply, HumanMessage(_CORRECTION.format(problem=problem))]

    def _request_schema(self) -> dict[str, Any]:
        return strict_schema(self.schema.schema) if self.strict else self.schema.schema

    def _strict_param(self) -> dict[str, bool]:
        return {} if self.strict is None else {"strict": self.strict}


@dataclass(frozen=True)
class ByJsonMode(ByJsonSchema):
    """Requests a reply that is JSON, with the schema in the system message."""

    def __post_init__(self) -> None:
        if self.strict:
            raise ValueError('strict=True needs method="json_schema" or "tools"')

    def params(self) -> dict[str, Any]:
        return {"response_format": {"type": "json_object"}}

    def request_messages(self, messages: list[BaseMessage]) -> list[BaseMessage]:
        instructions = json_instructions(self.schema.schema)
        if messages and isinstance(messages[0], SystemMessage):
            content = f"{messages[0].text}\n\n{instructions}"
            return [replace(messages[0], content=content), *messages[1:]]
        return [SystemMessage(instructions), *messages]


@dataclass(frozen=True)
class ByTools(ByJsonSchema):
    """Requests a call of one tool, whose arguments are the value."""

    def params(self) -> dict[str, Any]:
        function: dict[str, Any] = {"name": self.schema.name}
        if self.schema.description:
            function["description"] = self.schema.description
        function |= {"parameters": self._request_schema(), **self._strict_param()}
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

    def chunk_text(self, chunk: AIMessageChunk) -> str:
        return "".join(call["args"] or "" for call in chunk.tool_call_chunks)

    def correction_messages(self, reply: AIMessage, problem: str) -> list[BaseMessage]:
        ids = [call["id"] for call in (*reply.tool_calls, *reply.invalid_tool_calls)]
        text = _CORRECTION.format(problem=problem)
        results = [ToolMessage(text, tool_call_id=id, status="error") for id in ids if id]
        return [reply, *(results or [HumanMessage(text)])]


_METHODS: dict[str, type[ByJsonSchema]] = {
    "json_schema": ByJsonSchema,
    "tools": ByTools,
    "function_calling": ByTools,
    "json_mode": ByJsonMode,
}


def get_method(name: str, schema: NamedSchema, strict: bool | None) -> ByJsonSchema:
    """Return the method `json_schema`, `tools` (or `function_calling`) or `json_mode`."""
    if name not in _METHODS:
        raise ValueError(f"No method is called {name!r}. Methods: {', '.join(_METHODS)}")
    return _METHODS[name](schema, strict)
