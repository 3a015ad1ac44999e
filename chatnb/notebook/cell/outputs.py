"""The outputs of `%%chat` cells in the notebook's page, saved or loaded again in mid-reply.

JupyterLab routes the outputs of a cell only within the page that ran it, and saves what an output
holds: of a reply that streams, a widget view. So one widget for each kernel has no view of its own,
but puts partial replies into saved files, shows running replies again after a reload, and replaces
them by their final outputs where the kernel's own update did not arrive.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, TypedDict
from uuid import uuid4

import traitlets
from ipywidgets import DOMWidget

from chatnb.concurrency.portal import package_portal
from chatnb.concurrency.threads import in_thread
from chatnb.concurrency.waiting import Ok, Promise, post, resolve
from chatnb.markdown.mimebundle import Mimebundle
from chatnb.markdown.rendering import close_fence
from chatnb.markdown.safe_markdown import SafeMarkdown, join_blocks, plain_markdown
from chatnb.notebook.cell.reply_widget import Code, view_code
from chatnb.notebook.widgets.base import ComputedTrait, Widget, static_file
from chatnb.notebook.widgets.formatting import error_lines
from chatnb.notebook.widgets.front_end import (
    cell_id,
    current_kernel,
    in_lab_page,
    is_page_known,
    receives_while_awaiting,
    set_page_answers,
)
from chatnb.notebook.widgets.mounting import publish, widget_mimebundle
from chatnb.terminal import SafeText

# The time in which a page says that it is there.
_ANSWER_SECONDS = 1.0
_DRAFT_SECONDS = 0.2
# At most this share of the time is spent on drafts of long replies.
_DRAFT_SHARE = 0.05
# Replies whose page never came back.
_MAX_UNDELIVERED = 50
# Answers are kept in memory with their outputs: those of cells that ended long ago are dropped.
_MAX_CELLS = 50
_MAX_ANSWERS = 20


class RunningReply(TypedDict):
    """A reply that is not yet known to be in the notebook.

    `view_id` is the model of its live view. `note` ends its text in a file that is saved before it
    has ended.
    """

    cell_id: str
    view_id: str
    note: str
    finished: bool


class Draft(TypedDict):
    """The Markdown of a reply so far and its note: the last one up to `start`, then `text`."""

    type: Literal["draft"]
    id: str
    start: int
    text: str


class FinalOutputs(TypedDict):
    """The outputs of a finished cell as they are in a notebook file, and its number."""

    type: Literal["outputs"]
    id: str
    outputs: list[dict[str, Any]]
    execution_count: int


class Hello(TypedDict):
    """Ask for all drafts: the page was loaded, or has missed one."""

    type: Literal["hello"]


class GetOutputs(TypedDict):
    """Ask for the final outputs of a reply, which did not arrive."""

    type: Literal["get_outputs"]
    id: str


class Delivered(TypedDict):
    """Tell that the final outputs of a reply are in the notebook."""

    type: Literal["delivered"]
    id: str


class AskAgain(TypedDict):
    """Tell that a cell, which runs next, asks for another reply to the prompt it had before."""

    type: Literal["ask_again"]
    cell_id: str


class SelectAnswer(TypedDict):
    """Show another answer of a cell, by its number from 1."""

    type: Literal["select_answer"]
    cell_id: str
    index: int


class AnswerOutputs(TypedDict):
    """The outputs of the answer that a cell shows from now on."""

    type: Literal["answer"]
    cell_id: str
    outputs: list[dict[str, Any]]


Request: TypeAlias = Hello | GetOutputs | Delivered | AskAgain | SelectAnswer


class AnswerPlace(TypedDict):
    """The place of the answer that a cell shows, from 1, among all to its prompt."""

    index: int
    count: int


class AnswerTurn(Protocol):
    """The turn of an answer in its conversation."""

    @property
    def is_another(self) -> bool:
        """True if it answers the prompt that the cell has sent before."""
        ...

    def select(self) -> None:
        """Let the conversation go on from this answer; writes to disk."""


class CellAnswer(NamedTuple):
    """An answer as its cell shows it."""

    outputs: list[dict[str, Any]]
    turn: AnswerTurn


class CellAnswers:
    """The answers of each cell to its last prompt, and which of them it shows."""

    def __init__(self) -> None:
        self._answers: dict[str, list[CellAnswer]] = {}
        self._shown: dict[str, int] = {}

    def add(self, cell_id: str, answer: CellAnswer) -> None:
        """Add the answer that a cell shows now: beside those before it, or to a new prompt."""
        before = self._answers.pop(cell_id, []) if answer.turn.is_another else []
        self._answers[cell_id] = [*before, answer][-_MAX_ANSWERS:]
        self._shown[cell_id] = len(self._answers[cell_id])
        for id in list(self._answers)[:-_MAX_CELLS]:
            self.forget(id)

    def forget(self, cell_id: str) -> None:
        """Forget the answers of a cell."""
        self._answers.pop(cell_id, None)
        self._shown.pop(cell_id, None)

    def select(self, cell_id: str, index: int) -> CellAnswer | None:
        """Return an answer of a cell, which shows it from now on; None if there is none."""
        answers = self._answers.get(cell_id, [])
        if not 1 <= index <= len(answers):
            return None
        self._shown[cell_id] = index
        return answers[index - 1]

    @property
    def places(self) -> dict[str, AnswerPlace]:
        """The places of cells that have several answers."""
        return {
            id: AnswerPlace(index=self._shown[id], count=len(answers))
            for id, answers in self._answers.items()
            if len(answers) > 1
        }


class CellOutput:
    """The output of one cell: a live view while its replies stream, final outputs afterwards.

    Args:
        page: The widget of the page.
        view: The live view.
        names: The names of the models.
        text: Returns the Markdown so far; called on the package's event loop.
        retire: Removes the live view.
        turn: The turn of its answer, if it has one of several.
    """

    def __init__(
        self,
        page: CellOutputs,
        view: DOMWidget,
        names: Sequence[str],
        text: Callable[[], str],
        retire: Callable[[], None],
        turn: AnswerTurn | None = None,
    ) -> None:
        self.id, self.retire, self.turn = uuid4().hex, retire, turn
        self.final: list[dict[str, Any]] = []
        self.execution_count = _execution_count()
        self.sent = ""
        self._page, self._text = page, text
        who = ", ".join(names)
        verb = "is" if len(names) == 1 else "are"
        plain = SafeText(f"{who} {verb} replying.")
        publish({**widget_mimebundle(view), "text/plain": plain}, self.id)
        was = "was" if len(names) == 1 else "were"
        self._note = (
            f"*{plain_markdown(who)} {was} replying when this was saved. `%chat resume` goes on.*"
        )
        page.add(
            self,
            RunningReply(
                cell_id=cell_id(), view_id=view.model_id or "", note=self._note, finished=False
            ),
        )

    def grow(self) -> None:
        """Tell that there is more text; on the package's event loop."""
        self._page.wake()

    def draft(self) -> SafeMarkdown:
        """Return the Markdown so far with its note; on the package's event loop."""
        return join_blocks(close_fence(self._text()), self._note)

    def replace(self, shown: Mimebundle) -> None:
        """Replace the live view in the page that runs the cell."""
        publish(shown, self.id, update=True)

    def finish(self, outputs: Sequence[Mimebundle], error: BaseException | None = None) -> None:
        """Keep the outputs that were published for a page that has missed them."""
        self.final = [
            {"output_type": "display_data", "metadata": {}, "data": dict(data)} for data in outputs
        ]
        if error is not None:
            self.final.append(_error_output(error))
        self._page.finish(self)


class CellOutputs(Widget):
    """The part of the notebook's page that knows the outputs of its cells."""

    _esm = static_file("cell_outputs.js")
    _css = static_file("cell_outputs.css")

    flush_seconds = _DRAFT_SECONDS

    replies = traitlets.Dict().tag(sync=True)
    answers = traitlets.Dict().tag(sync=True)
    reply_code = ComputedTrait[Code | None](
        lambda page: view_code() if page._has_reply_code else None
    ).tag(sync=True)
    """The code of the reply views, once for all of them."""

    def __init__(self) -> None:
        # A page that has missed the code must be able to ask for it while a cell runs.
        self._has_reply_code = in_lab_page() and receives_while_awaiting(current_kernel())
        super().__init__()
        self._outputs: dict[str, CellOutput] = {}
        self._asked_again = ""
        self._answers = CellAnswers()
        # Cells begin and end on the main thread, the page's messages may arrive on another.
        self._lock = threading.Lock()
        self._answered_by = time.monotonic() + _ANSWER_SECONDS
        self._answer = Promise[None]()
        if is_page_known():
            self._answer.set(Ok(None))

    async def await_answer(self) -> None:
        """Await a sign of the page, for as long as one may take."""
        if not self.is_answered:
            loop = asyncio.get_running_loop()
            arrived: asyncio.Future[None] = loop.create_future()
            self._answer.add_done_callback(lambda _: post(loop, resolve, arrived, None))
            await asyncio.wait({arrived}, timeout=max(0.0, self._answered_by - time.monotonic()))
        set_page_answers(self.is_answered)

    @property
    def is_answered(self) -> bool:
        """True once it is known that the front end shows widgets."""
        return self._answer.done()

    def code_model(self, stop_with: str) -> str:
        """Return the id of the model with the code of a reply's view; "" if it has to bring it."""
        can_ask = stop_with == "message"
        shares = self._has_reply_code and can_ask and in_lab_page()
        return (self.model_id or "") if shares else ""

    def take_asked_again(self) -> bool:
        """Return once whether the cell that runs was asked again by its button."""
        asked, self._asked_again = self._asked_again, ""
        return bool(asked) and asked == cell_id()

    def add(self, output: CellOutput, reply: RunningReply) -> None:
        """Know a reply from now on; after its live view was published."""
        with self._lock:
            self._outputs[output.id] = output
            self.replies = {**self.replies, output.id: reply}

    def finish(self, output: CellOutput) -> None:
        """Ask the page whether the final outputs are in the notebook."""
        with self._lock:
            reply = {**self.replies[output.id], "finished": True}
            self.replies = {**self.replies, output.id: reply}
            if output.turn is None:
                self._answers.forget(reply["cell_id"])
            else:
                self._answers.add(reply["cell_id"], CellAnswer(output.final, output.turn))
            self.answers = self._answers.places
        finished = [id for id, reply in self.replies.items() if reply["finished"]]
        for id in finished[:-_MAX_UNDELIVERED]:
            self._forget(id)

    def _send_new(self) -> bool:
        begun = time.monotonic()
        sent = [self._send_draft(output) for output in list(self._outputs.values())]
        spent = time.monotonic() - begun
        self.flush_seconds = max(_DRAFT_SECONDS, spent / _DRAFT_SHARE)
        return any(sent)

    def _send_draft(self, output: CellOutput) -> bool:
        draft = "" if output.final else output.draft()
        if not draft or draft == output.sent:
            return False
        start = _common_start(output.sent, draft)
        self.send(Draft(type="draft", id=output.id, start=start, text=draft[start:]))
        output.sent = draft
        return True

    async def _send_drafts(self) -> None:
        for output in list(self._outputs.values()):
            output.sent = ""
        self.flush()

    def _on_message(self, content: Any, buffers: Sequence[Any]) -> None:
        self._answer.set(Ok(None))
        set_page_answers(True)
        match content:
            case {"type": "hello"}:
                package_portal.submit(self._send_drafts())
            case {"type": "get_outputs", "id": str(id)}:
                self._send_outputs(id)
            case {"type": "ask_again", "cell_id": str(id)}:
                self._asked_again = id
            case {"type": "select_answer", "cell_id": str(id), "index": int(index)}:
                self._select_answer(id, index)
            case {"type": "delivered", "id": str(id)}:
                self._forget(id)
            case _:
                return

    def _send_outputs(self, id: str) -> None:
        output = self._outputs.get(id)
        if output is None or not output.final:
            return
        count = output.execution_count
        self.send(FinalOutputs(type="outputs", id=id, outputs=output.final, execution_count=count))

    def _select_answer(self, cell_id: str, index: int) -> None:
        with self._lock:
            answer = self._answers.select(cell_id, index)
            self.answers = self._answers.places
        if answer is not None:
            self.send(AnswerOutputs(type="answer", cell_id=cell_id, outputs=answer.outputs))
            package_portal.submit(in_thread(answer.turn.select))

    def _forget(self, id: str) -> None:
        with self._lock:
            output = self._outputs.get(id)
            if output is None or not output.final:
                return
            del self._outputs[id]
            self.replies = {key: reply for key, reply in self.replies.items() if key != id}
        output.retire()


def _execution_count() -> int:
    """Return the number of the cell that runs."""
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    # IPython counts on when a cell begins or when it ends, by its version.
    history = getattr(shell, "history_manager", None)
    return len(history.input_hist_raw) - 1 if history is not None else 0


def _error_output(error: BaseException) -> dict[str, Any]:
    lines = error_lines(error)
    name = type(error).__name__
    return {"output_type": "error", "ename": name, "evalue": lines[0], "traceback": lines}


def _common_start(old: str, new: str) -> int:
    """Return the number of characters with which both texts begin."""
    low, high = 0, min(len(old), len(new))
    while low < high:
        middle = (low + high + 1) // 2
        if new.startswith(old[:middle]):
            low = middle
        else:
            high = middle - 1
    return low
