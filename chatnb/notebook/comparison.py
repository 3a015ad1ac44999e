"""One prompt to several models, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import publish_display_data

from chatnb.chat_models import BaseChatModel
from chatnb.notebook.failures import ReplyInterrupted, in_one_line
from chatnb.notebook.frontends import is_watched
from chatnb.notebook.turn import Reply, ReplySink, Turn
from chatnb.notebook.turns import Turns
from chatnb.notebook.views.comparison import Answer, comparison_bundle
from chatnb.schema.messages import BaseMessage


class Contestant(NamedTuple):
    """A model that is asked.

    Args:
        name: What the cell calls it.
        model: The model.
    """

    name: str
    model: BaseChatModel


class Display(Protocol):
    """Where a comparison is shown."""

    def sink(self, place: int) -> ReplySink:
        """Where the reply of one column goes."""
        ...

    def ended(self, place: int, answer: Answer) -> None:
        """Say how a column ended; on the thread of the replies."""

    def finish(self, bundle: dict[str, str]) -> None:
        """Leave what stays; on the cell's thread."""


class Comparison:
    """A cell's question to several models; each reply is a turn of its own.

    Args:
        contestants: The models in order.
        messages: The conversation, the prompt last.
        params: The parameters of each call.
        variable: What `-o` names.
    """

    def __init__(
        self,
        contestants: Sequence[Contestant],
        messages: Sequence[BaseMessage],
        params: dict[str, Any],
        variable: str | None,
    ) -> None:
        self._contestants = contestants
        self._turns = [Turn(each.model, messages, params) for each in contestants]
        self._variable = variable
        self.turn = Turns(self._turns)

    def start(self, shell: InteractiveShell, *, awaited: bool) -> None:
        """Ask all of them.

        Args:
            shell: The shell that runs the cell.
            awaited: Whether the kernel hears the browser while it runs.
        """
        names = [each.name for each in self._contestants]
        self._display = _display_for(shell, names, self.turn.stop, awaited=awaited)
        for place, turn in enumerate(self._turns):
            turn.start(self._display.sink(place), partial(self._ended, place))

    def keep(self, shell: InteractiveShell, replies: list[Reply], *, interrupted: bool) -> None:
        """Leave the replies in the variables and the cell.

        Raises:
            KeyboardInterrupt: If the cell was interrupted.
            Exception: What the first of them failed with, if all did.
        """
        messages = {
            each.name: reply.message for each, reply in zip(self._contestants, replies, strict=True)
        }
        names = ["_reply", *([self._variable] if self._variable else [])]
        shell.push({name: dict(messages) for name in names})
        answers = [self._answer(place, reply) for place, reply in enumerate(replies)]
        self._display.finish(comparison_bundle(answers))
        if interrupted:
            raise in_one_line(ReplyInterrupted()) from None
        errors = [reply.error for reply in replies]
        if all(errors) and errors[0] is not None:
            raise in_one_line(errors[0])

    def _ended(self, place: int, reply: Reply) -> None:
        self._display.ended(place, self._answer(place, reply))

    def _answer(self, place: int, reply: Reply) -> Answer:
        name, model = self._contestants[place]
        return Answer.of(name, model, reply)


def contestants_of(names: str, model_named: Callable[[str], BaseChatModel]) -> list[Contestant]:
    """The models that a cell names.

    Args:
        names: What `--compare` says, with commas between.
        model_named: Finds a model.

    Raises:
        UsageError: If there are fewer than two, or one twice.
        ConfigurationError: If one of them cannot be asked.
    """
    asked = [name.strip() for name in names.split(",") if name.strip()]
    if len(asked) < 2:
        raise UsageError("%%chat --compare takes two models or more: --compare MODEL,MODEL")
    twice = [name for name in dict.fromkeys(asked) if asked.count(name) > 1]
    if twice:
        raise UsageError(f"%%chat --compare names {', '.join(twice)} twice.")
    return [Contestant(name, model_named(name)) for name in asked]


def _display_for(
    shell: InteractiveShell, names: list[str], on_stop: Callable[[], None], *, awaited: bool
) -> Display:
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return InTerminal()
    if not is_watched(kernel):
        return Unwatched()
    from chatnb.notebook.views.comparison_columns import Columns

    return Columns(names, on_stop, stop_with="message" if awaited else "interrupt")


class Unseen:
    """Shows nothing of a reply that streams."""

    def append(self, text: str) -> None:
        """Show nothing yet."""

    def end(self) -> None:
        """Nothing was held back."""


class Unwatched:
    """A notebook that a program runs: only what stays is shown."""

    def sink(self, place: int) -> ReplySink:
        """Show nothing yet."""
        return Unseen()

    def ended(self, place: int, answer: Answer) -> None:
        """Show nothing yet."""

    def finish(self, bundle: dict[str, str]) -> None:
        """Publish what stays."""
        publish_display_data(bundle)


class InTerminal(Unwatched):
    """A terminal has no columns: the replies stand below each other, when all have ended."""

    def finish(self, bundle: dict[str, str]) -> None:
        """Print the replies."""
        print(bundle["text/plain"])
