"""`%chat explain` and `%chat fix`: the last error, and the cell without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.notebook.commands import command, wrong_words
from chatnb.notebook.explaining import explain_last_error

if TYPE_CHECKING:
    from chatnb.notebook.magics import ChatMagics


@command("explain", "", "explain the last error; the fixed cell goes below, not run")
def explain(magics: ChatMagics, words: list[str]) -> None:
    """Have the model explain the last error."""
    if words:
        raise wrong_words("explain")
    explain_last_error(magics, in_words=True)


@command("fix", "", "put the fixed cell below without a word, not run")
def fix(magics: ChatMagics, words: list[str]) -> None:
    """Have the model mend the cell that failed last."""
    if words:
        raise wrong_words("fix")
    explain_last_error(magics, in_words=False)
