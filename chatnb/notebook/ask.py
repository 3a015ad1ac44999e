"""One question to chat models, whose replies stream in every front end that shows widgets."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import Any

from chatnb.concurrency.threads import start_thread
from chatnb.concurrency.waiting import wait
from chatnb.markdown.mimebundle import Mimebundle
from chatnb.notebook.cell.comparison_widget import ComparisonView
from chatnb.notebook.cell.display import ReplySink
from chatnb.notebook.cell.reply_widget import ReplyView, StreamedWidget
from chatnb.notebook.cell.turn import Turn
from chatnb.notebook.chats import Chat, get_chat_name, repeated, runnable_from_chat
from chatnb.notebook.reply_stream import Reply
from chatnb.notebook.tables.comparison import Answer, comparison_mimebundle
from chatnb.notebook.widgets.base import ComputedTrait, WidgetOutputs
from chatnb.notebook.widgets.front_end import Form, current_view
from chatnb.schema.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from chatnb.terminal import SafeText


def ask(
    prompt: str | Sequence[BaseMessage],
    model: Any = None,
    *,
    system: str | None = None,
    **params: Any,
) -> ChatReply:
    """Send a prompt to a chat model; the reply streams where it is shown, as in `%%chat`.

    It begins at once and goes on beside the cell. No conversation is continued or kept.

    Args:
        prompt: The text of the message, or a list of messages.
        model: A chat model, a name for `init_chat_model`, or any other chat that a `ChatPanel`
            takes. Default: the one of cells.
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
    return ChatReply(runnable_from_chat(model), _messages(prompt, system), params)


def compare(
    prompt: str | Sequence[BaseMessage],
    models: Sequence[Any] | Mapping[str, Any],
    *,
    system: str | None = None,
    **params: Any,
) -> ChatComparison:
    """Send a prompt to several chat models, side by side, as in `%%chat --compare`.

    They begin at once and go on beside the cell. No conversation is continued or kept.

    Args:
        prompt: The text of the message, or a list of messages.
        models: Two models or more, their names for `init_chat_model`, or whatever else replies in
            a `ChatPanel`; or a dict of them, whose keys name the columns.
        system: The system prompt.
        **params: Parameters of all calls, as `temperature`.

    Returns:
        The replies, a widget: the last line of a cell shows it.

    Raises:
        ValueError: If there are fewer than two models, or two of one name.
        ConfigurationError: If there is no such model, or it lacks a key or its weights.

    Example:
        >>> replies = compare("Hi", {"formal": "scripted:Good day.", "short": "scripted:Hey."})
        >>> replies.result()["short"]
        AIMessage(content='Hey.')
    """
    chats = {name: runnable_from_chat(model) for name, model in _named(models)}
    return ChatComparison(chats, _messages(prompt, system), params)


def _named(models: Sequence[Any] | Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the models with their names, which differ."""
    if isinstance(models, str):
        raise ValueError(f"compare() takes a list of models, not the text {models!r:.60}.")
    named = (
        [*models.items()]
        if isinstance(models, Mapping)
        else [(_name(model), model) for model in models]
    )
    names = [name for name, _ in named]
    if len(names) < 2:
        raise ValueError("compare() takes two models or more.")
    twice = repeated(names)
    if twice:
        raise ValueError(
            f"compare() has {SafeText(', '.join(twice))} twice. Name the columns: compare(prompt, "
            "{'first': ..., 'second': ...})."
        )
    return named


def _name(chat: Any) -> str:
    return chat if isinstance(chat, str) else get_chat_name(runnable_from_chat(chat))


def _messages(prompt: str | Sequence[BaseMessage], system: str | None) -> list[BaseMessage]:
    messages = [HumanMessage(prompt)] if isinstance(prompt, str) else list(prompt)
    return [*([SystemMessage(system)] if system else []), *messages]


class _RunningReplies(StreamedWidget):
    """Replies that stream from now on, and the outputs that show them."""

    busy = ComputedTrait[bool](lambda view: view._is_busy)
    """True while replies stream."""

    _turns: Sequence[Turn] = ()
    _is_busy = True

    def _start(self, sinks: Sequence[ReplySink]) -> None:
        self._ended: list[Reply | None] = [None] * len(self._turns)
        self._outputs = WidgetOutputs(self)
        for index, (turn, sink) in enumerate(zip(self._turns, sinks, strict=True)):
            turn.start(sink, partial(self._end, index))

    def stop(self) -> None:
        """Stop the replies; what has come of them stays. Safe from any thread, at any time."""
        for turn in self._turns:
            turn.stop()

    def mimebundle(self, form: Form) -> tuple[Mimebundle, dict[str, Any]]:
        """Return an output of the replies; once all have ended, it needs no widget."""
        # What has ended is whole in its static form alone, with its pictures and sources.
        return super().mimebundle(form if self._is_busy or form == "text" else "static")

    def close(self) -> None:
        """Stop, and leave the text in place of the widget."""
        self.stop()
        self._outputs.update("static")
        super().close()

    def _wait(self, timeout: float | None) -> list[Reply]:
        deadline = None if timeout is None else time.monotonic() + timeout
        for turn in self._turns:
            left = None if deadline is None else deadline - time.monotonic()
            if not wait(turn.outcome, self.stop, left):
                raise TimeoutError(f"No answer within {timeout} s")
        return [turn.wait() for turn in self._turns]

    async def _wait_async(self) -> list[Reply]:
        return [await turn.wait_async() for turn in self._turns]

    def _ipython_display_(self) -> None:
        if current_view() != "live":
            self._wait(None)
        self._outputs.publish()

    def _end(self, index: int, reply: Reply) -> None:
        self._ended[index] = reply
        self._is_busy = None in self._ended
        self._show_end(index, reply)
        self._outputs.update()
        start_thread(self.notify)  # Observers may block.

    def _show_end(self, index: int, reply: Reply) -> None:
        """Show the end of a reply in the widget."""
        raise NotImplementedError


class ChatReply(_RunningReplies, ReplyView):
    """A reply as a widget, from `ask`; `await` it, or call `result`, for the message."""

    value = ComputedTrait[str](lambda reply: reply.text)
    """The text of the reply so far."""

    def __init__(
        self, model: Chat, messages: Sequence[BaseMessage], params: dict[str, Any]
    ) -> None:
        self._model, self._turns = model, [Turn(model, messages, params)]
        super().__init__(
            self.stop, model_name=get_chat_name(model), stop_with="message", mounts=True
        )
        self._start([self])

    def __repr__(self) -> str:
        return SafeText(f"<the reply of {self.model_name}: await it, or call its result()>")

    def __await__(self) -> Generator[Any, None, AIMessage]:
        [reply] = yield from self._wait_async().__await__()
        return _message(reply)

    def result(self, timeout: float | None = None) -> AIMessage:
        """Block until the reply has ended; an interrupt stops it.

        Raises:
            TimeoutError: If it has not ended in time.
            ChatnbError: What the call failed with.
        """
        [reply] = self._wait(timeout)
        return _message(reply)

    def static_mimebundle(self, mount: str = "") -> Mimebundle:
        """Return the text so far, as it stays in the notebook."""
        [ended] = self._ended
        answer = Answer.from_reply("", self._model, ended) if ended else Answer("", self.text, "")
        return comparison_mimebundle([answer], mount=mount)

    def _show_end(self, index: int, reply: Reply) -> None:
        answer = Answer.from_reply("", self._model, reply)
        self._state.end(answer.below)
        self.snapshot = self._state.snapshot()
        self.footer = answer.footer
        self.media = answer.media_urls
        self.phase = reply.outcome


class ChatComparison(_RunningReplies, ComparisonView):
    """Replies of several models as a widget, from `compare`; `await` it, or call `result`."""

    value = ComputedTrait[dict[str, str]](lambda view: view.texts)
    """The text of each model so far, by its name."""

    def __init__(
        self,
        models: Mapping[str, Chat],
        messages: Sequence[BaseMessage],
        params: dict[str, Any],
    ) -> None:
        self._models = dict(models)
        self._turns = [Turn(model, messages, params) for model in self._models.values()]
        super().__init__([*self._models], self.stop, stop_with="message", mounts=True)
        self._start([self.sink(index) for index in range(len(self._turns))])

    def __repr__(self) -> str:
        names = ", ".join(self._models)
        return SafeText(f"<the replies of {names}: await them, or call result()>")

    def __await__(self) -> Generator[Any, None, dict[str, AIMessage]]:
        replies = yield from self._wait_async().__await__()
        return self._by_name(replies)

    def result(self, timeout: float | None = None) -> dict[str, AIMessage]:
        """Block until all replies have ended, and return them by name; an interrupt stops them.

        One that failed is there with the text that came.

        Raises:
            TimeoutError: If they have not ended in time.
            ChatnbError: What the first call failed with, if all failed.
        """
        return self._by_name(self._wait(timeout))

    def static_mimebundle(self, mount: str = "") -> Mimebundle:
        """Return the texts so far, as they stay in the notebook."""
        return comparison_mimebundle(
            [self._answer(index, name) for index, name in enumerate(self._models)], mount=mount
        )

    def _by_name(self, replies: Sequence[Reply]) -> dict[str, AIMessage]:
        errors = [reply.error for reply in replies if reply.error]
        if len(errors) == len(replies):
            raise errors[0]
        return dict(zip(self._models, (reply.message for reply in replies), strict=True))

    def _answer(self, index: int, name: str) -> Answer:
        ended = self._ended[index]
        if ended is None:
            return Answer(name, self.texts[name], "")
        return Answer.from_reply(name, self._models[name], ended)

    def _show_end(self, index: int, reply: Reply) -> None:
        name = [*self._models][index]
        self.end_column(index, Answer.from_reply(name, self._models[name], reply))


def _message(reply: Reply) -> AIMessage:
    if reply.error is not None:
        raise reply.error
    return reply.message
