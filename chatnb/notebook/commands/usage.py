"""`%chat usage`: what the session took."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.display import display

from chatnb.notebook.commands import command, wrong_words

if TYPE_CHECKING:
    from chatnb.notebook.magics import ChatMagics


@command("usage", "", "every call of this session and what it took")
def usage(magics: ChatMagics, words: list[str]) -> None:
    """Show the table of the session's calls."""
    if words:
        raise wrong_words("usage")
    from chatnb.notebook.views.usage_table import UsageTable

    display(UsageTable(magics.session_calls))
