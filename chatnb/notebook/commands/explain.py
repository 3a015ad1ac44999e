"""`%chat explain` and `%chat fix`: the last error."""

from __future__ import annotations

from IPython.core.error import UsageError

from chatnb.notebook.commands import command
from chatnb.notebook.session import Session

_SHOW = "--show"


@command("explain", "[--show]", "explain the last error, and add the fixed cell below, not run")
def explain(session: Session, option: str = "") -> None:
    """Have the model explain the last error, or show what it would get."""
    _explain(session, option, in_words=True)


@command("fix", "[--show]", "add the fixed cell below, not run, without an explanation")
def fix(session: Session, option: str = "") -> None:
    """Have the model fix the cell that failed last, or show what it would get."""
    _explain(session, option, in_words=False)


def _explain(session: Session, option: str, *, in_words: bool) -> None:
    from chatnb.notebook.cell.explain import explain_last_error

    if option not in ("", _SHOW):
        raise UsageError(f"%chat explain and %chat fix take {_SHOW} alone, not {option}.")
    explain_last_error(session, in_words=in_words, show=option == _SHOW)
