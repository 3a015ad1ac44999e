"""Ask a model for the new code of a cell, and propose it: as a diff, or in a cell below."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from chatnb.errors import ChatnbError
from chatnb.notebook.cell.code_cell import add_cell_below
from chatnb.notebook.cell.display import reply_display
from chatnb.notebook.cell.proposal import Proposal, proposal_mimebundle
from chatnb.notebook.cell.turn import Turn
from chatnb.notebook.chats import get_chat_name
from chatnb.notebook.reply_stream import Reply
from chatnb.notebook.session import ReplyInterrupted, Session, without_traceback
from chatnb.notebook.widgets.front_end import in_lab_page, widget_form
from chatnb.notebook.widgets.mounting import publish
from chatnb.schema.messages import BaseMessage

_BELOW = "The new code is below; it has not been run."


class CodeAnswer(NamedTuple):
    """The code in a reply: a change of a cell that is known, or the code alone.

    Args:
        proposal: The change.
        code: The code where no cell is known that it would change.
        notice: The reason why there is neither.
        is_all: True if nothing else is to be shown of the reply.
    """

    proposal: Proposal | None = None
    code: str = ""
    notice: str = ""
    is_all: bool = False


def ask_for_code(
    session: Session, question: list[BaseMessage], read: Callable[[str], CodeAnswer]
) -> None:
    """Ask the session's model, show its reply with a footer, and propose the code in it.

    `read` gets the text of a reply that is whole. Nothing is run.
    """
    try:
        reply, answer = _answer(session, question, read)
    except (ChatnbError, KeyboardInterrupt) as stopped:
        raise without_traceback(stopped) from None
    session.shell.push({"_reply": reply.message})
    if answer.proposal is not None:
        _propose(session, answer.proposal)
    elif answer.code:
        add_cell_below(session.shell, answer.code)


def _answer(
    session: Session, question: list[BaseMessage], read: Callable[[str], CodeAnswer]
) -> tuple[Reply, CodeAnswer]:
    model = session.model()
    turn = Turn(model, question, session.defaults.params({}))
    display = reply_display(session, get_chat_name(model), turn.stop, awaited=False)
    turn.start(display)
    try:
        reply = turn.wait()
    except KeyboardInterrupt:
        display.finish(turn.stop_and_collect(), "")
        raise ReplyInterrupted() from None
    answer = read(reply.message.text) if reply.outcome == "done" else CodeAnswer()
    display.finish(reply, _notice(answer), shown={} if answer.is_all else None)
    if reply.error is not None:
        raise reply.error
    if reply.outcome == "stopped":
        raise ReplyInterrupted()
    return reply, answer


def _notice(answer: CodeAnswer) -> str:
    has_code = answer.proposal is not None or answer.code
    is_below = has_code and not (answer.proposal and _has_buttons())
    return _BELOW if is_below else answer.notice


def _has_buttons() -> bool:
    """Return whether the page can change its cells."""
    return in_lab_page() and widget_form() == "mounted"


def _propose(session: Session, proposal: Proposal) -> None:
    if _has_buttons():
        from chatnb.notebook.cell.proposal_widget import ProposalView

        ProposalView(proposal).publish()
        return
    publish(proposal_mimebundle(proposal))
    add_cell_below(session.shell, proposal.new)
