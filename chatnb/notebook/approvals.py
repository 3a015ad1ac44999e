"""The approval of tool calls in cells and panels: by a user, a program, or an earlier decision."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from IPython.core.getipython import get_ipython

from chatnb.notebook.session import notebook_path
from chatnb.notebook.widgets.tool_calls import CallState, Decide, call_id
from chatnb.schema.messages import AIMessage, ToolCall, ToolMessage
from chatnb.tools.base import Tool
from chatnb.tools.execution import Reject
from chatnb.tools.identity import function_digest
from chatnb.tools.openai_schema import ToolLike, tool_declaration

Verdict: TypeAlias = bool | Reject

NOBODY_TO_ASK = Reject("Nobody is there to allow it: a program runs the notebook.")
_STOPPED = "The call was stopped while it ran; what it had done by then stays."
ALLOWED_FUNCTIONS = "allowed_functions"
"""The setting of a conversation with the digests of functions that are always allowed there."""


@dataclass
class PendingCall:
    """A tool call of a reply, from the end of its message until its result."""

    tool: str
    state: CallState = "asking"
    verdict: asyncio.Future[Verdict] = field(default_factory=asyncio.Future)

    def decide(self, verdict: Verdict) -> None:
        """Allow or reject the call, if that is still open."""
        if not self.verdict.done():
            self.verdict.set_result(verdict)
            self.state = "running" if verdict is True else "rejected"


class Approvals:
    """The pending calls of a reply, message by message, and the verdicts on them.

    Args:
        is_allowed: Tells whether every call of a tool is allowed.
        approve: Is asked about each call in place of the user.
        interactive: False where nobody can be asked: calls are rejected then.
    """

    # A verdict comes from the user's click or from the program, and from nothing that a model
    # wrote: a call is known by its place in the reply, not by the id that the model gave it.

    def __init__(
        self,
        is_allowed: Callable[[str], bool],
        approve: Callable[[ToolCall], Awaitable[Any]] | None = None,
        *,
        interactive: bool = True,
    ) -> None:
        self.calls: dict[str, PendingCall] = {}
        self._is_allowed = is_allowed
        self._approve = approve
        self._interactive = interactive
        self._message_id = ""
        self._approved = self._results = 0
        self._call_ids = list[str]()

    def add(self, message_id: str, message: AIMessage) -> None:
        """Add the calls of the message that has just ended."""
        self._message_id = message_id
        self._approved = self._results = 0
        self._call_ids = [call["id"] or "" for call in message.tool_calls]
        for index, call in enumerate(message.tool_calls):
            pending = self.calls[call_id(message_id, index)] = PendingCall(call["name"])
            if self._is_allowed(call["name"]):
                pending.decide(verdict=True)
            elif self._approve is not None:
                pending.state = "running"
            elif not self._interactive:
                pending.decide(NOBODY_TO_ASK)

    async def next_verdict(self, call: ToolCall) -> Verdict:
        """Wait for the verdict on the message's next call; the tool loop asks in their order."""
        pending = self.calls[call_id(self._message_id, self._approved)]
        self._approved += 1
        if self._approve is not None and not pending.verdict.done():
            pending.decide(await self._approve(call))
        return await pending.verdict

    def take(self, request: Decide) -> str | None:
        """Take the decision of a click; return the tool that is always allowed from now on."""
        call = self.calls.get(request.call)
        if call is None or call.state != "asking":
            return None
        call.decide(Reject(request.reason) if request.decision == "reject" else True)
        if request.decision != "always":
            return None
        for other in self.calls.values():
            if other.tool == call.tool and other.state == "asking":
                other.decide(verdict=True)
        return call.tool

    def stopped_results(self) -> list[ToolMessage]:
        """Return results for the calls that run, as their reply is stopped."""
        ids = (call_id(self._message_id, index) for index in range(len(self._call_ids)))
        calls = [self.calls.get(id) for id in ids]
        if not all(call is None or call.verdict.done() for call in calls):
            return []  # None has begun before all are decided.
        return [
            ToolMessage(_STOPPED, name=call.tool, tool_call_id=id, status="error")
            for call, id in zip(calls, self._call_ids, strict=True)
            if call is not None and call.verdict.result() is True
        ]

    def end(self, result: ToolMessage) -> bool:
        """End the call that a result answers; return whether it was rejected."""
        # A tool may return several messages for one call.
        ids, id = self._call_ids, result.tool_call_id
        position = ids.index(id) if ids.count(id) == 1 else self._results
        call = self.calls.pop(call_id(self._message_id, position), None)
        self._results += call is not None
        return call is not None and call.state == "rejected"


def given_tool_name(tool: ToolLike) -> str | None:
    """Return the name of a tool; None for one that the provider has built in."""
    declaration = tool_declaration(tool)
    return declaration and declaration.name


def tool_digest(tools: Sequence[ToolLike], name: str) -> str:
    """Return the digest of the function that a tool's name means in this notebook."""
    # Another function may have the name by now, or in another notebook.
    found = next((one for one in tools if given_tool_name(one) == name), None)
    shell = get_ipython()
    origin = notebook_path(shell) if shell else ""
    return function_digest(_code_of(found), origin, name)


def _code_of(tool: ToolLike | None) -> object:
    """Return what runs when a tool is called."""
    if not isinstance(tool, Tool):
        return tool
    own = type(tool).__module__.partition(".")[0] == __name__.partition(".")[0]
    return (tool.func, tool.coroutine, None if own else tool)


def is_function_allowed(settings: Mapping[str, Any], tools: Sequence[ToolLike], name: str) -> bool:
    """Return whether the settings of a conversation always allow the function of a tool."""
    return tool_digest(tools, name) in (settings.get(ALLOWED_FUNCTIONS) or ())


def with_function_allowed(
    settings: Mapping[str, Any], tools: Sequence[ToolLike], name: str
) -> dict[str, list[str]]:
    """Return the settings of a conversation to change, to always allow the function of a tool."""
    kept = settings.get(ALLOWED_FUNCTIONS) or ()
    return {ALLOWED_FUNCTIONS: sorted({*kept, tool_digest(tools, name)})}
