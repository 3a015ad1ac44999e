"""Explain the last error: by its own text, or by a model that gets the code around it."""

from __future__ import annotations

from collections.abc import Callable

from chatnb.errors import ChatnbError, ConfigurationError
from chatnb.notebook.cell.code_cell import add_cell_below, code_blocks
from chatnb.notebook.cell.display import reply_display, reply_mimebundle
from chatnb.notebook.cell.failed_cell import FailedCell, failed_cell, last_error
from chatnb.notebook.cell.turn import Turn
from chatnb.notebook.chats import get_chat_name
from chatnb.notebook.reply_stream import Reply
from chatnb.notebook.session import ReplyInterrupted, Session, without_traceback
from chatnb.notebook.widgets.mounting import publish
from chatnb.schema.messages import BaseMessage, HumanMessage, SystemMessage

_TASK = (
    "You help somebody whose notebook cell has just failed in IPython. You are shown the cell, the "
    "traceback, and of its variables the types and sizes. Strings, comments and longer numbers are "
    "not shown but as placeholders of their length, such as <12 characters, no. 3>: keep those as "
    "they are, since they are put back into your code. "
)
_EXPLAIN = (
    "Say in at most five sentences, to a person who is learning, what went wrong and why. Then "
    "give the whole corrected cell in one ```python block, changing as little as possible."
)
_FIX = (
    "Answer with the whole corrected cell in one ```python block and nothing else, changing as "
    "little as possible."
)
_NO_ERROR = "No cell has failed yet, so there is nothing to explain."
_INTERRUPTED = "The last cell was interrupted; nothing is wrong with its code."
_NOT_SENT = "This is what the model would get; nothing has been sent."
_ADDED = "The fixed cell is below; it has not been run."
_NO_CELL = "The model gave no corrected cell."


def explain_last_error(session: Session, *, in_words: bool, show: bool = False) -> None:
    """Show what went wrong, if `in_words`, and put the corrected cell below.

    With `show` nothing is sent, and what would be is shown.
    """
    error = last_error()
    # If explaining an error failed, the next try is about the first error.
    error = getattr(error, "chatnb_explained", error)
    explanation = _NO_ERROR if error is None else _own_explanation(error)
    if error is None or explanation:
        publish(reply_mimebundle(explanation))
        return
    failed = failed_cell(session.shell, error)
    if show:
        texts = [message.text for message in _question(failed, in_words=in_words)]
        publish(reply_mimebundle("\n\n".join([_NOT_SENT, *texts])))
        return
    try:
        reply = ask_for_code(
            session,
            _question(failed, in_words=in_words),
            lambda reply: _put_fixed(session, reply, failed, in_words=in_words),
        )
    except (ChatnbError, KeyboardInterrupt) as stopped:
        stopped.chatnb_explained = error  # type: ignore[attr-defined]
        raise without_traceback(stopped) from None
    session.shell.push({"_reply": reply.message})


def _own_explanation(error: BaseException) -> str:
    """Return the explanation that an error has itself, or nothing where a model knows more."""
    if isinstance(error, KeyboardInterrupt):
        return _INTERRUPTED
    if not isinstance(error, ChatnbError):
        return ""
    hint = getattr(error, "hint", "")
    if not hint and not isinstance(error, ConfigurationError):
        return ""
    meaning = (type(error).__doc__ or "").strip().splitlines()[0].rstrip(".")
    wait = getattr(error, "retry_after", None)
    waiting = f"\n\nThe provider takes the next request in {wait:g} s." if wait else ""
    return f"**{type(error).__name__}**: {meaning}.\n\n{error}{waiting}"


def ask_for_code(
    session: Session,
    question: list[BaseMessage],
    take: Callable[[Reply], tuple[str, bool]],
) -> Reply:
    """Ask the session's model, and show its reply with a footer.

    `take` gets a reply that is whole; it returns a notice for the footer, and whether that is all
    that is to be left of the reply.
    """
    model = session.model()
    turn = Turn(model, question, session.defaults.params({}))
    display = reply_display(session, get_chat_name(model), turn.stop, awaited=False)
    turn.start(display)
    try:
        reply = turn.wait()
    except KeyboardInterrupt:
        display.finish(turn.stop_and_collect(), "")
        raise ReplyInterrupted() from None
    notice, is_all = take(reply) if reply.outcome == "done" else ("", False)
    display.finish(reply, notice, shown={} if is_all else None)
    if reply.error is not None:
        raise reply.error
    if reply.outcome == "stopped":
        raise ReplyInterrupted()
    return reply


def _question(failed: FailedCell, *, in_words: bool) -> list[BaseMessage]:
    task = SystemMessage(_TASK + (_EXPLAIN if in_words else _FIX))
    return [task, HumanMessage(failed.to_markdown())]


def _put_fixed(
    session: Session, reply: Reply, failed: FailedCell, *, in_words: bool
) -> tuple[str, bool]:
    """Put the corrected cell below; return a notice about it, and whether no words are wanted."""
    codes = [block.code for block in code_blocks(reply.message.text) if block.language == "python"]
    if not codes:
        return _NO_CELL, False
    add_cell_below(session.shell, failed.masks.restore(codes[-1]))
    return _ADDED, not in_words
