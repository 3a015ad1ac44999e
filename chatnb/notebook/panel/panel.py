"""The chat panel: a conversation in a cell's output, which streams while other cells run."""

from __future__ import annotations

import atexit
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Any
from weakref import WeakSet

from chatnb.concurrency.portal import package_portal
from chatnb.concurrency.waiting import await_done, wait
from chatnb.conversations import Conversation
from chatnb.errors import MissingRuntimeError
from chatnb.markdown.safe_markdown import SafeMarkdown
from chatnb.notebook.panel.backend import PanelBackend
from chatnb.notebook.panel.controller import PanelController
from chatnb.notebook.panel.requests import Settings
from chatnb.notebook.panel.transcript import transcript_cells
from chatnb.notebook.panel.turn import PanelTurn, wait_after_cell
from chatnb.notebook.panel.widget import ChatPanelWidget
from chatnb.notebook.widgets.footer import total_usage
from chatnb.notebook.widgets.front_end import current_view
from chatnb.schema.merging import Content
from chatnb.schema.usage import UsageMetadata
from chatnb.tools.execution import Approve
from chatnb.tools.openai_schema import ToolLike

# A process that ends may take this long to write down the replies that are streaming.
_STOP_SECONDS = 2.0
_NO_SIDECAR = (
    "A panel beside the notebook needs JupyterLab and the package sidecar. Install it with: "
    'pip install "chatnb[beside]", and load JupyterLab again. Or show the panel in a cell, and '
    'choose "Create New View for Cell Output" in the menu of its output.'
)
_controllers = WeakSet[PanelController]()


class ChatPanel(ChatPanelWidget):
    """A chat as the last line of a cell.

    Replies stream in the background, on the package's own thread, while other cells run, and are
    kept on disk. With a name the conversation continues where it ended, also after a restart of
    the kernel; `%%chat -c` and other panels know it by the same name. The notebook file contains
    the transcript, and so do the outputs of programs that run notebooks.

    Args:
        chat: The chat that replies: a chat model, a name for `init_chat_model`, any runnable from
            messages to a message (a chain, a `ToolLoop`), a model of LangChain's, or a function of
            the messages, asynchronous or not, that returns or yields text or messages. Default:
            the last model of the conversation, else the one that `%%chat` uses.
        name: The conversation to continue. Default: a new one, with a name of its own.
        system: The system prompt. Default: the conversation's.
        tools: The tools that the model may call. Each call waits for the user's approval, unless
            its function is always allowed in this conversation and notebook.
        temperature: The sampling temperature, 0 to 2. Default: the conversation's.
        approve: Is asked about each call in place of the user, as in `ToolLoop`. Without it, calls
            are rejected where a program runs the notebook and nobody can be asked.
        suggestions: Messages to begin with, which the empty panel offers; "/" lists them. Default:
            questions about the notebook's tables, if it has any.

    Raises:
        ConfigurationError: If there is no such model, or it lacks a key or its weights, or the
            store cannot be used.
        TypeError: If the chat or a tool cannot be run here.

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
        suggestions: Sequence[str] | None = None,
    ) -> None:
        self._backend = PanelBackend(name, chat, tools, suggestions)
        changes = Settings()
        if system is not None:
            changes["system"] = system
        if temperature is not None:
            changes["temperature"] = temperature
        if changes:
            self._backend.change_settings(changes)
        super().__init__(PanelController(self._backend, approve))
        self._turns: list[PanelTurn] = []
        _controllers.add(self._controller)

    def __repr__(self) -> str:
        name = self._backend.current and self._backend.current.name
        return f"ChatPanel(name={name!r})" if name else "ChatPanel()"

    @property
    def conversation(self) -> Conversation:
        """The conversation, which exists from now on."""
        return self._backend.create()

    @property
    def usage(self) -> UsageMetadata | None:
        """The tokens of the replies on the branch that is shown; None if none reports them."""
        return total_usage(self.messages)

    def ask(self, question: Content) -> PanelTurn:
        """Send a message, as if it had been typed; the reply comes in the background.

        Messages that are sent while a reply streams are queued. Where a program runs the notebook,
        the cell waits for the reply before it ends.

        Args:
            question: The text of the message, or a list of parts.

        Returns:
            The turn: `await` it, or call its `result()`, for the reply.
        """
        interactive = current_view() == "live"
        turn = self._controller.new_turn(question, interactive=interactive)
        self._turns = [*(turn for turn in self._turns if not turn.done), turn]
        if not interactive:
            wait_after_cell(turn)
        self._controller.post(partial(self._controller.ask, turn))
        return turn

    async def wait(self) -> None:
        """Wait until no reply is streaming; interrupting the wait stops the one that is."""
        await await_done(package_portal.submit(self._controller.wait_idle()), self.stop)

    def stop(self) -> None:
        """Stop the reply that is streaming; what has come of it stays. Safe from any thread."""
        self._controller.post(self._controller.stop)

    def to_markdown(self) -> SafeMarkdown:
        """Return the branch that is shown as Markdown."""
        return self._backend.create().to_markdown()

    def to_cells(self) -> list[dict[str, Any]]:
        """Return the branch that is shown as the cells of a notebook, in nbformat's format.

        Returns:
            A Markdown cell for each message, and the Python code of replies in code cells.
        """
        return transcript_cells(self._backend.path())

    def open_beside(self) -> None:
        """Show the panel in a tab beside the notebook, where it stays while the notebook scrolls.

        It can be shown in a cell as well. JupyterLab needs the package sidecar for it; without it,
        "Create New View for Cell Output" in the menu of a panel's output does the same by hand.

        Raises:
            MissingRuntimeError: If the package sidecar is not installed.
        """
        try:
            sidecar: Any = import_module("sidecar")
        except ImportError as error:
            raise MissingRuntimeError(_NO_SIDECAR) from error
        name = self._backend.current.name if self._backend.current else "Chat"
        with sidecar.Sidecar(title=name, anchor="split-right"):
            self._ipython_display_()

    def close(self) -> None:
        """Stop, and replace the panel by the transcript."""
        _stop_and_wait(self._controller)
        if self.comm is not None:
            package_portal.run(self._detach())
            super().close()

    def _ipython_display_(self) -> None:
        """Show the panel as a cell's last line."""
        if current_view() != "live":
            for turn in self._turns:
                turn.wait()
        self._outputs.publish()


def _stop_and_wait(controller: PanelController, timeout: float | None = None) -> None:
    """Stop the turns of a panel, and wait until their partial replies are written down."""
    stop = partial(controller.post, controller.stop)
    stop()
    wait(package_portal.submit(controller.wait_idle()), stop, timeout)


def _stop_all() -> None:
    # Functions of the notebook lose their variables when the process ends: replies must be marked
    # as stopped before they fail for that reason.
    for controller in list(_controllers):
        if controller.running:
            _stop_and_wait(controller, _STOP_SECONDS)


atexit.register(_stop_all)
