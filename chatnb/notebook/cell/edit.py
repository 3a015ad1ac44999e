"""Edit a cell that ran: a model's new source for it as a diff, to be accepted or rejected."""

from __future__ import annotations

from typing import Any

from IPython.core.error import UsageError

from chatnb.errors import ChatnbError
from chatnb.notebook.attachments import fenced
from chatnb.notebook.cell.code_cell import add_cell_below, code_blocks
from chatnb.notebook.cell.context import cells_that_ran
from chatnb.notebook.cell.explain import ask_for_code
from chatnb.notebook.cell.proposal import (
    MaskedSource,
    Proposal,
    diff,
    proposal_mimebundle,
    unified_line_ends,
)
from chatnb.notebook.reply_stream import Reply
from chatnb.notebook.session import Session, without_traceback
from chatnb.notebook.widgets.front_end import in_lab_page, widget_form
from chatnb.notebook.widgets.mounting import publish
from chatnb.schema.messages import BaseMessage, HumanMessage, SystemMessage

_TASK = (
    "You change a cell of somebody's notebook as they ask. Answer with the whole new cell in one "
    "```python block and nothing else, changing as little as possible. Keep its magics, such as "
    "%time and %%bash, and placeholders such as <secret no. 1>, which are put back."
)
_NO_CODE = "The model gave no new code for the cell."
_NO_CHANGE = "The model would change nothing."
_UNKNOWN_SECRET = (
    "The new code has a masked secret that cannot be put back, so nothing is proposed."
)
_BELOW = "The new code is below; it has not been run."


def edit_cell(session: Session, wanted: str, number: int | None = None) -> None:
    """Show how the model would change a cell, and offer to do so; nothing is run.

    Raises:
        UsageError: If no such cell has run.
    """
    number, source = _cell(session.shell, number)
    masked = MaskedSource(source)
    found: Proposal | None = None

    def take(reply: Reply) -> tuple[str, bool]:
        nonlocal found
        found, notice = _proposal(number, source, masked, reply.message.text)
        if found is None:
            return notice, notice == _NO_CHANGE
        return "" if _has_buttons() else _BELOW, True

    try:
        reply = ask_for_code(session, _question(masked.text, wanted), take)
    except (ChatnbError, KeyboardInterrupt) as stopped:
        raise without_traceback(stopped) from None
    session.shell.push({"_reply": reply.message})
    if found is not None:
        _show(session, found)


def _cell(shell: Any, number: int | None) -> tuple[int, str]:
    cells = cells_that_ran(shell)
    if number is None and not cells:
        raise UsageError("No cell has run yet that could be changed.")
    chosen = max(cells) if number is None else number
    if chosen not in cells:
        raise UsageError(
            f"No cell with code has run as In[{chosen}]. %chat edit changes one that has; to ask "
            f'for a change that begins with a number, write it in quotes: "{chosen} ...".'
        )
    return chosen, unified_line_ends(cells[chosen])


def _question(source: str, wanted: str) -> list[BaseMessage]:
    return [SystemMessage(_TASK), HumanMessage(f"{fenced(source, 'python')}\n\n{wanted}")]


def _proposal(
    number: int, source: str, masked: MaskedSource, text: str
) -> tuple[Proposal | None, str]:
    """Return the change in a reply, or the reason why there is none."""
    code = _new_code(source, text)
    if not code:
        return None, _NO_CODE
    new = masked.restore(code)
    if new is None:
        return None, _UNKNOWN_SECRET
    changes = diff(masked.text, code)
    if not changes:
        return None, _NO_CHANGE
    return Proposal(number, source, new, changes), ""


def _new_code(source: str, text: str) -> str:
    """Return the new source in a reply: its last Python, else the last block of all."""
    blocks = [block for block in code_blocks(text) if block.code]
    if not blocks:
        return ""
    python = [block for block in blocks if block.language == "python"]
    language, code = (python or blocks)[-1]
    magic = source.partition("\n")[0]
    # In the language of its magic, a cell may come back without it.
    if language != "python" and magic.startswith("%%") and not code.startswith("%%"):
        return f"{magic}\n{code}"
    return code


def _has_buttons() -> bool:
    """Return whether the page can change its cells."""
    return in_lab_page() and widget_form() == "mounted"


def _show(session: Session, proposal: Proposal) -> None:
    if _has_buttons():
        from chatnb.notebook.cell.proposal_widget import ProposalView

        ProposalView(proposal).publish()
        return
    publish(proposal_mimebundle(proposal))
    add_cell_below(session.shell, proposal.new)
