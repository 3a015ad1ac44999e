"""Calls of tools that wait for a person's word."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from chatnb.runnables.function import RunnableLambda
from chatnb.schema.messages import ToolCall
from chatnb.tools.approval import Approve, Reject

NOBODY_THERE = Reject("Nobody is there to allow it: a program runs the notebook.")


class Approvals:
    """The calls of one reply, each allowed or not, in any order; on one event loop.

    Args:
        approve: Who is asked instead of the person, if anybody is.
        allowed: Whether a tool may always be called in this conversation.
        attended: Whether a person can be asked.

    Example:
        >>> async def ask():
        ...     approvals = Approvals(allowed=lambda name: name == "now")
        ...     approvals.expect("a.0", "now")
        ...     approvals.expect("a.1", "delete")
        ...     approvals.decide("a.1", Reject("No."))
        ...     return [await approvals.verdict(id, {}) for id in ("a.0", "a.1")]
        >>> asyncio.run(ask())
        [True, Reject(reason='No.')]
    """

    def __init__(
        self,
        approve: Approve | None = None,
        *,
        allowed: Callable[[str], bool] = lambda name: False,
        attended: bool = True,
    ) -> None:
        self._approve = RunnableLambda[ToolCall, Any](approve) if approve else None
        self._allowed = allowed
        self._attended = attended
        self._verdicts: dict[str, asyncio.Future[bool | Reject]] = {}
        self._names: dict[str, str] = {}

    def expect(self, id: str, name: str) -> bool:
        """Take note of a call.

        Args:
            id: What the panel calls the call.
            name: The tool.

        Returns:
            Whether a person has to decide.
        """
        self._verdicts[id] = asyncio.get_running_loop().create_future()
        self._names[id] = name
        if self._allowed(name):
            self._verdicts[id].set_result(True)
        elif self._approve is None and not self._attended:
            self._verdicts[id].set_result(NOBODY_THERE)
        return self._approve is None and not self._verdicts[id].done()

    def decide(self, id: str, verdict: bool | Reject) -> str | None:
        """Say whether a call may be made; what is decided already stays so.

        Returns:
            The tool's name; None if no such call waits.
        """
        waiting = self._verdicts.get(id)
        if waiting is None or waiting.done():
            return None
        waiting.set_result(verdict)
        return self._names[id]

    def allow_all(self, name: str) -> list[str]:
        """Allow every call of a tool that still waits; gives their ids."""
        waiting = [id for id, known in self._names.items() if known == name]
        return [id for id in waiting if self.decide(id, verdict=True)]

    async def verdict(self, id: str, call: Any) -> bool | Reject:
        """Wait for the word on a call."""
        verdict = self._verdicts[id]
        if self._approve is not None and not verdict.done():
            return await self._approve.ainvoke(call)
        return await verdict
