"""Execute a model's tool calls, after approval where it is required."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from chatnb.concurrency.threads import close
from chatnb.errors import error_line
from chatnb.runnables.batches.batch import BatchOptions, aas_completed, as_completed
from chatnb.runnables.config import RunnableConfig
from chatnb.runnables.functions import RunnableLambda
from chatnb.schema.messages import AIMessage, InvalidToolCall, ToolCall, ToolMessage
from chatnb.tools.base import Tool
from chatnb.tools.results import cut_result
from chatnb.tools.stopping import StoppableCall


@dataclass(frozen=True)
class Reject:
    """The rejection of a tool call.

    Args:
        reason: The reason in a sentence, for the model.

    Example:
        >>> def approve(call):
        ...     return call["name"] != "delete" or Reject("Nothing is deleted on Fridays.")
        >>> approve({"name": "delete", "args": {}, "id": "c1"})
        Reject(reason='Nothing is deleted on Fridays.')
    """

    reason: str = ""


# Gets a call; True allows it, False or a `Reject` with the reason forbids it.
Approve: TypeAlias = Callable[[ToolCall], bool | Reject | Awaitable[bool | Reject]]

_BUILT_IN = "This tool is the provider's own and cannot be run here."


class ToolExecutor:
    """Execute the tool calls of replies, those of one reply at the same time."""

    def __init__(
        self, tools: Sequence[Tool], approve: Approve | None, max_result_chars: int | None
    ) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._approve = RunnableLambda[ToolCall, Any](approve) if approve else None
        self._max_result_chars = max_result_chars

    def results(self, reply: AIMessage, inner: RunnableConfig | None) -> Generator[ToolMessage]:
        """Execute a reply's calls and yield their results in the order of the calls."""
        # Closing the generator ends calls that are still running, and waits for none.
        jobs = [
            StoppableCall(partial(self._result, call, self._rejection(call, inner), inner))
            for call in reply.tool_calls
        ]
        with ExitStack() as stack:
            pairs = as_completed([job.run for job in jobs], _options(inner))
            for job in jobs:
                stack.callback(job.stop)
            stack.callback(close, pairs)
            ordered = _InOrder()
            for index, messages in pairs:
                yield from ordered.push(index, messages)
        yield from _invalid_call_results(reply)

    async def aresults(
        self, reply: AIMessage, inner: RunnableConfig | None
    ) -> AsyncGenerator[ToolMessage, None]:
        """Execute a reply's calls without blocking the event loop; like `results`."""
        jobs = [
            partial(self._aresult, call, await self._arejection(call, inner), inner)
            for call in reply.tool_calls
        ]
        async with aclosing(aas_completed(jobs, _options(inner))) as pairs:
            ordered = _InOrder()
            async for index, messages in pairs:
                for result in ordered.push(index, messages):
                    yield result
        for result in _invalid_call_results(reply):
            yield result

    def _rejection(self, call: ToolCall, inner: RunnableConfig | None) -> str | None:
        return rejection_text(self._approve.invoke(call, inner)) if self._approve else None

    async def _arejection(self, call: ToolCall, inner: RunnableConfig | None) -> str | None:
        return rejection_text(await self._approve.ainvoke(call, inner)) if self._approve else None

    def _result(
        self, call: ToolCall, rejection: str | None, inner: RunnableConfig | None
    ) -> list[ToolMessage]:
        tool = self._tools.get(call["name"])
        if rejection or tool is None:
            return [failed_call(call, rejection or _BUILT_IN)]
        try:
            return self._cut(tool.invoke(tool.without_injected(call), inner))
        except Exception as error:
            return self._cut(failed_call(call, error_line(error)))

    async def _aresult(
        self, call: ToolCall, rejection: str | None, inner: RunnableConfig | None
    ) -> list[ToolMessage]:
        tool = self._tools.get(call["name"])
        if rejection or tool is None:
            return [failed_call(call, rejection or _BUILT_IN)]
        try:
            return self._cut(await tool.ainvoke(tool.without_injected(call), inner))
        except Exception as error:
            return self._cut(failed_call(call, error_line(error)))

    def _cut(self, result: ToolMessage | list[ToolMessage]) -> list[ToolMessage]:
        messages = result if isinstance(result, list) else [result]
        return [cut_result(message, self._max_result_chars) for message in messages]


REJECTED = "The call was rejected"
"""The begin of the result of each call that was not allowed."""


def rejection_text(verdict: object) -> str | None:
    """Return a rejection's text for the model, or None if the call is allowed."""
    if verdict is True:
        return None
    if verdict is False or verdict == Reject():
        return f"{REJECTED} by the user."
    if isinstance(verdict, Reject):
        return f"{REJECTED}: {verdict.reason}"
    # A forgotten `return` allows nothing.
    raise TypeError(f"approve= must return True, False or Reject(reason), not {verdict!r}")


def failed_call(call: ToolCall | InvalidToolCall, reason: str) -> ToolMessage:
    """Return the message that tells the model why a call has no result."""
    id = call.get("id") or ""
    return ToolMessage(reason, name=call.get("name"), tool_call_id=id, status="error")


def _invalid_call_results(reply: AIMessage) -> Iterator[ToolMessage]:
    for call in reply.invalid_tool_calls:
        yield failed_call(call, f"The call is invalid. {call.get('error') or ''}".rstrip())


def _options(config: RunnableConfig | None) -> BatchOptions:
    limit = (config or {}).get("max_concurrency")
    return BatchOptions.within_run(limit)


class _InOrder:
    """Results that arrive in any order and leave in the order of their indexes."""

    def __init__(self) -> None:
        self._waiting = dict[int, list[ToolMessage]]()
        self._next = 0

    def push(self, index: int, messages: list[ToolMessage]) -> Iterator[ToolMessage]:
        self._waiting[index] = messages
        while self._next in self._waiting:
            yield from self._waiting.pop(self._next)
            self._next += 1
