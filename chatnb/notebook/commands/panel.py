"""`%chat panel`: a conversation in a panel of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.display import display

from chatnb.errors import ChatnbError
from chatnb.notebook.commands import command, wrong_words
from chatnb.notebook.failures import in_one_line

if TYPE_CHECKING:
    from chatnb.notebook.magics import ChatMagics


@command("panel", "[NAME]", "open a conversation in a panel")
def panel(magics: ChatMagics, words: list[str]) -> None:
    """Show the panel of the conversation that cells go on with, or of the one that is named."""
    if len(words) > 1:
        raise wrong_words("panel")
    from chatnb.notebook.views.chat_panel import ChatPanel

    talk = magics.conversations[words[0] if words else None]
    try:
        opened = ChatPanel(magics.defaults.model, name=talk.name)
    except ChatnbError as error:
        raise in_one_line(error) from None
    display(opened)
