"""A `%%chat` cell: its prompt goes to a model, and the reply streams into its display."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import ExitStack, aclosing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from IPython.core.error import UsageError
from IPython.display import display

from chatnb.concurrency.portal import package_portal
from chatnb.concurrency.threads import finish_in_thread, in_thread
from chatnb.concurrency.waiting import Promise, await_done, wait
from chatnb.errors import ChatnbError
from chatnb.notebook.approvals import Verdict
from chatnb.notebook.cell.code_cell import add_cell_below, code_cell
from chatnb.notebook.cell.display import Mimebundle, NullSink, ReplySink, reply_display
from chatnb.notebook.cell.kept_turn import KeptTurn
from chatnb.notebook.cell.tools import CellCalls, CellTools, asks_by, cell_tools
from chatnb.notebook.chats import (
    NO_MODEL_INSIDE,
    Chat,
    find_chat_model,
    get_chat_name,
    reply_part,
)
from chatnb.notebook.prompt import Prompt
from chatnb.notebook.reply_stream import (
    Outcome,
    ReplayedTimes,
    Reply,
    ReplyStream,
    retry_notes,
)
from chatnb.notebook.session import ReplyInterrupted, Session, without_traceback
from chatnb.notebook.widgets.front_end import cell_view
from chatnb.notebook.widgets.tool_calls import Decide, codes_of_calls
from chatnb.schema.messages import AIMessageChunk, BaseMessage, ToolCall, ToolMessage
from chatnb.tracing.usage_tracking import track_calls_in_context

if TYPE_CHECKING:
    from chatnb.notebook.cell.schema import Expectation, TypedReply
    from chatnb.notebook.run_tree.tree import RunLogTree

# The time that a stopped model has to close its connection.
_STOP_SECONDS = 5.0


class RunningCell(Protocol):
    """A cell whose replies are streaming."""

    def wait(self) -> object:
        """Block until its replies have ended; an interrupt stops them."""

    async def wait_async(self) -> object:
        """Await the end of its replies; an interrupt stops them."""

    def finish(self, *, interrupted: bool) -> None:
        """Leave the replies in the cell and the variables, or raise what they failed with."""


class CellTurn:
    """A cell with one prompt and one reply, which streams from now on."""

    def __init__(
        self, session: Session, options: argparse.Namespace, prompt: Prompt, *, awaited: bool
    ) -> None:
        self._session, self._view = session, cell_view()
        self._options = options
        self._expectation = _expectation(session, options)
        self._typed = _typed_reply(session, options)
        self._typed_output: tuple[Any, Reply, Mimebundle | None] | None = None
        model = session.model(options.model)
        tools = cell_tools(session, options, lambda: self._kept.conversation)
        params = cell_params(session, options, model)
        if self._typed is not None and find_chat_model(model):
            params |= self._typed.params
        name = get_chat_name(model)
        self._tree = _new_tree(lambda: self._turn.stop()) if options.log else None
        self._kept = kept = KeptTurn(session, options, prompt, name)
        self._turn = turn = Turn(
            model,
            kept,
            params,
            self._tree,
            self._read_typed,
            CellCalls(tools, asks_by(awaited=awaited)),
        )
        self._display = reply_display(
            session, name, turn.stop, awaited=awaited, on_decide=turn.decide, turn=kept
        )
        turn.start(self._typed.sink(self._display) if self._typed else self._display)
        if self._tree is not None and self._view == "live":
            self._display.reserve_footer()
            display(self._tree)
        chosen = options.model or session.defaults.model
        self._embedded_model = None if chosen else model
        self._notices = prompt.notes
        self.wait, self.wait_async = turn.wait, turn.wait_async

    def finish(self, *, interrupted: bool) -> None:
        """Leave the reply in the cell and the variables."""
        session, options = self._session, self._options
        reply = self._turn.stop_and_collect() if interrupted else self._turn.wait()
        value, shown = reply.message, None
        if self._typed is not None:
            value, _, shown = self._typed_output or self._typed.read(reply)
        session.shell.push(dict.fromkeys(["_reply", options.output or "_reply"], value))
        embedded = self._embedded_model
        notices = [
            "" if embedded is None else session.embedded_notice(embedded),
            *self._notices,
            self._kept.notice,
            self._turn.notice,
            _add_code_cell(session, reply) if options.code else "",
        ]
        self._display.finish(reply, " ".join(filter(None, notices)), shown)
        if self._tree is not None and self._view != "live":
            self._tree.publish()
        self._raise_errors(reply, interrupted=interrupted)

    def _read_typed(self, reply: Reply) -> Reply:
        """Return the reply, failed if it is not of its type; on the event loop's thread."""
        if self._typed is None:
            return reply
        self._typed_output = self._typed.read(reply)
        return self._typed_output[1]

    def _raise_errors(self, reply: Reply, *, interrupted: bool) -> None:
        try:
            if interrupted:
                raise ReplyInterrupted
            if reply.error is not None:
                raise reply.error
            if self._expectation is not None:
                self._expectation.check(reply.message)
        except (ChatnbError, ReplyInterrupted) as error:
            raise without_traceback(error) from None


def cell_params(session: Session, options: argparse.Namespace, chat: Chat) -> dict[str, Any]:
    """Return the parameters of a cell's calls, of which a chain takes none."""
    given = {"temperature": options.temperature, "max_tokens": options.max_tokens}
    if find_chat_model(chat) is not None:
        return session.defaults.params(given)
    if any(value is not None for value in given.values()):
        raise UsageError(f"%%chat: {NO_MODEL_INSIDE}")
    return {}


def _expectation(session: Session, options: argparse.Namespace) -> Expectation | None:
    if options.expect is None and options.expect_schema is None:
        return None
    from chatnb.notebook.cell.schema import expectation_from_options

    return expectation_from_options(options, session.shell.user_ns)


def _typed_reply(session: Session, options: argparse.Namespace) -> TypedReply | None:
    if not options.schema:
        return None
    from chatnb.notebook.cell.schema import TypedReply

    return TypedReply(options.schema, session.shell.user_ns)


def _add_code_cell(session: Session, reply: Reply) -> str:
    """Put the code that ran, or the reply's, into the next cell; return the reason if none is."""
    if reply.outcome != "done":
        return ""
    ran = codes_of_calls(reply.calls)
    if ran:
        add_cell_below(session.shell, "\n\n".join(ran))
        return ""
    found = code_cell(reply.message.text, session.shell.find_cell_magic)
    if found.source is not None:
        add_cell_below(session.shell, found.source)
    return found.why_not


def _new_tree(stop: Callable[[], None]) -> RunLogTree:
    from chatnb.notebook.run_tree.tree import RunLogTree

    return RunLogTree.of_turn(stop)


class Turn:
    """A call of a chat model on the package's event loop, which streams its reply into a sink."""

    # The loop's thread writes a turn that is kept, so that no interrupt of the cell can leave it
    # unfinished. `check` may turn the reply into one that failed.

    def __init__(
        self,
        model: Chat,
        messages: Sequence[BaseMessage] | KeptTurn,
        params: dict[str, Any],
        tree: RunLogTree | None = None,
        check: Callable[[Reply], Reply] = lambda reply: reply,
        calls: CellCalls | None = None,
    ) -> None:
        self._calls = calls or CellCalls(CellTools(), None)
        self._model = self._calls.chat(model, self._approve)
        self._kept = messages if isinstance(messages, KeptTurn) else None
        self._messages = [] if isinstance(messages, KeptTurn) else list(messages)
        self._params = params
        self._tree = tree
        self._check = check
        self._chat_model = find_chat_model(model)
        self._replayed = ReplayedTimes()
        self._stream = ReplyStream(self._chat_model, replayed=self._replayed)
        self._ended: Reply | None = None  # The last message, while its tools are called.
        self._earlier = list[BaseMessage]()
        self._seconds = 0.0
        self._reasoning_seconds: float | None = None
        self._drafts = ExitStack()
        self._sink: ReplySink = NullSink()
        self._running: Promise[Reply] | None = None
        self._task: asyncio.Task[Any] | None = None
        self._stopped = False

    def start(self, sink: ReplySink, on_end: Callable[[Reply], None] = lambda _: None) -> None:
        """Start the call; `on_end` gets the reply on the event loop's thread."""
        self._sink = sink
        self._running = package_portal.submit(self._run(on_end))

    @property
    def notice(self) -> str:
        """A line about the tool calls, if there is anything to say."""
        return self._calls.notice

    def decide(self, decision: Decide) -> None:
        """Allow or reject a tool call that asks; safe from any thread, at any time."""
        package_portal.submit(self._calls.decide(decision))

    def stop(self) -> None:
        """End the reply here and close the connection; safe from any thread, at any time."""
        if self._stopped:
            return  # A second cancellation would interrupt the closing of the connection.
        self._stopped = True
        task = self._task
        if task is not None:
            task.get_loop().call_soon_threadsafe(self._cancel)

    def wait(self) -> Reply:
        """Block until the reply has ended; an interrupt stops it."""
        wait(self.outcome, self.stop)
        return self.outcome.result()

    async def wait_async(self) -> Reply:
        """Await the end of the reply; an interrupt stops it."""
        return await await_done(self.outcome, self.stop)

    def stop_and_collect(self) -> Reply:
        """Stop, and return the reply as far as it has come."""
        self.stop()
        try:
            return self.outcome.result(_STOP_SECONDS)
        except TimeoutError:
            reply = self._finish("stopped")
            if self._ended is None:
                self._stream.save(reply)
            return reply

    @property
    def outcome(self) -> Promise[Reply]:
        """The reply once it has ended."""
        assert self._running is not None, "the turn was not started"
        return self._running

    async def _run(self, on_end: Callable[[Reply], None]) -> Reply:
        try:
            reply = await self._kept_reply()
            self._sink.end()
            on_end(reply)
            return reply
        finally:
            if self._tree is not None:
                self._tree.end()

    async def _kept_reply(self) -> Reply:
        reply: Reply | None = None
        try:
            if self._kept is not None:
                self._messages, self._stream.draft = await in_thread(self._kept.begin)
            with self._drafts:
                if self._stream.draft is not None:
                    self._drafts.enter_context(self._stream.draft)
                reply = self._check(await self._stream_reply())
                if self._kept is not None:
                    await in_thread(partial(self._save, self._kept, reply))
        except Exception as error:
            reply = replace(reply, error=error) if reply else self._finish("failed", error)
        return reply

    async def _stream_reply(self) -> Reply:
        self._stream.restart_clock()
        track_calls_in_context(self._replayed)
        self._calls.show = self._sink.show_calls
        self._task = asyncio.current_task()
        try:
            if self._stopped:
                raise asyncio.CancelledError
            with retry_notes(self._sink.show_note):
                async with aclosing(self._chunks()) as chunks:
                    async for chunk in chunks:
                        await self._add(reply_part(chunk))
            self._show_rest()
            return self._finish()
        except asyncio.CancelledError:
            for result in self._calls.stopped_results():
                await self._add(result)
            return self._finish("stopped")
        except Exception as error:
            return self._finish("failed", error)
        finally:
            self._task = None  # What follows is not stopped.

    async def _add(self, part: AIMessageChunk | ToolMessage) -> None:
        if isinstance(part, ToolMessage):
            await self._end_message()
            rejected = self._calls.end(part)
            self._earlier.append(part)
            if self._kept is not None:
                await finish_in_thread(partial(self._kept.add_result, part, rejected=rejected))
            return
        if self._ended is not None:
            await self._begin_message()
        self._show(self._stream.add(part))

    async def _begin_message(self) -> None:
        """Begin the message after the results of tools."""
        draft = None if self._kept is None else await finish_in_thread(self._kept.begin_next)
        if draft is not None:
            self._drafts.enter_context(draft)
        if self._ended is not None and self._ended.message.text:
            self._sink.append("\n\n")
        self._stream = ReplyStream(self._chat_model, draft, replayed=self._replayed)
        self._ended = None

    async def _end_message(self) -> None:
        """End the message that calls tools, unless it has ended."""
        if self._ended is not None:
            return
        self._show_rest()
        self._ended = reply = self._stream.finish()
        self._seconds += reply.seconds
        self._reasoning_seconds = self._reasoning_through(reply)
        self._earlier.append(reply.message)
        if self._kept is not None:
            await finish_in_thread(partial(self._stream.save, reply))
        self._calls.add(reply.message)

    async def _approve(self, call: ToolCall) -> Verdict:
        await self._end_message()
        return await self._calls.next_verdict(call)

    def _finish(self, outcome: Outcome = "done", error: BaseException | None = None) -> Reply:
        """Return the reply as it ended, with all that was before it."""
        self._calls.stop()
        calls, ended = self._calls.items, self._ended
        if ended is None:
            reply = self._stream.finish(outcome, error)
            seconds = self._seconds + reply.seconds
            return replace(
                reply,
                seconds=seconds,
                reasoning_seconds=self._reasoning_through(reply),
                earlier=tuple(self._earlier),
                calls=calls,
            )
        # The last message is whole; what did not end is a tool, or the request after it.
        last = max(index for index, one in enumerate(self._earlier) if one is ended.message)
        earlier = (*self._earlier[:last], *self._earlier[last + 1 :])
        return replace(
            ended,
            outcome=outcome,
            error=error,
            seconds=self._seconds,
            reasoning_seconds=self._reasoning_seconds,
            earlier=earlier,
            calls=calls,
        )

    def _reasoning_through(self, reply: Reply) -> float | None:
        """Return the time of all reasoning up to the end of a message, if there was any."""
        times = (self._reasoning_seconds, reply.reasoning_seconds)
        known = [seconds for seconds in times if seconds is not None]
        return sum(known) if known else None

    def _show_rest(self) -> None:
        rest = self._stream.flush()
        if rest is not None:
            self._show(rest)

    def _show(self, chunk: AIMessageChunk) -> None:
        reasoning, text = chunk.reasoning, chunk.text
        if reasoning:
            self._sink.append_reasoning(reasoning)
        if text:
            self._sink.append(text)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _save(self, kept: KeptTurn, reply: Reply) -> None:
        if self._ended is None:
            self._stream.save(reply)
        if reply.outcome == "failed":
            kept.set_aside()

    def _chunks(self) -> AsyncGenerator[Any, None]:
        if self._tree is not None:
            return self._logged(self._tree)
        return self._model.astream(self._messages, **self._params)

    async def _logged(self, tree: RunLogTree) -> AsyncGenerator[Any, None]:
        async with aclosing(self._model.astream_log(self._messages, **self._params)) as patches:
            async for patch in patches:
                tree.append(patch)
                for op in patch.ops:
                    if op["path"] == "/streamed_output/-":
                        yield op["value"]
