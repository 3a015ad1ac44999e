"""The last error, explained: by what it says itself, or by a model that is shown the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.display import publish_display_data

from chatnb.chat_models import BaseChatModel
from chatnb.errors import ChatnbError, ConfigurationError
from chatnb.notebook.code_cell import blocks_of, put_below
from chatnb.notebook.failed_cell import FailedCell, failed_cell, last_error
from chatnb.notebook.failures import ReplyInterrupted, in_one_line
from chatnb.notebook.frontends import frontend_for
from chatnb.notebook.turn import Reply, Turn
from chatnb.notebook.views.finished import reply_bundle
from chatnb.schema.messages import BaseMessage, HumanMessage, SystemMessage

if TYPE_CHECKING:
    from chatnb.notebook.magics import ChatMagics

_TASK = (
    "You help somebody whose notebook cell has just failed in IPython. You are shown the cell, the "
    "traceback, and of its variables the types and sizes. "
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
_ADDED = "The fixed cell is below; it has not been run."
_NO_CELL = "The model gave no corrected cell."


def explain_last_error(magics: ChatMagics, *, in_words: bool) -> None:
    """Show what went wrong, and put the corrected cell below.

    Args:
        magics: What the notebook's magics remember.
        in_words: Whether the explanation is asked for and stays, and not only the cell.

    Raises:
        ChatnbError: If the model cannot be asked or does not answer.
        KeyboardInterrupt: If the reply was stopped.
    """
    error = last_error()
    # What failed while an error was explained is not what the next try is about.
    error = getattr(error, "chatnb_explained", error)
    own_words = _NO_ERROR if error is None else _own_words(error)
    if error is None or own_words:
        publish_display_data(reply_bundle(own_words))
        return
    failed = failed_cell(magics.shell, error)
    try:
        reply = _ask(magics, magics.model(None), failed, in_words=in_words)
    except (ChatnbError, KeyboardInterrupt) as stopped:
        stopped.chatnb_explained = error  # type: ignore[attr-defined]
        raise in_one_line(stopped) from None
    magics.shell.push({"_reply": reply.message})


def _own_words(error: BaseException) -> str:
    """What an error says itself, where that tells what to do; nothing where a model knows more."""
    if isinstance(error, KeyboardInterrupt):
        return _INTERRUPTED
    if not isinstance(error, ChatnbError):
        return ""
    hint = getattr(error, "hint", "")
    if not hint and not isinstance(error, ConfigurationError):
        return ""
    means = (type(error).__doc__ or "").strip().splitlines()[0].rstrip(".")
    wait = getattr(error, "retry_after", None)
    waiting = f"\n\nThe provider takes the next request in {wait:g} s." if wait else ""
    return f"**{type(error).__name__}**: {means}.\n\n{error}{waiting}"


def _ask(magics: ChatMagics, model: BaseChatModel, failed: FailedCell, *, in_words: bool) -> Reply:
    turn = Turn(model, _question(failed, in_words=in_words), magics.defaults.params({}))
    frontend = frontend_for(magics.shell, model.model_name, turn.stop, awaited=False)
    turn.start(frontend)
    try:
        reply = turn.wait()
    except KeyboardInterrupt:
        frontend.finish(turn.last_words(), "")
        raise ReplyInterrupted() from None
    notice = _put_fixed(magics, reply) if reply.outcome == "done" else ""
    only_cell = not in_words and notice == _ADDED
    frontend.finish(reply, notice, shown={} if only_cell else None)
    if reply.error is not None:
        raise reply.error
    if reply.outcome == "stopped":
        raise ReplyInterrupted()
    return reply


def _question(failed: FailedCell, *, in_words: bool) -> list[BaseMessage]:
    task = SystemMessage(_TASK + (_EXPLAIN if in_words else _FIX))
    return [task, HumanMessage(failed.described())]


def _put_fixed(magics: ChatMagics, reply: Reply) -> str:
    """Put the corrected cell below; what to say about it."""
    codes = [block.code for block in blocks_of(reply.message.text) if block.language == "python"]
    if not codes:
        return _NO_CELL
    put_below(magics.shell, codes[-1])
    return _ADDED
