"""The calls of a model, checked: of tools that exist, with arguments that fit them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import Any

from chatnb.errors import ToolArgumentsError
from chatnb.runnables.base import Runnable
from chatnb.runnables.config import RunnableConfig
from chatnb.schema.messages import AIMessage, AIMessageChunk
from chatnb.schema.tool_calls import ToolCall, invalid_tool_call
from chatnb.tools.openai_tools import Declaration, ToolLike, declaration_of, is_dict, name_of
from chatnb.tools.streamed_calls import StreamedCalls


class CallCheck(Runnable[AIMessage, AIMessage]):
    """Moves the calls of a reply that cannot be made to its `invalid_tool_calls`.

    Those are calls of tools that there are not, and calls whose arguments do not fit the tool. In
    a stream the piece that makes such a call whole says so: at no point does it look valid.

    Args:
        tools: The tools that may be called.

    Example:
        >>> call = {"name": "now", "args": {}, "id": "c1"}
        >>> reply = CallCheck([]).invoke(AIMessage("", tool_calls=[call]))
        >>> reply.tool_calls, reply.invalid_tool_calls[0]["error"]
        ([], "There is no tool 'now'. The tools are: none")
    """

    in_place = True
    run_type = None

    def __init__(self, tools: Sequence[ToolLike]) -> None:
        self._known = dict[str, Declaration | None]()
        for tool in tools:
            declared = declaration_of(tool)
            name = name_of(tool) if is_dict(tool) else None
            if declared is not None:
                self._known[declared.name] = declared
            elif name is not None:
                self._known[name] = None

    def __repr__(self) -> str:
        return f"CallCheck({', '.join(self._known)})"

    def problem(self, call: ToolCall) -> str | None:
        """Why a call cannot be made; None if it can."""
        name = call["name"]
        if name not in self._known:
            return f"There is no tool {name!r}. The tools are: {', '.join(self._known) or 'none'}"
        declared = self._known[name]
        if declared is None:
            return None
        try:
            declared.arguments.checked(call["args"])
        except ToolArgumentsError as error:
            return str(error)
        return None

    def invoke(
        self, input: AIMessage, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AIMessage:
        valid, invalid = list[ToolCall](), list(input.invalid_tool_calls)
        for call in input.tool_calls:
            problem = self.problem(call)
            if problem is None:
                valid.append(call)
                continue
            args = json.dumps(call["args"], ensure_ascii=False)
            invalid.append(
                invalid_tool_call(name=call["name"], args=args, id=call["id"], error=problem)
            )
        if len(valid) == len(input.tool_calls):
            return input
        return replace(input, tool_calls=valid, invalid_tool_calls=invalid)

    def transform(
        self, input: Iterator[AIMessage], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[AIMessage]:
        calls = StreamedCalls(self.problem)
        for chunk in input:
            yield self._chunk(calls, chunk)

    async def atransform(
        self, input: AsyncIterator[AIMessage], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[AIMessage, None]:
        calls = StreamedCalls(self.problem)
        async for chunk in input:
            yield self._chunk(calls, chunk)

    def _chunk(self, calls: StreamedCalls, chunk: AIMessage) -> AIMessage:
        if isinstance(chunk, AIMessageChunk):
            return calls.push(chunk)
        return self.invoke(chunk)
