"""Parsers of the tool calls of replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chatnb.errors import OutputParserError
from chatnb.output_parsers.base import BaseOutputParser, Reply
from chatnb.runnables.config import RunnableConfig
from chatnb.schema.messages import AIMessage, ToolCall


class JsonOutputToolsParser(BaseOutputParser[Any]):
    """A parser of a reply to its tool calls, as dicts with `type` and `args`.

    Args:
        first_tool_only: True for the first call alone, or None without calls.
        return_id: True for dicts with the `id` of the call, too.

    Raises:
        TypeError: When it runs, if the input is no reply of a model.
        OutputParserError: When it runs, if a call is invalid.

    Example:
        >>> calls = [{"name": "add", "args": {"a": 1}, "id": "c1"}]
        >>> JsonOutputToolsParser().invoke(AIMessage("", tool_calls=calls))
        [{'args': {'a': 1}, 'type': 'add'}]
    """

    def __init__(self, *, first_tool_only: bool = False, return_id: bool = False) -> None:
        self.first_tool_only = first_tool_only
        self.return_id = return_id

    def invoke(self, input: Reply, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Return the tool calls of a reply.

        Args:
            input: The reply of a model, as an `AIMessage`.
            config: The config of the run.
            **kwargs: Ignored, as of other parsers.

        Raises:
            TypeError: If the input is no reply of a model.
            OutputParserError: If a call is invalid.
        """
        if not isinstance(input, AIMessage):
            raise TypeError(
                f"{type(self).__name__} takes a reply of a model, which has tool calls, "
                f"not {type(input).__name__}: {input!r}"
            )
        for call in input.invalid_tool_calls:
            problem = f"The call of {call['name']} is invalid: {call['error'] or call['args']}"
            raise OutputParserError(problem, text=input.text())
        parsed = [self.value(call, input) for call in input.tool_calls if self.includes(call)]
        if self.first_tool_only:
            return parsed[0] if parsed else None
        return parsed

    def includes(self, call: ToolCall) -> bool:
        """Return whether a call is parsed.

        Args:
            call: The call.
        """
        return True

    def value(self, call: ToolCall, reply: AIMessage) -> Any:
        """Return the value of a call.

        Args:
            call: The call.
            reply: The reply that it is of, for errors.

        Raises:
            OutputParserError: If it has none.
        """
        parsed = {"args": call["args"], "type": call["name"]}
        return {**parsed, "id": call["id"]} if self.return_id else parsed


class JsonOutputKeyToolsParser(JsonOutputToolsParser):
    """A parser of a reply to the arguments of its calls of one tool.

    Args:
        key_name: The name of the tool.
        first_tool_only: True for the first call alone, or None without calls.
        return_id: True for dicts with `args`, `type` and `id`.

    Raises:
        TypeError: When it runs, if the input is no reply of a model.
        OutputParserError: When it runs, if a call is invalid.

    Example:
        >>> calls = [{"name": "add", "args": {"a": 1}, "id": "c1"}]
        >>> JsonOutputKeyToolsParser("add").invoke(AIMessage("", tool_calls=calls))
        [{'a': 1}]
    """

    def __init__(
        self, key_name: str, *, first_tool_only: bool = False, return_id: bool = False
    ) -> None:
        super().__init__(first_tool_only=first_tool_only, return_id=return_id)
        self.key_name = key_name

    def includes(self, call: ToolCall) -> bool:
        return call["name"] == self.key_name

    def value(self, call: ToolCall, reply: AIMessage) -> Any:
        return super().value(call, reply) if self.return_id else call["args"]


class PydanticToolsParser(JsonOutputToolsParser):
    """A parser of a reply to its tool calls, as objects of the tools' types.

    Args:
        tools: Pydantic models, dataclasses or TypedDicts, as they were given to `bind_tools`.
        first_tool_only: True for the first call alone, or None without calls.

    Raises:
        TypeError: If a tool is no such type; when it runs, if the input is no reply of a model.
        OutputParserError: When it runs, if a call is invalid, or of another tool.

    Example:
        >>> from pydantic import BaseModel
        >>> class Add(BaseModel):
        ...     a: int
        >>> calls = [{"name": "Add", "args": {"a": "1"}, "id": "c1"}]
        >>> PydanticToolsParser([Add]).invoke(AIMessage("", tool_calls=calls))
        [Add(a=1)]
    """

    def __init__(self, tools: Sequence[type[Any]], *, first_tool_only: bool = False) -> None:
        from chatnb.json_schemas import get_type_adapter, schema_from_type

        super().__init__(first_tool_only=first_tool_only)
        for tool in tools:
            if not isinstance(tool, type):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"PydanticToolsParser takes classes, not {tool!r}")
        self.tools = list(tools)
        self._adapters: Mapping[str, Any] = {
            schema_from_type(tool).name: get_type_adapter(tool) for tool in tools
        }

    def value(self, call: ToolCall, reply: AIMessage) -> Any:
        from pydantic import ValidationError

        adapter = self._adapters.get(call["name"])
        if adapter is None:
            known = ", ".join(self._adapters)
            problem = f"The reply calls {call['name']}; the tools are: {known}"
            raise OutputParserError(problem, text=reply.text())
        try:
            return adapter.validate_python(call["args"])
        except ValidationError as error:
            problem = f"The call of {call['name']} is invalid: {error}"
            raise OutputParserError(problem, text=reply.text()) from error
