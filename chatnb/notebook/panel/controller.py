"""The controller of a panel: its turns, the requests of the browser, and what it shows.

All of it runs on the package's event loop, whose queue is its inbox. The loop never waits for the
disk: the conversation is read and changed on threads, one change after the other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from contextvars import Context
from dataclasses import replace
from functools import partial
from types import EllipsisType
from typing import Any, Protocol, TypeVar
from weakref import WeakSet

from chatnb.concurrency.portal import package_portal, start_task
from chatnb.concurrency.threads import finish_in_thread, in_thread
from chatnb.concurrency.waiting import Ok, is_closing
from chatnb.conversations.paths import NodePath
from chatnb.errors import ChatnbError, error_message
from chatnb.notebook.attachments import (
    LIMITS,
    Files,
    content_with_attachments,
    content_with_other_text,
)
from chatnb.notebook.panel import requests
from chatnb.notebook.panel.backend import PanelBackend
from chatnb.notebook.panel.path_view import PathView
from chatnb.notebook.panel.turn import PanelReply, PanelTurn, ShownMessage, panel_error_line
from chatnb.notebook.panel.updates import (
    CallState,
    Field,
    PanelUpdates,
    State,
)
from chatnb.notebook.panel.variables import (
    content_with_variables,
    list_variables,
    notebook_variables,
)
from chatnb.runnables.functions import RunnableLambda
from chatnb.schema.merging import Content
from chatnb.schema.messages import AIMessage, HumanMessage, ToolCall
from chatnb.store import Store
from chatnb.tools.execution import Approve

T = TypeVar("T")

_BUSY = "A reply is still coming. Wait for its end, or stop it."
# Messages that a browser may still send twice.
_MAX_NONCES = 100
_POLL_SECONDS = 1.0


class PanelView(Protocol):
    """A display of a panel, on the event loop."""

    def wake(self) -> object:
        """Send what is new, soon."""

    async def save_transcript(self) -> None:
        """Leave the conversation as it is now in the notebook file."""

    async def end_turn(self) -> None:
        """Show that a turn has ended."""


class PanelController:
    """A conversation with its turns, and the updates that show it."""

    def __init__(self, backend: PanelBackend, approve: Approve | None = None) -> None:
        self.backend = backend
        # Whoever shows the panel keeps the view; the controller does not.
        self.view: Callable[[], PanelView | None] = lambda: None
        self._approve = RunnableLambda[ToolCall, Any](approve).ainvoke if approve else None
        self._stored, self._view = backend.read(), PathView()
        self.variables = list_variables({})
        self._error: str | None = None
        self._disk_error: str | None = None
        self._disk = asyncio.Lock()
        self._nonces: deque[str] = deque(maxlen=_MAX_NONCES)
        self._pages: set[str] = set()
        self._turns: dict[PanelTurn, asyncio.Task[None]] = {}
        self._one_turn = asyncio.Lock()
        self._reply: PanelReply | None = None
        self._ends: dict[str, ShownMessage] = {}  # Of messages that are not known to be on disk.
        self._endings: set[asyncio.Task[None]] = set()
        self.updates = PanelUpdates(self._state())
        self.show()

    # The turns. Each is a task, and ends with it, whatever happens there.

    @property
    def running(self) -> bool:
        """True while a turn is running."""
        return bool(self._turns)

    @property
    def committed(self) -> tuple[object, ...]:
        """The conversation as it was last read, whether a turn is running, and the model."""
        return self._stored, self.running, self.backend.model

    async def wait_idle(self) -> None:
        """Wait until all turns have ended, and the view knows it."""
        while tasks := {*self._turns.values(), *self._endings}:
            await asyncio.wait(tasks)

    def post(self, step: Callable[[], object]) -> None:
        """Take a step on the package's event loop, after those posted before; from any thread."""

        async def take() -> None:
            step()

        package_portal.submit(take())

    def ask(self, turn: PanelTurn) -> None:
        """Run a turn after those that are running and queued."""
        self._error = None
        self._turns[turn] = start_task(self._run(turn), None, partial(self._end, turn))
        self.show()

    def stop(self, turn: PanelTurn | None = None) -> None:
        """Stop a turn that is running or queued, or all of them."""
        for asked, task in self._turns.items():
            # A second cancellation would interrupt the closing of the connection.
            if turn in (None, asked) and not task.cancelling():
                task.cancel()

    async def _run(self, turn: PanelTurn) -> None:
        async with self._one_turn:
            self._error = None
            message_id = await self.change(turn.add_message)
            # A kernel that is killed during the reply leaves its question in the notebook file.
            self._tell_view(lambda view: view.save_transcript())
            conversation, chat = self.backend.create(), self.backend.runnable
            self._reply = PanelReply(self, turn, conversation, chat, self._approve)
            try:
                await self._reply.run(message_id, self.backend.params(self._stored))
            finally:
                self._reply = None

    def _end(self, turn: PanelTurn, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        del self._turns[turn]
        turn.end(error)
        if error is not None and not turn.shows_error:
            self._error = _request_error_line(error)
        self._tell_view(lambda view: view.end_turn())
        self.show()

    def _tell_view(self, step: Callable[[PanelView], Coroutine[Any, Any, None]]) -> None:
        """Let the view take a step beside the turns, for which `wait_idle` waits."""
        view = self.view()
        if view is not None:
            work = self._attempt(step(view))
            self._endings.add(start_task(work, None, self._endings.discard))

    def new_turn(
        self,
        content: Content,
        files: Files | None = None,
        *,
        parent: str | EllipsisType | None = ...,
        variables: Sequence[str] = (),
        interactive: bool = True,
    ) -> PanelTurn:
        """Return a turn that adds a message, by default at the end of the path."""

        def add_message() -> str:
            # Writing a variable as text may take a while, and is not done on the event loop.
            namespace = notebook_variables() if variables else {}
            whole, all_files = content_with_variables(content, files or {}, variables, namespace)
            facts = {"files": all_files} if all_files else None
            conversation = self.backend.create()
            return conversation.add(HumanMessage(whole), parent=parent, facts=facts).id

        return self._turn(add_message, interactive=interactive)

    def _turn(self, add_message: Callable[[], str], *, interactive: bool = True) -> PanelTurn:
        return PanelTurn(
            add_message, lambda turn: self.post(partial(self.stop, turn)), interactive=interactive
        )

    def is_allowed(self, tool: str) -> bool:
        """Return whether every call of a tool is allowed."""
        return self.backend.is_allowed(self._stored, tool)

    async def change(self, work: Callable[[], T]) -> T:
        """Change the conversation on a thread, after other changes, and show it as it is then."""
        async with self._disk:
            done, read = await finish_in_thread(partial(self.backend.change, work))
        if isinstance(read, Ok):
            self._stored, self._disk_error = read.value, None
            self._ends = self._unwritten_ends(read.value.path)
        else:
            self._disk_error = panel_error_line(read.error)
        self.show()
        return done.unwrap()

    def _unwritten_ends(self, path: NodePath) -> dict[str, ShownMessage]:
        """Return the ends of replies that the disk does not have yet."""
        # They are among the last messages of a path, which may be very long.
        ends, unwritten = self._ends.copy(), dict[str, ShownMessage]()
        for index in reversed(range(len(path))):
            if not ends:
                break
            node = path[index]
            end = ends.pop(node.id, None)
            if end is not None and node.status == "streaming":
                unwritten[node.id] = end
        return unwritten

    async def refresh(self) -> None:
        """Show what other notebooks have added, and which models there are now."""
        await self.change(self.backend.find_models)

    def show_error(self, line: str) -> None:
        """Show an error above the composer."""
        self._error = line
        self.show()

    def show(self) -> None:
        """Show the conversation as it was last read, with what has come of the reply since."""
        calls = self._reply.approvals.calls if self._reply else {}
        states: dict[str, CallState] = {id: call.state for id, call in calls.items()}
        start, items = self._view.changed_items(self._path(), self._stored.siblings, states)
        self.updates.set_items(items, start)
        self.updates.state = self._state()
        self._wake()

    def append_delta(self, id: str, field: Field, text: str) -> None:
        """Append text to a message that is streaming."""
        self.updates.append(id, field, text)
        self._wake()

    def set_end(self, id: str, end: ShownMessage) -> None:
        """Show a message as ended, also while the disk does not have its end."""
        self._ends[id] = end

    def _wake(self) -> None:
        view = self.view()
        if view is not None:
            view.wake()

    def _path(self) -> NodePath:
        """Return the path, with as much as has come of messages whose end is not on disk."""
        path, reply = self._stored.path, self._reply
        if reply is not None and reply.streaming is not None:
            id, message = reply.streaming
            path = _with_message(path, id, ShownMessage(message, "streaming", {"note": reply.note}))
        for id, end in self._ends.items():
            path = _with_message(path, id, end)
        return path

    def _state(self) -> State:
        stored = self._stored
        return State(
            running=self.running,
            error=self._error or self._disk_error,
            model=self.backend.model,
            models=self.backend.models,
            temperature=stored.settings.get("temperature"),
            system=str(stored.settings.get("system") or ""),
            usage=self._view.usage_line(stored.path),
            limits=LIMITS,
            name=stored.name,
            about=self.backend.about(),
            suggestions=self.backend.suggestions,
        )

    # The requests of the browser.

    async def handle(self, request: requests.Request) -> None:
        """Do what the browser requests; errors are shown in the state."""
        await self._attempt(self._handle(request))

    async def _attempt(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.current_task()
        try:
            await work
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # A model's constructor may raise anything: show it.
            if is_closing(error, task):
                raise
            self.show_error(_request_error_line(error))

    async def _handle(self, request: requests.Request) -> None:
        match request:
            case requests.Hello() | requests.Resync():
                await self.refresh()
            case requests.Subscribe(page):
                await self._subscribe(page)
            case requests.Unsubscribe(page):
                self.unsubscribe(page)
            case requests.ListVariables():
                self.variables = await in_thread(lambda: list_variables(notebook_variables()))
            case requests.Stop():
                self.stop()
            case requests.Send() | requests.Edit():
                self._add_message(request)
            case requests.Regenerate() | requests.SelectBranch() | requests.Delete():
                await self._change_path(request)
            case requests.Decide():
                await self._decide(request)
            case requests.ChangeSettings(settings):
                self._error = None
                await self.change(partial(self.backend.change_settings, settings))

    def _add_message(self, request: requests.Send | requests.Edit) -> None:
        # A browser that got no acknowledgement may send a message twice.
        if request.nonce and request.nonce in self._nonces:
            return
        self._check_idle()
        if isinstance(request, requests.Edit):
            turn = self._edit(request)
        elif request.text.strip() or request.attachments:
            content, files = content_with_attachments(request.text, request.attachments)
            turn = self.new_turn(content, files, variables=request.variables)
        else:
            raise ValueError("There is nothing to send.")
        self._nonces.append(request.nonce)
        self.ask(turn)

    def _edit(self, request: requests.Edit) -> PanelTurn:
        node = self.backend.node(request.id)
        if not isinstance(node.message, HumanMessage):
            raise ValueError("Only your own messages can be edited.")
        files = node.facts.get("files") or {}
        content, files = content_with_other_text(node.message, files, request.text)
        return self.new_turn(content, files, parent=node.parent)

    async def _change_path(
        self, request: requests.Regenerate | requests.SelectBranch | requests.Delete
    ) -> None:
        self._check_idle()
        node, conversation = self.backend.node(request.id), self.backend.create()
        self._error = None
        if isinstance(request, requests.SelectBranch):
            await self.change(partial(conversation.select, node.id))
        elif isinstance(request, requests.Delete):
            await self.change(partial(conversation.delete, node.id))
        elif not isinstance(node.message, AIMessage) or node.parent is None:
            raise ValueError("Only replies can be made again.")
        else:
            parent = node.parent
            self.ask(self._turn(lambda: parent))

    def _check_idle(self) -> None:
        if self.running:
            raise ValueError(_BUSY)

    async def _decide(self, request: requests.Decide) -> None:
        if self._reply is None:
            return
        tool = self._reply.approvals.take(request)
        if tool is not None:
            await self.change(partial(self.backend.allow, tool))
        self.show()

    async def _subscribe(self, page: str) -> None:
        self._pages.add(page)
        store = await self.change(self.backend.store)
        if not self._pages:  # The page has gone meanwhile.
            return
        if store not in _shown:
            panels = WeakSet[PanelController]()
            loop = asyncio.get_running_loop()
            _shown[store] = panels, loop.create_task(_poll(store, panels), context=Context())
        _shown[store][0].add(self)

    def unsubscribe(self, page: str | None = None) -> None:
        """Poll for messages of other notebooks no more, once no page shows the panel."""
        self._pages -= {page} if page else self._pages
        for panels, _ in _shown.values() if not self._pages else ():
            panels.discard(self)


# The panels of a store that a browser shows, and the task that polls it for them.
_shown: dict[Store, tuple[WeakSet[PanelController], asyncio.Task[None]]] = {}


async def _poll(store: Store, panels: WeakSet[PanelController]) -> None:
    """Refresh panels whenever anything is written to their store, until there is none."""
    seen: object = None
    try:
        while panels:
            await asyncio.sleep(_POLL_SECONDS)
            version = None
            with suppress(ChatnbError):  # Each panel shows the error as its own.
                version = await in_thread(store.version)
            if version is None or version != seen:
                await asyncio.gather(*(panel.refresh() for panel in panels))
            seen = version
    finally:
        del _shown[store]


def _with_message(path: NodePath, id: str, shown: ShownMessage) -> NodePath:
    """Return a path with this message, if it is in it, as it is shown and not as it is on disk."""
    message, status, facts = shown
    for position in reversed(range(len(path))):
        node = path[position]
        if node.id == id:
            facts = {**node.facts, **facts}
            return path.with_node(
                position, replace(node, message=message, status=status, facts=facts)
            )
    return path


def _request_error_line(error: BaseException) -> str:
    """Return the reason why a request is not met, which says itself what to do, or an error."""
    if isinstance(error, ChatnbError) or not isinstance(error, LookupError | ValueError):
        return panel_error_line(error)
    # Without the quotes that `str` puts around the reason of a KeyError.
    return error_message(Exception(*error.args[:1])) or panel_error_line(error)
