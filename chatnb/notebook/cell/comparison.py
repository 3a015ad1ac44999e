"""The cell option --compare: one prompt to several models, side by side."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

from IPython.core.error import UsageError

from chatnb.markdown.mimebundle import Mimebundle
from chatnb.notebook.cell.display import NullSink, ReplySink
from chatnb.notebook.cell.kept_turn import cell_conversation
from chatnb.notebook.cell.terminal import markdown_console, print_markdown
from chatnb.notebook.cell.turn import Turn, cell_params
from chatnb.notebook.chats import Chat, repeated
from chatnb.notebook.prompt import Prompt
from chatnb.notebook.reply_stream import Reply
from chatnb.notebook.session import ReplyInterrupted, Session, without_traceback
from chatnb.notebook.tables.comparison import Answer, comparison_mimebundle
from chatnb.notebook.widgets.front_end import cell_view, stops_with
from chatnb.notebook.widgets.mounting import publish
from chatnb.terminal import print_line


class Comparison:
    """A cell with one prompt to several models, whose replies stream from now on."""

    # The conversation does not keep them.

    def __init__(
        self, session: Session, options: argparse.Namespace, prompt: Prompt, *, awaited: bool
    ) -> None:
        self._session = session
        self._variable = options.output or "_reply"
        self._notice = " ".join(prompt.notes)
        self._models = _compared_models(options.compare, session.model)
        conversation = cell_conversation(session, options)
        messages = session.defaults.with_system(conversation.request_messages(prompt.message()[0]))
        self._turns = [
            Turn(model, messages, cell_params(session, options, model)) for _, model in self._models
        ]
        names = [compared.name for compared in self._models]
        self._display = _comparison_display(session, names, self._stop, awaited=awaited)
        for index, turn in enumerate(self._turns):
            turn.start(self._display.sink(index), partial(self._end, index))

    def wait(self) -> None:
        """Block until all replies have ended; an interrupt lands at once."""
        for turn in self._turns:
            turn.wait()

    async def wait_async(self) -> None:
        """Await the end of all replies; an interrupt lands at once."""
        for turn in self._turns:
            await turn.wait_async()

    def finish(self, *, interrupted: bool) -> None:
        """Leave the replies in the cell and the variables; raise the first error if all failed."""
        if interrupted:
            self._stop()
        replies = [turn.stop_and_collect() if interrupted else turn.wait() for turn in self._turns]
        answers = [self._answer(index, reply) for index, reply in enumerate(replies)]
        messages = {
            answer.name: reply.message for answer, reply in zip(answers, replies, strict=True)
        }
        self._session.shell.push({name: dict(messages) for name in ("_reply", self._variable)})
        self._display.finish(comparison_mimebundle(answers, self._notice))
        if interrupted:
            raise without_traceback(ReplyInterrupted()) from None
        errors = [reply.error for reply in replies]
        if all(errors) and errors[0] is not None:
            raise without_traceback(errors[0])

    def _stop(self) -> None:
        for turn in self._turns:
            turn.stop()

    def _end(self, index: int, reply: Reply) -> None:
        self._display.end(index, self._answer(index, reply))

    def _answer(self, index: int, reply: Reply) -> Answer:
        name, model = self._models[index]
        return Answer.from_reply(name, model, reply)


class _ComparedModel(NamedTuple):
    name: str
    model: Chat


def _compared_models(option: str, model_from_name: Callable[[str], Chat]) -> list[_ComparedModel]:
    names = [name.strip() for name in option.split(",") if name.strip()]
    if len(names) < 2:
        raise UsageError("%%chat --compare takes two models or more: --compare MODEL,MODEL")
    twice = repeated(names)
    if twice:
        raise UsageError(f"%%chat --compare names {', '.join(twice)} twice.")
    return [_ComparedModel(name, model_from_name(name)) for name in names]


class ComparisonDisplay(Protocol):
    """The display of a comparison."""

    def sink(self, index: int) -> ReplySink:
        """Return the sink of one column's reply."""
        ...

    def end(self, index: int, answer: Answer) -> None:
        """Show how a column ended; on the thread of the replies."""

    def finish(self, mimebundle: Mimebundle) -> None:
        """Leave the columns as they stay; on the cell's thread."""


def _comparison_display(
    session: Session, names: list[str], on_stop: Callable[[], None], *, awaited: bool
) -> ComparisonDisplay:
    view = cell_view()
    if view == "text":
        return TerminalDisplay()
    if view == "static":
        return HeadlessDisplay()
    from chatnb.notebook.cell.comparison_widget import BrowserDisplay

    stop_with = stops_with(awaited=awaited)
    return BrowserDisplay(session.cell_outputs, names, on_stop, stop_with=stop_with)


class HeadlessDisplay:
    """A notebook that a program runs: only the finished columns are shown."""

    def sink(self, index: int) -> ReplySink:
        """Show nothing yet."""
        return NullSink()

    def end(self, index: int, answer: Answer) -> None:
        """Show nothing yet."""

    def finish(self, mimebundle: Mimebundle) -> None:
        """Publish the columns."""
        publish(mimebundle)


class TerminalDisplay(HeadlessDisplay):
    """A terminal: the replies below each other, when all have ended."""

    def finish(self, mimebundle: Mimebundle) -> None:
        """Print the replies."""
        console = markdown_console()
        if console is None:
            print_line(mimebundle.get("text/plain", ""))
        else:
            print_markdown(mimebundle.get("text/markdown", ""), console)
