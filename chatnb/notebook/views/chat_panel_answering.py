"""One answer on its way: what is said goes to the conversation first, and then to the panel."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any, Protocol

from chatnb.conversations import Conversation, Draft
from chatnb.errors import ChatnbError, ModelError
from chatnb.notebook.views.chat_panel_approval import Approvals
from chatnb.notebook.views.chat_panel_asking import chat_model_in, name_of, said_by
from chatnb.notebook.views.chat_panel_growth import Growth
from chatnb.notebook.views.chat_panel_item import CallState
from chatnb.notebook.views.chat_panel_items import call_id
from chatnb.notebook.views.chat_panel_wire import Field
from chatnb.runnables.base import Runnable
from chatnb.schema.messages import AIMessage, AIMessageChunk, ToolCall, ToolMessage
from chatnb.store import Status
from chatnb.tools.approval import Approve, Reject

_LONGEST_ERROR = 2_000


class Shows(Protocol):
    """What an answer is shown in."""

    def grow(self, id: str, field: Field, text: str) -> None:
        """More has come of a message."""

    def look(self) -> None:
        """There is another message, or one is another than before."""


class Answering:
    """One answer: a reply, or several with the results of tools between them.

    Everything happens on one event loop.

    Args:
        talk: Where it is kept.
        chat: Makes who answers, given what approves of calls.
        approvals: Who allows calls.
        shows: Where it is shown.
        params: The model's parameters.
        clock: Seconds, from any start.
    """

    def __init__(
        self,
        talk: Conversation,
        chat: Callable[[Approve], Runnable[Any, Any]],
        approvals: Approvals,
        shows: Shows,
        params: dict[str, Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.calls: dict[str, CallState] = {}
        self._talk = talk
        self._chat = chat(self._approve)
        self._approvals = approvals
        self._shows = shows
        self._params = params
        self._clock = clock
        self._draft: Draft | None = None
        self._growth = Growth()
        self._began = 0.0
        self._first_seconds: float | None = None
        self._above = self._node = ""
        self._approved = self._answered = 0

    @property
    def growing(self) -> tuple[str, AIMessage] | None:
        """The message that grows, as far as it has come, and its id."""
        return (self._draft.node_id, self._growth.message) if self._draft else None

    async def run(self, question: str) -> AIMessage:
        """Answer a message.

        Args:
            question: Its id.

        Returns:
            The answer, or what had come of it when it was stopped.

        Raises:
            Exception: What went wrong; the conversation has it too, with what had come.
        """
        self._above, self._began = question, self._clock()
        try:
            self._begin()
            asked = self._talk.said_to(question)
            async with aclosing(said_by(self._chat, asked, self._params)) as pieces:
                async for piece in pieces:
                    self._take(piece)
        except asyncio.CancelledError:
            self._end("stopped")
        except Exception as error:
            self._fail(error)
            raise
        else:
            self._end("done")
        return self._last()

    def decide(self, id: str, verdict: bool | Reject) -> str | None:
        """Say whether a call may be made; gives the tool's name, None if no such call waits."""
        name = self._approvals.decide(id, verdict)
        if name is not None:
            self.calls[id] = "running" if verdict is True else "rejected"
        return name

    def allow_all(self, name: str) -> None:
        """Allow every call of a tool that still waits."""
        self.calls.update(dict.fromkeys(self._approvals.allow_all(name), "running"))

    def _begin(self) -> None:
        self._growth, self._first_seconds = Growth(), None
        facts = {"model": name_of(self._chat)}
        self._draft = self._talk.begin_reply(parent=self._above, facts=facts)
        self._node = self._above = self._draft.node_id
        self._approved = self._answered = 0
        self._shows.look()

    def _take(self, piece: AIMessageChunk | ToolMessage) -> None:
        if isinstance(piece, ToolMessage):
            self._take_result(piece)
            return
        if self._draft is None:
            self._began = self._clock()
            self._begin()
        self._grow(self._growth.push(piece))
        if any(call.get("name") for call in piece.tool_call_chunks):
            self._shows.look()

    def _grow(self, chunk: AIMessageChunk) -> None:
        assert self._draft is not None
        self._draft.append(chunk)
        if self._first_seconds is None and (chunk.text or chunk.reasoning):
            self._first_seconds = self._clock() - self._began
        self._shows.grow(self._draft.node_id, "text", chunk.text)
        self._shows.grow(self._draft.node_id, "reasoning", chunk.reasoning)

    def _take_result(self, message: ToolMessage) -> None:
        self._end("done")
        id = call_id(self._node, self._answered)
        self._answered += 1
        rejected = self.calls.pop(id, None) == "rejected"
        facts = {"rejected": True} if rejected else None
        self._above = self._talk.add(message, parent=self._above, facts=facts).id
        self._shows.look()

    async def _approve(self, call: ToolCall) -> bool | Reject:
        """Wait for the word on the next call of the reply; what a loop of calls asks."""
        if self._draft is not None:
            self._end("done")
        id = call_id(self._node, self._approved)
        self._approved += 1
        verdict = await self._approvals.verdict(id, call)
        self.calls[id] = "running" if verdict is True else "rejected"
        self._shows.look()
        return verdict

    def _end(self, status: Status, **facts: Any) -> None:
        """Write the end of the reply that streams, if one does."""
        draft, self._draft = self._draft, None
        if draft is None:
            return
        rest = self._growth.end()
        if rest is not None:
            draft.append(rest)
        message = self._growth.message
        facts |= {"seconds": self._clock() - self._began, "first_seconds": self._first_seconds}
        model = chat_model_in(self._chat)
        if model is not None:
            facts["cost"] = model.cost_of_run(message)
        draft.finish(message, status, {k: v for k, v in facts.items() if v is not None})
        if status == "done":
            self._expect(message)
        self._shows.look()

    def _expect(self, message: AIMessage) -> None:
        for index, call in enumerate(message.tool_calls):
            id = call_id(self._node, index)
            asks = self._approvals.expect(id, call["name"])
            self.calls[id] = "asking" if asks else "running"

    def _fail(self, error: Exception) -> None:
        if isinstance(error, ModelError):
            error.partial = self._growth.message
        if self._draft is None:  # It broke off between two replies.
            self._growth = Growth()
            self._begin()
        self._end("failed", error=error_line(error))

    def _last(self) -> AIMessage:
        message = self._talk.node(self._node).message
        assert isinstance(message, AIMessage)
        return message


def error_line(error: BaseException) -> str:
    """What went wrong and what to do, in one line.

    Example:
        >>> error_line(ValueError("no")), error_line(ModelError("Busy.", hint="Try again."))
        ('ValueError: no', 'Busy. Try again.')
    """
    said = " ".join(str(error).split())
    line = said if isinstance(error, ChatnbError) and said else f"{type(error).__name__}: {said}"
    return line[:_LONGEST_ERROR].removesuffix(": ")
