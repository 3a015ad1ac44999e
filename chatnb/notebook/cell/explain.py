"""Explain the last error: by its own text, or by a model that gets the code around it."""

from __future__ import annotations

from chatnb.errors import ChatnbError, ConfigurationError, error_notes
from chatnb.errors.base import sentences
from chatnb.notebook.cell.code_answer import CodeAnswer, ask_for_code
from chatnb.notebook.cell.code_cell import code_blocks
from chatnb.notebook.cell.display import reply_mimebundle
from chatnb.notebook.cell.failed_cell import FailedCell, failed_cell, last_error
from chatnb.notebook.cell.proposal import (
    NO_CHANGE,
    Proposal,
    redacted_diff,
    unified_line_ends,
)
from chatnb.notebook.session import Session
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
_NO_CELL = "The model gave no corrected cell."


def explain_last_error(session: Session, *, in_words: bool, show: bool = False) -> None:
    """Show what went wrong, if `in_words`, and propose the corrected cell.

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
    question = _question(failed, in_words=in_words)
    try:
        ask_for_code(session, question, lambda text: _fixed(failed, text, in_words=in_words))
    except (ChatnbError, KeyboardInterrupt) as stopped:
        stopped.chatnb_explained = error  # type: ignore[attr-defined]
        raise


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
    text = sentences(str(error), *error_notes(error))
    return f"**{type(error).__name__}**: {meaning}.\n\n{text}{waiting}"


def _question(failed: FailedCell, *, in_words: bool) -> list[BaseMessage]:
    task = SystemMessage(_TASK + (_EXPLAIN if in_words else _FIX))
    return [task, HumanMessage(failed.to_markdown())]


def _fixed(failed: FailedCell, text: str, *, in_words: bool) -> CodeAnswer:
    """Return the corrected cell in a reply; a change, where it is known which cell failed."""
    codes = [block.code for block in code_blocks(text) if block.language == "python"]
    if not codes:
        return CodeAnswer(notice=_NO_CELL)
    new, is_all = failed.masks.restore(codes[-1]), not in_words
    if failed.number is None:
        return CodeAnswer(code=new, is_all=is_all)
    old = unified_line_ends(failed.typed)
    if new == old:
        return CodeAnswer(notice=NO_CHANGE, is_all=is_all)
    return CodeAnswer(Proposal(failed.number, old, new, redacted_diff(old, new)), is_all=is_all)
