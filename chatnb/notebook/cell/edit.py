"""Edit a cell that ran: a model's new source for it as a diff, to be accepted or rejected."""

from __future__ import annotations

from typing import Any

from IPython.core.error import UsageError

from chatnb.notebook.attachments import fenced
from chatnb.notebook.cell.code_answer import CodeAnswer, ask_for_code
from chatnb.notebook.cell.code_cell import code_blocks
from chatnb.notebook.cell.context import cells_that_ran
from chatnb.notebook.cell.proposal import (
    NO_CHANGE,
    MaskedSource,
    Proposal,
    diff,
    unified_line_ends,
)
from chatnb.notebook.session import Session
from chatnb.schema.messages import BaseMessage, HumanMessage, SystemMessage

_TASK = (
    "You change a cell of somebody's notebook as they ask. Answer with the whole new cell in one "
    "```python block and nothing else, changing as little as possible. Keep its magics, such as "
    "%time and %%bash, and placeholders such as <secret no. 1>, which are put back."
)
_NO_CODE = "The model gave no new code for the cell."
_UNKNOWN_SECRET = (
    "The new code has a masked secret that cannot be put back, so nothing is proposed."
)


def edit_cell(session: Session, wanted: str, number: int | None = None) -> None:
    """Show how the model would change a cell, and offer to do so; nothing is run.

    Raises:
        UsageError: If no such cell has run.
    """
    number, source = _cell(session.shell, number)
    masked = MaskedSource(source)
    ask_for_code(
        session,
        _question(masked.text, wanted),
        lambda text: _code_answer(number, source, masked, text),
    )


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


def _code_answer(number: int, source: str, masked: MaskedSource, text: str) -> CodeAnswer:
    """Return the change in a reply, or the reason why there is none."""
    code = _new_code(source, text)
    if not code:
        return CodeAnswer(notice=_NO_CODE)
    new = masked.restore(code)
    if new is None:
        return CodeAnswer(notice=_UNKNOWN_SECRET)
    changes = diff(masked.text, code)
    if not changes:
        return CodeAnswer(notice=NO_CHANGE, is_all=True)
    return CodeAnswer(Proposal(number, source, new, changes), is_all=True)


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
