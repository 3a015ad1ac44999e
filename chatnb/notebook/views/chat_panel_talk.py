"""What a panel does: its conversation, its turns, and what the person asks of it.

All of it runs on the package's loop, so nothing needs a lock.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from chatnb.errors import ChatnbError
from chatnb.notebook.views import chat_panel_requests as requests
from chatnb.notebook.views.chat_panel_answering import Answering, error_line
from chatnb.notebook.views.chat_panel_approval import Approvals
from chatnb.notebook.views.chat_panel_attachments import LIMITS, content_of, with_text
from chatnb.notebook.views.chat_panel_conversation import PanelConversation
from chatnb.notebook.views.chat_panel_item import State
from chatnb.notebook.views.chat_panel_items import items_of, usage_line
from chatnb.notebook.views.chat_panel_settings import PanelSettings
from chatnb.notebook.views.chat_panel_turn import PanelTurn
from chatnb.notebook.views.chat_panel_wire import Field, PanelWire
from chatnb.schema.messages import AIMessage, HumanMessage
from chatnb.store import Node
from chatnb.tools.approval import Approve, Reject

_BUSY = "A reply is still coming. Wait for its end, or stop it."
_REMEMBERED = 100
"""How many messages a browser may still repeat."""


class PanelTalk:
    """The conversation of a panel as it goes on.

    Args:
        conversation: What is said.
        settings: Who answers, and how.
        approve: Who is asked about tool calls instead of the person.
    """

    def __init__(
        self, conversation: PanelConversation, settings: PanelSettings, approve: Approve | None
    ) -> None:
        self.conversation = conversation
        self.settings = settings
        self.on_change: Callable[[], None] = lambda: None
        self.on_turn_end: Callable[[], Awaitable[None]] = _nothing
        self._approve = approve
        self._error: str | None = None
        self._taken: deque[str] = deque(maxlen=_REMEMBERED)
        self._waiting: deque[PanelTurn] = deque()
        self._turn: PanelTurn | None = None
        self._answering: Answering | None = None
        self._task: asyncio.Task[AIMessage] | None = None
        self._working: asyncio.Task[None] | None = None
        self.wire = PanelWire(self._state([]))

    @property
    def running(self) -> bool:
        """Whether a turn is on its way."""
        return self._turn is not None

    async def idle(self) -> None:
        """Wait until no turn is on its way and none waits for one that is."""
        while self._working is not None:
            await asyncio.wait({self._working})

    def begin(self, turn: PanelTurn) -> None:
        """Answer a question, after those that came before."""
        self._waiting.append(turn)
        if self._working is None:
            self._working = asyncio.get_running_loop().create_task(self._work_off())

    def asking(self, content: Any, files: dict[str, Any], *, attended: bool = True) -> PanelTurn:
        """A turn that puts a new question."""

        def put() -> str:
            facts = {"files": files} if files else None
            return self.conversation.begin().add(HumanMessage(content), facts=facts).id

        return PanelTurn(put, self.stop, attended=attended)

    def stop(self) -> None:
        """End the answer that is coming, and ask nothing that waits."""
        while self._waiting:
            self._waiting.popleft().end(_unasked())
        if self._task is not None:
            self._task.cancel()

    def look(self) -> None:
        """Show what the conversation is now; where the disk fails, what it was."""
        try:
            path = self._path()
        except ChatnbError as error:
            self.wire.state = self.wire.state.copy()
            self.wire.state["error"] = error_line(error)
            self.on_change()
            return
        calls = self._answering.calls if self._answering else None
        self.wire.show(items_of(path, self.conversation.siblings, calls))
        self.wire.state = self._state(path)
        self.on_change()

    def look_around(self) -> None:
        """Show what another notebook has said meanwhile, if it has."""
        begun = self.conversation.begun
        try:
            changed = begun is not None and begun.refresh()
        except ChatnbError as error:
            self.fail(error_line(error))
            return
        if changed:
            self.look()

    def grow(self, id: str, field: Field, text: str) -> None:
        """Show more of a message."""
        self.wire.append(id, field, text)
        self.on_change()

    def heard(self, request: requests.Request) -> None:
        """Do what the person asks; what is not done is said in the state, with the reason."""
        try:
            self._do(request)
        except (LookupError, ValueError) as error:
            self.fail(str(error.args[0]) if error.args else error_line(error))
        except Exception as error:  # Whatever a model's maker raises: the person is to know.
            self.fail(error_line(error))

    def fail(self, line: str) -> None:
        """Say what went wrong."""
        self._error = line
        self.look()

    def _do(self, request: requests.Request) -> None:
        match request:
            case requests.Send() | requests.Edit():
                self._say(request)
            case requests.Stop():
                self.stop()
            case requests.Decide():
                self._decide(request)
            case requests.Settle(given):
                self._settle(given)
            case requests.Regenerate() | requests.Select() | requests.Delete():
                if self.running:
                    raise ValueError(_BUSY)
                self._turn_to(request)
            case requests.Hello():
                self.look()

    def _say(self, request: requests.Send | requests.Edit) -> None:
        """Take what was typed; a browser that heard nothing may send it twice."""
        if request.nonce and request.nonce in self._taken:
            return
        if self.running:
            raise ValueError(_BUSY)
        if isinstance(request, requests.Edit):
            turn = self._edited(request.id, request.text)
        elif request.text.strip() or request.attachments:
            turn = self.asking(*content_of(request.text, request.attachments))
        else:
            raise ValueError("There is nothing to send.")
        self._taken.append(request.nonce)
        self._error = None
        self.begin(turn)

    def _edited(self, id: str, text: str) -> PanelTurn:
        node, talk = self.conversation.node(id), self.conversation.begin()
        if not isinstance(node.message, HumanMessage):
            raise ValueError("Only your own messages can be edited.")
        content, files = with_text(node.message, node.facts.get("files") or {}, text)
        facts = {"files": files} if files else None
        return PanelTurn(
            lambda: talk.add(HumanMessage(content), parent=node.parent, facts=facts).id, self.stop
        )

    def _turn_to(self, request: requests.Regenerate | requests.Select | requests.Delete) -> None:
        node, talk = self.conversation.node(request.id), self.conversation.begin()
        self._error = None
        if isinstance(request, requests.Select):
            talk.select(node.id)
        elif isinstance(request, requests.Delete):
            talk.delete(node.id)
        elif not isinstance(node.message, AIMessage) or node.parent is None:
            raise ValueError("Only replies can be made again.")
        else:
            above = node.parent
            self.begin(PanelTurn(lambda: above, self.stop))
        self.look()

    def _decide(self, request: requests.Decide) -> None:
        if self._answering is None:
            return
        verdict = Reject(request.reason) if request.decision == "reject" else True
        name = self._answering.decide(request.call, verdict)
        if name is not None and request.decision == "always":
            self.settings.allow(name)
            self._answering.allow_all(name)
        self.look()

    def _settle(self, given: dict[str, Any]) -> None:
        self._error = None
        self.settings.change(given)
        self.look()

    async def _work_off(self) -> None:
        try:
            while self._waiting:
                self._turn = self._waiting.popleft()
                await self._answer(self._turn)
                self._turn = None
                self.look()
                await self.on_turn_end()
        finally:
            self._turn = self._working = None

    async def _answer(self, turn: PanelTurn) -> None:
        """Put a question and wait for the answer; whatever happens, the turn ends."""
        self._error = None
        self._task = asyncio.create_task(self._answered(turn))
        self.on_change()
        try:
            answer = await self._task
        except asyncio.CancelledError:  # Stopped before it was put.
            self._answering = None
            turn.end(_unasked())
        except Exception as error:
            self._answering, self._error = None, error_line(error)
            turn.fail(error)
        else:
            self._answering = None
            turn.end(answer)
        finally:
            self._task = None

    async def _answered(self, turn: PanelTurn) -> AIMessage:
        chat, params = self.settings.answerer, self.settings.params
        question = turn.put()
        allowed = self.settings.is_allowed
        approvals = Approvals(self._approve, allowed=allowed, attended=turn.attended)
        self._answering = Answering(self.conversation.begin(), chat, approvals, self, params)
        return await self._answering.run(question)

    def _path(self) -> list[Node]:
        """The path, with the message that grows as far as it has come."""
        path = self.conversation.path()
        growing = self._answering.growing if self._answering else None
        if growing is None:
            return path
        id, message = growing
        return [replace(node, message=message) if node.id == id else node for node in path]

    def _state(self, path: Sequence[Node]) -> State:
        return State(
            running=self.running,
            error=self._error,
            model=self.settings.model,
            models=self.settings.models,
            temperature=self.settings.temperature,
            system=self.settings.system,
            usage=usage_line(path),
            limits=LIMITS,
            name=self.conversation.name,
        )


async def _nothing() -> None:
    """Nobody looks."""


def _unasked() -> AIMessage:
    return AIMessage("", response_metadata={"finish_reason": "stopped"})
