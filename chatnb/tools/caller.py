"""What makes a model's calls: asks for leave, runs the tools, and tells what came of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from contextlib import ExitStack, aclosing
from functools import partial
from typing import Any

from chatnb.runnables.batch import aas_completed, as_completed
from chatnb.runnables.config import RunnableConfig
from chatnb.runnables.function import RunnableLambda
from chatnb.runnables.terms import side_by_side
from chatnb.runnables.threads import close
from chatnb.schema.messages import AIMessage, InvalidToolCall, ToolCall, ToolMessage
from chatnb.tools.approval import Approve, rejection
from chatnb.tools.base import Tool
from chatnb.tools.results import cut_result

_NOT_HERE = "This tool is the provider's own and cannot be run here."


class Caller:
    """Makes the calls of replies, those of one reply at the same time.

    Args:
        tools: The tools.
        approve: Is asked before each call.
        max_chars: The most characters of a result that the model is told; None for all.
    """

    def __init__(
        self, tools: Sequence[Tool], approve: Approve | None, max_chars: int | None
    ) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._approve = RunnableLambda[ToolCall, Any](approve) if approve else None
        self._max_chars = max_chars

    def results(self, reply: AIMessage, inner: RunnableConfig | None) -> Generator[ToolMessage]:
        """Make a reply's calls.

        Yields:
            Their results in the order of the calls, each as soon as it is there; closing this
            generator waits for none that are missing.
        """
        jobs = [
            partial(self._result, call, self._refusal(call, inner), inner)
            for call in reply.tool_calls
        ]
        with ExitStack() as stack:
            pairs = as_completed(jobs, side_by_side(_limit(inner), return_exceptions=False))
            stack.callback(close, pairs)
            line = _Line()
            for index, message in pairs:
                yield from line.up(index, message)
        yield from _answers_to_invalid(reply)

    async def aresults(
        self, reply: AIMessage, inner: RunnableConfig | None
    ) -> AsyncGenerator[ToolMessage, None]:
        """Make a reply's calls without blocking the event loop; like `results`."""
        jobs = [
            partial(self._aresult, call, await self._arefusal(call, inner), inner)
            for call in reply.tool_calls
        ]
        async with aclosing(
            aas_completed(jobs, side_by_side(_limit(inner), return_exceptions=False))
        ) as pairs:
            line = _Line()
            async for index, message in pairs:
                for each in line.up(index, message):
                    yield each
        for each in _answers_to_invalid(reply):
            yield each

    def _refusal(self, call: ToolCall, inner: RunnableConfig | None) -> str | None:
        """What the model is told if the call is not allowed."""
        return rejection(self._approve.invoke(call, inner)) if self._approve else None

    async def _arefusal(self, call: ToolCall, inner: RunnableConfig | None) -> str | None:
        return rejection(await self._approve.ainvoke(call, inner)) if self._approve else None

    def _result(
        self, call: ToolCall, refusal: str | None, inner: RunnableConfig | None
    ) -> ToolMessage:
        tool = self._tools.get(call["name"])
        if refusal or tool is None:
            return failed_call(call, refusal or _NOT_HERE)
        try:
            message = tool.invoke(call, inner)
        except Exception as error:
            message = failed_call(call, f"{type(error).__name__}: {error}")
        return cut_result(message, self._max_chars)

    async def _aresult(
        self, call: ToolCall, refusal: str | None, inner: RunnableConfig | None
    ) -> ToolMessage:
        tool = self._tools.get(call["name"])
        if refusal or tool is None:
            return failed_call(call, refusal or _NOT_HERE)
        try:
            message = await tool.ainvoke(call, inner)
        except Exception as error:
            message = failed_call(call, f"{type(error).__name__}: {error}")
        return cut_result(message, self._max_chars)


class _Line:
    """Results that come in any order, and leave in that of the calls."""

    def __init__(self) -> None:
        self._waiting = dict[int, ToolMessage]()
        self._next = 0

    def up(self, index: int, message: ToolMessage) -> Iterator[ToolMessage]:
        """Take a result; those whose turn has come leave."""
        self._waiting[index] = message
        while self._next in self._waiting:
            yield self._waiting.pop(self._next)
            self._next += 1


def failed_call(call: ToolCall | InvalidToolCall, reason: str) -> ToolMessage:
    """Tell the model that a call gave no result.

    Args:
        call: The call.
        reason: Why not.

    Example:
        >>> failed_call({"name": "now", "args": {}, "id": "c1"}, "No clock.").status
        'error'
    """
    id = call.get("id") or ""
    return ToolMessage(reason, name=call.get("name"), tool_call_id=id, status="error")


def _answers_to_invalid(reply: AIMessage) -> Iterator[ToolMessage]:
    for call in reply.invalid_tool_calls:
        yield failed_call(call, f"The call is invalid. {call.get('error') or ''}".rstrip())


def _limit(config: RunnableConfig | None) -> int | None:
    return (config or {}).get("max_concurrency")
