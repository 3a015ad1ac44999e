"""A conversation in the notebook, beside the code: streaming, on disk, and never in the way."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4
from weakref import WeakSet

from chatnb.conversations import Conversation
from chatnb.notebook.views.chat_panel_conversation import PanelConversation, usage_of
from chatnb.notebook.views.chat_panel_settings import PanelSettings
from chatnb.notebook.views.chat_panel_talk import PanelTalk
from chatnb.notebook.views.chat_panel_transcript import cells_of, panel_bundle
from chatnb.notebook.views.chat_panel_turn import PanelTurn, end_with_the_cell
from chatnb.notebook.views.places import is_watched_here, with_view
from chatnb.notebook.waiting import awaited, wait_for
from chatnb.runnables.loop_thread import package_loop
from chatnb.runnables.threads import in_thread
from chatnb.schema.merging import Content
from chatnb.schema.messages import BaseMessage
from chatnb.schema.usage import UsageMetadata
from chatnb.tools.approval import Approve
from chatnb.tools.openai_tools import ToolLike

if TYPE_CHECKING:
    from chatnb.notebook.views.chat_panel_view import ChatPanelView

T = TypeVar("T")

_LAST_WORDS_SECONDS = 2.0
"""How long the process may go on when it ends in mid-reply."""
_panels: WeakSet[ChatPanel] = WeakSet()


class ChatPanel:
    """A chat as a cell's last line: the kernel stays free, and every word is kept on disk.

    Replies come in the background, on the package's own thread: other cells run meanwhile. With a
    name the conversation goes on where it was, after a restart of the kernel as well; `%%chat -c`
    and other panels know it by the same name. What is saved with the notebook, and what programs
    that run notebooks get, is the transcript.

    Args:
        chat: Who answers: a chat model, a name for `init_chat_model`, any runnable from messages
            to a message (a chain, a `ToolLoop`), a model of LangChain's, or a function of the
            messages, asynchronous or not, that gives or yields text or messages. Default: the
            model that the conversation last had, else the one that `%%chat` asks.
        name: The conversation to go on with. Default: a new one, with a name of its own.
        system: What the model is told first. Default: what the conversation has.
        tools: What the model may call. Each call waits for the person's word, unless the tool is
            always allowed in this conversation.
        temperature: 0 for the likeliest words, up to 2 for others. Default: what the
            conversation has.
        approve: Is asked about each call instead of the person, as in `ToolLoop`. Where a program
            runs the notebook and nobody can be asked, calls are rejected without it.

    Raises:
        ConfigurationError: If there is no such model, or it lacks a key or its weights, or the
            store cannot be used.
        TypeError: If the chat or a tool is of no kind that can be run here.

    Example:
        >>> panel = ChatPanel("scripted:Hello.", name="greeting")
        >>> panel.ask("Hi").result()
        AIMessage(content='Hello.')
        >>> panel.messages
        [HumanMessage(content='Hi'), AIMessage(content='Hello.')]
    """

    def __init__(
        self,
        chat: Any = None,
        *,
        name: str | None = None,
        system: str | None = None,
        tools: Sequence[ToolLike] = (),
        temperature: float | None = None,
        approve: Approve | None = None,
    ) -> None:
        self._conversation = PanelConversation(name)
        settings = PanelSettings(self._conversation, chat, tools)
        told = {"system": system, "temperature": temperature}
        given = {key: value for key, value in told.items() if value is not None}
        if given:
            settings.change(given)
        self._talk = PanelTalk(self._conversation, settings, approve)
        self._place = uuid4().hex
        self._view: ChatPanelView | None = None
        self._display_ids: list[str] = []
        self._turns: list[PanelTurn] = []
        _panels.add(self)

    def __repr__(self) -> str:
        name = self._conversation.name
        return f"ChatPanel(name={name!r})" if name else "ChatPanel()"

    @property
    def conversation(self) -> Conversation:
        """The conversation itself."""
        return self._conversation.begin()

    @property
    def messages(self) -> list[BaseMessage]:
        """What was said on the branch that is shown, without the system prompt."""
        return [node.message for node in self._conversation.path()]

    @property
    def usage(self) -> UsageMetadata | None:
        """The tokens of the replies on the branch that is shown; None if none of them says."""
        return usage_of(self.messages)

    def ask(self, question: Content) -> PanelTurn:
        """Put a question, as if it had been typed; the answer comes in the background.

        Questions that are asked while an answer comes wait for their turn. Where a program runs
        the notebook, the cell waits for the answer before it ends.

        Args:
            question: Its text, or a list of parts.

        Returns:
            The turn: `await` it, or call its `result()`, for the answer.
        """
        attended = is_watched_here()
        turn = self._talk.asking(question, {}, attended=attended)
        self._turns = [*(each for each in self._turns if not each.done), turn]
        if not attended:
            end_with_the_cell(turn)
        package_loop.submit(_calling(lambda: self._talk.begin(turn)))
        return turn

    async def wait(self) -> None:
        """Wait until no answer is coming; interrupting the wait stops the one that is."""
        await awaited(package_loop.submit(self._talk.idle()), self.stop)

    def stop(self) -> None:
        """End the answer that is coming; what has come of it stays. Safe from any thread."""
        package_loop.submit(_calling(self._talk.stop))

    def to_markdown(self) -> str:
        """What was said on the branch that is shown, as the model wrote it."""
        return self._conversation.begin().to_markdown()

    def to_cells(self) -> list[dict[str, Any]]:
        """What was said as the cells of a notebook, as nbformat has them.

        Returns:
            A Markdown cell for each message, and the Python code of replies in code cells.
        """
        return cells_of(self._conversation.path())

    def close(self) -> None:
        """Stop, and leave the transcript in the panel's place."""
        self.stop()
        wait_for(package_loop.submit(self._talk.idle()), self.stop)
        view, self._view = self._view, None
        if view is not None:
            package_loop.run(_calling(view.close_down))
            self._update()
            view.retire()

    def _ipython_display_(self) -> None:
        """Show the panel: what IPython calls for a cell's last line."""
        from IPython.display import publish_display_data

        if not is_watched_here():
            self._wait_here()
            publish_display_data(panel_bundle(self._conversation.path()))
            return
        view = self._view = self._view or self._new_view()
        self._display_ids.append(uuid4().hex)
        publish_display_data(self._bundle(), transient={"display_id": self._display_ids[-1]})
        package_loop.submit(_calling(view.tell_all))

    def _new_view(self) -> ChatPanelView:
        from chatnb.notebook.views.chat_panel_view import ChatPanelView

        view = ChatPanelView(self._talk, self._place)
        self._talk.on_change, self._talk.on_turn_end = view.wake, self._show_end
        return view

    def _bundle(self) -> dict[str, Any]:
        place = self._place if self._view else ""
        return with_view(panel_bundle(self._conversation.path(), place), self._view)

    def _update(self) -> None:
        from IPython.display import publish_display_data

        for display_id in self._display_ids:
            publish_display_data(self._bundle(), transient={"display_id": display_id}, update=True)

    async def _show_end(self) -> None:
        """Tell the browser of a turn's end, and put what was said beside the widget."""
        if self._view is not None:
            self._view.catch_up()
            await in_thread(self._update)

    def _last_words(self) -> None:
        """Stop, and have what has come written down as stopped."""
        if self._talk.running:
            self.stop()
            wait_for(package_loop.submit(self._talk.idle()), self.stop, _LAST_WORDS_SECONDS)

    def _wait_here(self) -> None:
        """Block until every answer has come, in slices in which an interrupt can land."""
        for turn in self._turns:
            turn.settle()


def _stop_all() -> None:
    """Stop before the process ends: functions of the notebook lose their variables then, and what
    would fail for that has not failed."""
    for panel in list(_panels):
        panel._last_words()


atexit.register(_stop_all)


async def _calling(call: Callable[[], T]) -> T:
    """A call as a coroutine, to be made on the package's loop."""
    return call()
