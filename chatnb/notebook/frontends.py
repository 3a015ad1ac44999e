"""Where a reply is shown: a live notebook, a notebook that nobody watches, or a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias
from uuid import uuid4

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import publish_display_data

from chatnb.notebook.control_characters import made_visible
from chatnb.notebook.turn import Reply, ReplySink
from chatnb.notebook.views.finished import facts_of, footer_bundle, reply_bundle

Bundle: TypeAlias = dict[str, Any]


class Frontend(ReplySink, Protocol):
    """Shows one reply, from the first word to what stays."""

    def make_room(self) -> None:
        """Keep a place for the facts of the reply, above what is shown next."""

    def finish(self, reply: Reply, notice: str, shown: Bundle | None = None) -> None:
        """Leave the reply as it stays, with what there is to say once; on the cell's thread.

        Args:
            reply: How the turn ended.
            notice: A line to say under it.
            shown: What stays in place of the text; an empty bundle for nothing.
        """


def frontend_for(
    shell: InteractiveShell, model_name: str, on_stop: Callable[[], None], *, awaited: bool
) -> Frontend:
    """Choose where a reply is shown.

    Args:
        shell: The shell that runs the cell.
        model_name: Who answers.
        on_stop: What a press on Stop calls.
        awaited: Whether the kernel hears the browser while the cell runs.
    """
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return Terminal(model_name)
    if not is_watched(kernel):
        return Unwatched(model_name)
    return LiveNotebook(model_name, on_stop, stop_with="message" if awaited else "interrupt")


def is_watched(kernel: Any) -> bool:
    """Programs that run notebooks (nbclient, nbconvert, papermill, nbval) cannot be asked for
    input; with nobody to watch, a widget would only end up in the executed file."""
    return bool(getattr(kernel, "_allow_stdin", True))


class Unwatched:
    """A notebook that a program runs: only what stays is shown."""

    def __init__(self, model_name: str) -> None:
        self._model_name = model_name

    def append(self, text: str) -> None:
        """Show nothing yet."""

    def end(self) -> None:
        """Nothing was held back."""

    def make_room(self) -> None:
        """What is shown next comes after the facts anyway."""

    def finish(self, reply: Reply, notice: str, shown: Bundle | None = None) -> None:
        """Publish the reply and its footer."""
        shown = _bundle_of(reply) if shown is None else shown
        if shown:
            publish_display_data(shown)
        publish_display_data(footer_bundle(facts_of(reply, self._model_name), notice))


class LiveNotebook:
    """A notebook that someone watches: a widget while it streams, plain Markdown afterwards."""

    def __init__(self, model_name: str, on_stop: Callable[[], None], *, stop_with: str) -> None:
        from chatnb.notebook.views.reply import ReplyView

        self._model_name = model_name
        self._view = ReplyView(on_stop, model_name=model_name, stop_with=stop_with)
        self._display_id = uuid4().hex
        self._footer_id: str | None = None
        self.append, self.end = self._view.append, self._view.end
        self._publish(
            {
                "application/vnd.jupyter.widget-view+json": {
                    "version_major": 2,
                    "version_minor": 0,
                    "model_id": self._view.model_id,
                },
                "text/plain": f"{model_name} is replying.",
            }
        )

    def make_room(self) -> None:
        """Publish a footer that says nothing yet."""
        self._footer_id = uuid4().hex
        empty = {"text/plain": "", "text/html": "<div></div>"}
        publish_display_data(empty, transient={"display_id": self._footer_id})

    def finish(self, reply: Reply, notice: str, shown: Bundle | None = None) -> None:
        """Put what stays in the widget's place."""
        footer = footer_bundle(facts_of(reply, self._model_name), notice)
        shown = _bundle_of(reply) if shown is None else shown
        if not shown:
            self._publish(footer, update=True)
        else:
            self._publish(shown, update=True)
            if self._footer_id is None:
                publish_display_data(footer)
            else:
                transient = {"display_id": self._footer_id}
                publish_display_data(footer, transient=transient, update=True)
        self._view.retire()

    def _publish(self, bundle: dict[str, Any], *, update: bool = False) -> None:
        publish_display_data(bundle, transient={"display_id": self._display_id}, update=update)


class Terminal:
    """A terminal: plain text as it comes."""

    def __init__(self, model_name: str) -> None:
        self._model_name = model_name

    def append(self, text: str) -> None:
        """Print the next piece; control characters must not reach the terminal as such."""
        sys.stdout.write(made_visible(text))
        sys.stdout.flush()

    def end(self) -> None:
        """Nothing was held back."""

    def make_room(self) -> None:
        """What is shown next comes after the facts anyway."""

    def finish(self, reply: Reply, notice: str, shown: Bundle | None = None) -> None:
        """Print the facts under the reply."""
        facts = facts_of(reply, self._model_name)
        sys.stdout.write("\n".join(["", facts, *([notice] if notice else []), ""]))
        sys.stdout.flush()


def _bundle_of(reply: Reply) -> Bundle:
    return {**reply_bundle(reply.message.text)} if reply.message.text else {}
