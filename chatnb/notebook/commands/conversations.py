"""`%chat new` and `%chat list`: the conversations of a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.notebook.commands import command, wrong_words

if TYPE_CHECKING:
    from chatnb.notebook.magics import ChatMagics


@command("new", "[NAME]", "start a conversation again")
def new(magics: ChatMagics, words: list[str]) -> None:
    """Start a conversation again: `main`, or the one that is named."""
    if len(words) > 1:
        raise wrong_words("new")
    magics.conversations.start_again(words[0] if words else "main")


@command("list", "", "what was said so far, by conversation")
def list_conversations(magics: ChatMagics, words: list[str]) -> None:
    """Print one line a conversation."""
    if words:
        raise wrong_words("list")
    print(magics.conversations.summary())
