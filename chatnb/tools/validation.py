"""Validate a model's tool calls, whole or while they stream."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from chatnb.errors import ToolArgumentsError
from chatnb.runnables.base import Runnable
from chatnb.runnables.config import RunnableConfig
from chatnb.schema.merging import ToolCallGroups, join_tool_call
from chatnb.schema.messages import AIMessage, AIMessageChunk
from chatnb.schema.tool_calls import (
    ToolCall,
    ToolCallChunk,
    invalid_tool_call,
    parse_tool_call,
    tool_call_chunk,
)
from chatnb.terminal import SafeText
from chatnb.tools.openai_schema import Declaration, ToolLike, is_dict, tool_declaration, tool_name


class CallCheck(Runnable[AIMessage, AIMessage]):
    """Move invalid calls of a reply to its `invalid_tool_calls`."""

    # Those are calls of unknown tools, and calls whose arguments do not fit the tool. In a stream
    # the chunk that completes such a call has the error, so that the call never looks valid.

    in_place = True
    run_type = None

    def __init__(self, tools: Sequence[ToolLike]) -> None:
        self._tools = tools
        self._known = dict[str, Declaration | None]()
        for tool in (nested for given in tools for nested in _with_nested(given)):
            declaration = tool_declaration(tool)
            name = tool_name(tool) if is_dict(tool) else None
            if declaration is not None:
                self._known[declaration.name] = declaration
            elif name is not None:
                self._known[name] = None

    def __reduce__(self) -> Any:
        return CallCheck, (self._tools,)

    def __repr__(self) -> str:
        return SafeText(f"CallCheck({', '.join(self._known)})")

    def problem(self, call: ToolCall) -> str | None:
        """Return the reason why a call is invalid, or None."""
        name = call["name"]
        if name not in self._known:
            return f"There is no tool {name!r}. The tools are: {', '.join(self._known) or 'none'}"
        declaration = self._known[name]
        if declaration is None:  # Built in, so that only the provider knows its arguments.
            return None
        try:
            declaration.arguments.validate(call["args"])
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
            yield self._check_chunk(calls, chunk)
        yield from calls.end()

    async def atransform(
        self, input: AsyncIterator[AIMessage], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[AIMessage, None]:
        calls = StreamedCalls(self.problem)
        async for chunk in input:
            yield self._check_chunk(calls, chunk)
        for chunk in calls.end():
            yield chunk

    def _check_chunk(self, calls: StreamedCalls, chunk: AIMessage) -> AIMessage:
        if isinstance(chunk, AIMessageChunk):
            return calls.push(chunk)
        return self.invoke(chunk)


def _with_nested(tool: ToolLike) -> list[ToolLike]:
    """Return a tool, or the tools of a namespace of OpenAI's."""
    if is_dict(tool) and tool.get("type") == "namespace":
        return list(tool["tools"])
    return [tool]


class StreamedCalls:
    """Validate the calls of one streamed reply; the chunk that completes a call has its error."""

    def __init__(self, problem: Callable[[ToolCall], str | None]) -> None:
        self._problem = problem
        self._groups = ToolCallGroups()
        self._calls = list[_PartialCall]()
        self._open = dict[int | None, _PartialCall]()

    def push(self, chunk: AIMessageChunk) -> AIMessageChunk:
        """Return the next chunk of the reply, with errors in the calls that it completes."""
        deltas = chunk.tool_call_chunks
        ends = bool(chunk.response_metadata.get("finish_reason"))
        if not (deltas or ends):
            return chunk
        checked = [result for delta in deltas for result in self._check(delta)]
        if ends:
            checked += [result for index in self._open for result in self._end(index)]
        return chunk if checked == deltas else replace(chunk, tool_call_chunks=checked)

    def end(self) -> Iterator[AIMessageChunk]:
        """Yield a chunk with the errors of calls that the end of the stream completes, if any."""
        checked = [result for index in self._open for result in self._end(index)]
        if checked:
            yield AIMessageChunk("", tool_call_chunks=checked)

    def _check(self, delta: ToolCallChunk) -> Iterator[ToolCallChunk]:
        index, number = delta.get("index"), self._groups.push(delta)
        if number == len(self._calls):
            yield from self._end(index)
            self._calls.append(_PartialCall(self._groups.calls[number]))
            self._open[index] = self._calls[number]
        call = self._calls[number]
        call.push(delta)
        yield _with_error(delta, call.problem(self._problem, ended=False))

    def _end(self, index: int | None) -> Iterator[ToolCallChunk]:
        # A call without arguments is complete only when nothing follows.
        call = self._open.get(index)
        problem = call.problem(self._problem, ended=True) if call else None
        if call and problem:
            yield _with_error(tool_call_chunk(index=index, id=call.id), problem)


class _PartialCall:
    def __init__(self, deltas: list[ToolCallChunk]) -> None:
        self._deltas = deltas  # Of the group, which grows.
        self._braces = _Braces()
        self._checked = False

    @property
    def id(self) -> str | None:
        return next((delta["id"] for delta in self._deltas if delta.get("id")), None)

    def push(self, delta: ToolCallChunk) -> None:
        self._checked = self._checked or "error" in delta
        if not self._checked:
            self._braces.push(delta.get("args") or "")

    def problem(self, check: Callable[[ToolCall], str | None], *, ended: bool) -> str | None:
        """Return the reason why the call is invalid, once, as soon as it is complete."""
        if self._checked or not (self._braces.closed or ended):
            return None
        joined = join_tool_call(self._deltas)
        name, args, id = joined.get("name"), joined.get("args"), joined.get("id")
        call = parse_tool_call(name, args, id, finished=True)
        # The arguments may follow an empty object.
        if "error" in call or not (call["args"] or ended):
            return None
        self._checked = True
        return check(call)


class _Braces:
    """Find the end of a JSON object, reading each character once."""

    def __init__(self) -> None:
        self._depth = 0
        self._quoted = self._escaped = False
        self.begun = self.closed = False

    def push(self, text: str) -> None:
        for character in text:
            if self._escaped:
                self._escaped = False
            elif self._quoted:
                self._escaped, self._quoted = character == "\\", character != '"'
            elif character in '{}"':
                self._quoted = character == '"'
                self._depth += {"{": 1, "}": -1}.get(character, 0)
        self.begun = self.begun or bool(text)
        self.closed = self.begun and self._depth == 0 and not self._quoted


def _with_error(delta: ToolCallChunk, problem: str | None) -> ToolCallChunk:
    return {**delta, "error": problem} if problem else delta
