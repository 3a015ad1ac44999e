"""The display of a cell's reply: a widget in a browser, or only the end without one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from chatnb.markdown.mimebundle import Mimebundle
from chatnb.markdown.safe_markdown import safe_markdown
from chatnb.notebook.cell.terminal import footer_of, terminal_display
from chatnb.notebook.reply_stream import Reply
from chatnb.notebook.session import Session
from chatnb.notebook.widgets.footer import (
    footer_mimebundle,
    reasoning_mimebundle,
)
from chatnb.notebook.widgets.front_end import cell_view, stops_with
from chatnb.notebook.widgets.mounting import publish
from chatnb.notebook.widgets.tool_calls import Decide, ItemToolCall, provider_calls
from chatnb.schema.content.outputs import media_outputs, rest_markdown, shown_media
from chatnb.terminal import SafeText, print_line

if TYPE_CHECKING:
    from chatnb.notebook.cell.outputs import AnswerTurn, CellOutputs


class ReplySink(Protocol):
    """A receiver of a reply's text; its methods run on the thread of the reply."""

    def append(self, text: str) -> None:
        """Show the next text."""

    def append_reasoning(self, text: str) -> None:
        """Show the next text of the model's reasoning."""

    def show_note(self, text: str) -> None:
        """Show a note for the time being, in place of the one before, or none."""

    def show_calls(self, calls: Sequence[ItemToolCall]) -> None:
        """Show the tool calls of the reply, as they are now."""

    def end(self) -> None:
        """Show what is held back; nothing follows."""


class ReplyDisplay(ReplySink, Protocol):
    """The display of one reply, from its first chunk to its final output."""

    def reserve_footer(self) -> None:
        """Reserve an output for the footer, above what is published next."""

    def finish(self, reply: Reply, notice: str, shown: Mimebundle | None = None) -> None:
        """Leave the reply as the final output, with a notice below; on the cell's thread."""


def reply_display(
    session: Session,
    model_name: str,
    on_stop: Callable[[], None],
    *,
    awaited: bool,
    on_decide: Callable[[Decide], object] = lambda decision: None,
    turn: AnswerTurn | None = None,
) -> ReplyDisplay:
    """Return the display of a reply in this session."""
    view = cell_view()
    if view == "text":
        return terminal_display(model_name)
    if view == "static":
        return HeadlessDisplay(model_name)
    return BrowserDisplay(
        session.cell_outputs,
        model_name,
        on_stop,
        stop_with=stops_with(awaited=awaited),
        on_decide=on_decide,
        turn=turn,
    )


def reply_mimebundle(text: str) -> Mimebundle:
    """Return a reply as text, and as Markdown without raw HTML and remote images."""
    return {"text/markdown": safe_markdown(text), "text/plain": SafeText(text)}


class NullSink:
    """A sink that shows nothing while a reply streams."""

    def append(self, text: str) -> None:
        """Show nothing yet."""

    def append_reasoning(self, text: str) -> None:
        """Show nothing yet."""

    def show_note(self, text: str) -> None:
        """Show nothing yet."""

    def show_calls(self, calls: Sequence[ItemToolCall]) -> None:
        """Show nothing yet."""

    def end(self) -> None:
        """Show nothing yet."""


class HeadlessDisplay(NullSink):
    """A notebook that a program runs: only the final output is published."""

    def __init__(self, model_name: str) -> None:
        self._model_name = model_name

    def reserve_footer(self) -> None:
        """Reserve nothing: what is published next comes after the footer."""

    def finish(self, reply: Reply, notice: str, shown: Mimebundle | None = None) -> None:
        """Publish the reply and its footer."""
        outputs = _final_outputs(reply) if shown is None else [shown]
        footer = _footer_output(reply, self._model_name, notice)
        thoughts = _reasoning_output(reply, is_alone=not outputs)
        for output in filter(None, (thoughts, *outputs, footer)):
            publish(output)


class BrowserDisplay:
    """A notebook in a browser: a widget while the reply streams, plain Markdown afterwards."""

    def __init__(
        self,
        page: CellOutputs,
        model_name: str,
        on_stop: Callable[[], None],
        *,
        stop_with: str,
        on_decide: Callable[[Decide], object] = lambda decision: None,
        turn: AnswerTurn | None = None,
    ) -> None:
        from chatnb.notebook.cell.outputs import CellOutput
        from chatnb.notebook.cell.reply_widget import ReplyView

        self._model_name, self._page = model_name, page
        self._view = view = ReplyView(
            on_stop,
            model_name=model_name,
            stop_with=stop_with,
            on_decide=on_decide,
            on_delta=lambda: self._output.grow(),
            code_model=page.code_model(stop_with),
        )
        self._output = CellOutput(page, view, [model_name], lambda: view.text, view.retire, turn)
        self._footer_id: str | None = None
        self.append, self.append_reasoning = self._view.append, self._view.append_reasoning
        self.show_note, self.end = self._view.show_note, self._view.end
        self.show_calls = self._view.show_calls

    def reserve_footer(self) -> None:
        """Publish an empty footer."""
        self._footer_id = uuid4().hex
        publish({"text/plain": SafeText(""), "text/markdown": safe_markdown("")}, self._footer_id)

    def finish(self, reply: Reply, notice: str, shown: Mimebundle | None = None) -> None:
        """Replace the widget by the final output."""
        # Only the footer's output was reserved above what follows the reply.
        reasoning = reply.whole.reasoning
        finals = _final_outputs(reply) if shown is None else [shown]
        thoughts: Mimebundle = {}
        if self._footer_id is None:
            thoughts = _reasoning_output(reply, is_alone=not any(finals))
        footer = _footer_output(reply, self._model_name, notice, "" if thoughts else reasoning)
        outputs = [output for output in (thoughts, *finals, footer) if output]
        self._output.replace(outputs[0])
        if self._page.is_answered:
            for output in outputs[1:-1]:
                publish(output)
        elif any(finals):
            # jupyter console knows no output that replaces another.
            for output in filter(None, finals):
                print_line(output.get("text/plain", ""))
            self._footer_id = None
        if len(outputs) > 1:
            publish(footer, self._footer_id or "", update=self._footer_id is not None)
        self._output.finish(outputs, reply.error)


def _footer_output(reply: Reply, model_name: str, notice: str, reasoning: str = "") -> Mimebundle:
    calls = [*provider_calls(reply.parts.calls), *reply.calls]
    footer = footer_of(reply, model_name)
    return footer_mimebundle(footer, notice, reasoning, calls, reply.reasoning_seconds)


def _reasoning_output(reply: Reply, *, is_alone: bool) -> Mimebundle:
    """Return the reasoning of a reply; of one without text, media and calls it is all there is."""
    is_alone = is_alone and not reply.calls and not reply.parts.calls
    return reasoning_mimebundle(reply.whole.reasoning, reply.reasoning_seconds, is_alone=is_alone)


def _final_outputs(reply: Reply) -> list[Mimebundle]:
    """Return the text of a reply with its sources, and its pictures and sounds."""
    parts = reply.parts
    text = "\n\n".join(filter(None, (reply.whole.text, rest_markdown(parts))))
    return [*([reply_mimebundle(text)] if text else []), *media_outputs(shown_media(parts))]
