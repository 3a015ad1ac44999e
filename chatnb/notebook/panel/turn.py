"""A turn of a panel: a message and its reply, with the tool calls that wait for approval."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import aclosing
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

from chatnb.concurrency.main_thread import on_interrupt
from chatnb.concurrency.waiting import Failed, Ok, Promise, await_done, is_closing, wait
from chatnb.conversations import Conversation
from chatnb.errors import ChatnbError, error_line, error_message, error_notes
from chatnb.errors.base import sentences
from chatnb.markdown.mimebundle import Mimebundle
from chatnb.notebook.approvals import Approvals, Verdict
from chatnb.notebook.cell.display import reply_mimebundle
from chatnb.notebook.chats import find_chat_model, get_chat_name, reply_part
from chatnb.notebook.kernel import is_within_cell
from chatnb.notebook.panel.updates import Field
from chatnb.notebook.reply_stream import Outcome, ReplayedTimes, ReplyStream, retry_notes
from chatnb.notebook.widgets.formatting import error_lines
from chatnb.runnables.base import Runnable
from chatnb.schema.messages import (
    AIMessage,
    AIMessageChunk,
    ToolCall,
    ToolMessage,
)
from chatnb.store import Status
from chatnb.terminal import SafeText
from chatnb.tools.execution import Approve
from chatnb.tracing.usage_tracking import track_calls_in_context

T = TypeVar("T")
_MAX_ERROR = 2_000


class PanelTurn:
    """A message to a panel and its reply, which comes in the background."""

    # `await turn` returns the reply, and so does `turn.result()` where nothing can be awaited. A
    # reply that was stopped is what had come of it; one that failed raises its error.

    def __init__(
        self,
        add_message: Callable[[], str],
        stop: Callable[[PanelTurn], None],
        *,
        interactive: bool = True,
    ) -> None:
        self.add_message = add_message
        self.interactive = interactive
        self.partial = AIMessage("", response_metadata={"finish_reason": "stopped"})
        self.shows_error = False  # True once the reply itself shows the error it failed with.
        self._stop = stop
        self._reply = Promise[AIMessage]()

    def __repr__(self) -> str:
        return "<a turn of a ChatPanel: await it, or call its result()>"

    def __await__(self) -> Generator[Any, None, AIMessage]:
        return await_done(self._reply, self.stop).__await__()

    @property
    def done(self) -> bool:
        """True once the reply has ended."""
        return self._reply.done()

    def stop(self) -> None:
        """Stop the reply; what has come of it stays. Safe from any thread, at any time."""
        self._stop(self)

    def result(self, timeout: float | None = None) -> AIMessage:
        """Block until the reply has ended; an interrupt stops it."""
        if not wait(self._reply, self.stop, timeout):
            raise TimeoutError(f"No answer within {timeout} s")
        return self._reply.result()

    def wait(self) -> None:
        """Block until the reply has ended, failed or not; an interrupt stops it."""
        wait(self._reply, self.stop)

    def end(self, error: BaseException | None = None) -> None:
        """End the turn with as much of the reply as has come, or with an error."""
        self._reply.set(Ok(self.partial) if error is None else Failed(error))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Mimebundle:
        """Return the display of a cell's last line: the reply, where no panel shows it."""
        if self.interactive:
            return {"text/plain": SafeText(repr(self))}
        self.wait()
        outcome = self._reply.outcome
        if isinstance(outcome, Failed):
            return {"text/plain": SafeText("\n".join(error_lines(outcome.error)))}
        return reply_mimebundle(self._reply.result().text)


def wait_after_cell(turn: PanelTurn) -> None:
    """Let the running cell end no sooner than a turn: headless programs do not wait longer."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is None or getattr(shell, "kernel", None) is None:
        return

    def wait(*_: object) -> None:
        if is_within_cell():
            return
        shell.events.unregister("post_run_cell", wait)
        turn.wait()

    shell.events.register("post_run_cell", wait)


class ShownMessage(NamedTuple):
    """A message with more than is on disk of it."""

    message: AIMessage
    status: Status
    facts: dict[str, Any]


class ReplyHost(Protocol):
    """The panel of a reply."""

    async def change(self, work: Callable[[], T]) -> T:
        """Change the conversation on a thread, and show it; the change cannot be cancelled."""
        ...

    def show(self) -> None:
        """Show the messages again: the one that is streaming has changed."""

    def append_delta(self, id: str, field: Field, text: str) -> None:
        """Append text to a message."""

    def set_end(self, id: str, end: ShownMessage) -> None:
        """Show a message as ended, also while the disk does not have its end."""

    def is_allowed(self, tool: str) -> bool:
        """Return whether every call of a tool is allowed."""
        ...


class PanelReply:
    """A reply to a message: one message, or several with tool results between them."""

    # Everything happens on one event loop, except for what the host's `change` gets.

    def __init__(
        self,
        host: ReplyHost,
        turn: PanelTurn,
        conversation: Conversation,
        chat: Callable[[Approve], Runnable[Any, Any]],
        approve: Callable[[ToolCall], Awaitable[Any]] | None = None,
    ) -> None:
        self.approvals = Approvals(host.is_allowed, approve, interactive=turn.interactive)
        self.note = ""  # Shown while the reply is waited for.
        self._host = host
        self._turn = turn
        self._conversation = conversation
        self._chat = chat(self._approve_next)
        self._replayed = ReplayedTimes()
        self._stream: ReplyStream | None = None
        self._parent = self._node_id = ""
        self._is_written = True  # False while the end of the message is not on disk.

    @property
    def streaming(self) -> tuple[str, AIMessage] | None:
        """The id of the message that is streaming, and as much of it as has come."""
        return (self._node_id, self._stream.message) if self._stream else None

    async def run(self, message_id: str, params: dict[str, Any]) -> None:
        """Reply to a message; the turn has its last message then, whole or partial."""
        self._parent, task = message_id, asyncio.current_task()
        try:
            await self._start_message()
            await asyncio.sleep(0)  # A stop that came meanwhile takes effect before the request.
            messages = self._conversation.messages_through(message_id)
            track_calls_in_context(self._replayed)
            on_interrupt.set(self._turn.stop)
            with retry_notes(self._show_note):
                async with aclosing(self._chat.astream(messages, **params)) as outputs:
                    async for output in outputs:
                        await self._add_output(reply_part(output))
            await self._end_message("done")
        except asyncio.CancelledError:
            await self._end_message("stopped")
            for result in self.approvals.stopped_results():
                await self._add_result(result)
        except BaseException as error:  # `sys.exit` in the chat's function ends this reply alone.
            if is_closing(error, task):
                raise
            if not self._is_written:  # The disk failed, and not the reply, which has ended.
                raise
            if self._stream is None:  # It failed between two messages.
                await self._start_message()
            await self._end_message("failed", error)
            raise

    async def _start_message(self) -> ReplyStream:
        facts = {"model": get_chat_name(self._chat)}
        begin = partial(self._conversation.begin_reply, self._parent, facts=facts)
        draft = await self._host.change(begin)
        self._node_id = self._parent = draft.node_id
        self._stream = ReplyStream(find_chat_model(self._chat), draft, replayed=self._replayed)
        return self._stream

    async def _add_output(self, part: AIMessageChunk | ToolMessage) -> None:
        self.note = ""
        if isinstance(part, ToolMessage):
            await self._add_result(part)
        else:
            self._add_chunk(self._stream or await self._start_message(), part)

    def _show_note(self, text: str) -> None:
        self.note = text
        self._host.show()

    def _add_chunk(self, stream: ReplyStream, part: AIMessageChunk) -> None:
        chunk = stream.add(part)
        self._host.append_delta(self._node_id, "reasoning", chunk.reasoning)
        self._host.append_delta(self._node_id, "text", chunk.text)
        if any(call.get("name") for call in part.tool_call_chunks):
            self._host.show()

    async def _add_result(self, message: ToolMessage) -> None:
        await self._end_message("done")
        facts = {"rejected": True} if self.approvals.end(message) else None
        add = partial(self._conversation.add, message, parent=self._parent, facts=facts)
        self._parent = (await self._host.change(add)).id

    async def _approve_next(self, call: ToolCall) -> Verdict:
        """Wait for the verdict on the message's next call."""
        await self._end_message("done")
        verdict = await self.approvals.next_verdict(call)
        self._host.show()
        return verdict

    async def _end_message(self, outcome: Outcome, error: BaseException | None = None) -> None:
        """Write the end of the message that is streaming, if there is one."""
        stream = self._stream
        if stream is None:
            return
        reply = stream.finish(outcome, error)
        self._turn.partial = reply.message
        metadata = {"error": panel_error_line(error)} if error else {}
        self._host.set_end(self._node_id, ShownMessage(reply.message, outcome, metadata))
        self._is_written = False
        await self._host.change(partial(stream.save, reply, **metadata))
        self._is_written = True
        self._turn.shows_error = error is not None
        self._stream = None
        if outcome == "done":
            self.approvals.add(self._node_id, reply.message)
        self._host.show()


def panel_error_line(error: BaseException) -> str:
    """Return an error and its notes in one line; chatnb's own say themselves what to do."""
    message = error_message(error) if isinstance(error, ChatnbError) else ""
    text = sentences(message or error_line(error), *error_notes(error))
    return " ".join(text.split())[:_MAX_ERROR]
