"""One question to a chat model, whose reply streams in every front end that shows widgets."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from chatnb.chat_models.base import BaseChatModel
from chatnb.concurrency.threads import start_thread
from chatnb.concurrency.waiting import wait
from chatnb.markdown.mimebundle import Mimebundle
from chatnb.notebook.cell.reply_widget import ReplyView
from chatnb.notebook.cell.turn import Turn
from chatnb.notebook.reply_stream import Reply
from chatnb.notebook.session import SessionModels
from chatnb.notebook.tables.comparison import Answer, comparison_mimebundle
from chatnb.notebook.widgets.base import ComputedTrait, WidgetOutputs
from chatnb.notebook.widgets.front_end import current_view
from chatnb.schema.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage


def ask(
    prompt: str | Sequence[BaseMessage],
    model: BaseChatModel | str | None = None,
    *,
    system: str | None = None,
    **params: Any,
) -> ChatReply:
    """Send a prompt to a chat model; the reply streams where it is shown, as in `%%chat`.

    It begins at once and goes on beside the cell. No conversation is continued or kept.

    Args:
        prompt: The text of the message, or a list of messages.
        model: A chat model, or a name for `init_chat_model`. Default: the one of cells.
        system: The system prompt.
        **params: Parameters of the call, as `temperature`.

    Returns:
        The reply, a widget: the last line of a cell shows it.

    Raises:
        ConfigurationError: If there is no such model, or it lacks a key or its weights.

    Example:
        >>> ask("Hi", "scripted:Hello.").result()
        AIMessage(content='Hello.')
    """
    chat = model if isinstance(model, BaseChatModel) else SessionModels().get(model, {})
    messages = [HumanMessage(prompt)] if isinstance(prompt, str) else list(prompt)
    return ChatReply(chat, [*([SystemMessage(system)] if system else []), *messages], params)


class ChatReply(ReplyView):
    """A reply as a widget, from `ask`; `await` it, or call `result`, for the message."""

    busy = ComputedTrait[bool](lambda reply: reply._ended is None)
    """True while the reply streams."""
    value = ComputedTrait[str](lambda reply: reply.text)
    """The text of the reply so far."""

    def __init__(
        self, model: BaseChatModel, messages: Sequence[BaseMessage], params: dict[str, Any]
    ) -> None:
        self._model, self._turn = model, Turn(model, messages, params)
        self._ended: Reply | None = None
        super().__init__(
            self._turn.stop, model_name=model.model_name, stop_with="message", mounts=True
        )
        self._outputs = WidgetOutputs(self)
        self._turn.start(self, self._on_end)

    def __repr__(self) -> str:
        return f"<the reply of {self.model_name}: await it, or call its result()>"

    def __await__(self) -> Generator[Any, None, AIMessage]:
        reply = yield from self._turn.wait_async().__await__()
        return _message(reply)

    def result(self, timeout: float | None = None) -> AIMessage:
        """Block until the reply has ended; an interrupt stops it.

        Raises:
            TimeoutError: If it has not ended in time.
            ChatnbError: What the call failed with.
        """
        if not wait(self._turn.outcome, self.stop, timeout):
            raise TimeoutError(f"No answer within {timeout} s")
        return _message(self._turn.wait())

    def stop(self) -> None:
        """Stop the reply; what has come of it stays. Safe from any thread, at any time."""
        self._turn.stop()

    def close(self) -> None:
        """Stop, and leave the text in place of the widget."""
        self.stop()
        self._outputs.update("static")
        super().close()

    def static_mimebundle(self, mount: str = "") -> Mimebundle:
        """Return the text so far, as it stays in the notebook."""
        answer = Answer("", self.text, "")
        if self._ended is not None:
            answer = Answer.from_reply("", self._model, self._ended)
        return comparison_mimebundle([answer], mount=mount)

    def _ipython_display_(self) -> None:
        if current_view() != "live":
            self._turn.wait()
        self._outputs.publish()

    def _on_end(self, reply: Reply) -> None:
        self._ended, self.snapshot = reply, self._state.snapshot()
        self.footer = Answer.from_reply("", self._model, reply).footer
        self.phase = reply.outcome
        self._outputs.update()
        start_thread(self.notify)  # Observers may block.


def _message(reply: Reply) -> AIMessage:
    if reply.error is not None:
        raise reply.error
    return reply.message
