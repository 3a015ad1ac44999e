"""`%chat explain`, `%chat fix` and `%chat edit`: the last error, and changes of a cell."""

from __future__ import annotations

from IPython.core.error import UsageError

from chatnb.notebook.commands import command
from chatnb.notebook.session import Session

_SHOW = "--show"


@command(
    "explain", "[--show]", "explain the last error, and propose the fixed cell", "errors-in-cells"
)
def explain(session: Session, option: str = "") -> None:
    """Have the model explain the last error, or show what it would get."""
    _explain(session, option, in_words=True)


@command("fix", "[--show]", "propose the fixed cell without an explanation", "errors-in-cells")
def fix(session: Session, option: str = "") -> None:
    """Have the model fix the cell that failed last, or show what it would get."""
    _explain(session, option, in_words=False)


@command(
    "edit",
    "[NUMBER] WHAT",
    "propose a change of the cell above, or of In[NUMBER], not run",
    "edits",
)
def edit(session: Session, *words: str) -> None:
    """Have the model change the last cell that ran, or another, as the words say."""
    from chatnb.notebook.cell.edit import edit_cell

    first, rest = words[:1], words[1:]
    if first and first[0].isdecimal():
        number, wanted = int(first[0]), " ".join(rest)
    else:
        number, wanted = None, " ".join(words)
    if not wanted.strip():
        raise UsageError('Say what is to change: %chat edit "vectorise this".')
    edit_cell(session, wanted, number)


def _explain(session: Session, option: str, *, in_words: bool) -> None:
    from chatnb.notebook.cell.explain import explain_last_error

    if option not in ("", _SHOW):
        raise UsageError(f"%chat explain and %chat fix take {_SHOW} alone, not {option}.")
    explain_last_error(session, in_words=in_words, show=option == _SHOW)
