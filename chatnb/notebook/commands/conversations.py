"""The line commands that begin, find, show, copy and forget conversations."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from IPython.core.error import UsageError
from IPython.display import publish_display_data

from chatnb.conversations import Conversation, from_jsonl, to_ipynb, to_jsonl
from chatnb.notebook.commands import command, wrong_words
from chatnb.notebook.conversations import OWN
from chatnb.notebook.views.conversation_lists import (
    conversations_bundle,
    found_bundle,
    history_bundle,
)
from chatnb.notebook.views.finished import footer_bundle

if TYPE_CHECKING:
    from chatnb.notebook.magics import ChatMagics

_WRITERS: dict[str, Callable[[Conversation], str]] = {
    ".md": Conversation.to_markdown,
    ".ipynb": to_ipynb,
    ".jsonl": to_jsonl,
}


@command("new", "[NAME]", "begin anew; what was said is set aside")
def new(magics: ChatMagics, words: list[str]) -> None:
    """Begin the notebook's own conversation anew, or the one that is named, and go on with it."""
    name = _one(words, "new") if words else OWN
    if name == OWN:
        magics.conversations.go_on_with(None)
        return
    aside = Conversation(name, store=magics.conversations.store).start_again()
    magics.conversations.go_on_with(name)
    _say(f"Cells go on with {name}." + (f" What was said before is {aside}." if aside else ""))


@command("list", "", "which conversations are kept")
def list_conversations(magics: ChatMagics, words: list[str]) -> None:
    """Show a table of all conversations."""
    if words:
        raise wrong_words("list")
    talks = magics.conversations
    own, current = talks.name_of(OWN), talks.name_of(None)
    publish_display_data(conversations_bundle(talks.store.summaries(), own, current))


@command("history", "[NAME]", "what was said in a conversation")
def history(magics: ChatMagics, words: list[str]) -> None:
    """Show the turns of a conversation: the one that cells go on with, or the one named."""
    name = _kept(magics, _one(words, "history")) if words else magics.conversations.name_of(None)
    if name is None:
        publish_display_data(history_bundle(OWN, [], None))
        return
    talk = magics.conversations[name]
    publish_display_data(history_bundle(name, talk.path(), talk.system))


@command("resume", "[NAME]", "go on with NAME, or this notebook's last one")
def resume(magics: ChatMagics, words: list[str]) -> None:
    """Choose what cells without -c go on with."""
    name = _one(words, "resume") if words else magics.conversations.earlier()
    if name is None:
        raise UsageError("This notebook had no conversation before. %chat list shows all of them.")
    if name == OWN:
        magics.conversations.go_on_with(OWN)
        _say("Cells go on with main, this notebook's own conversation.")
        return
    magics.conversations.go_on_with(_kept(magics, name))
    asked = sum(said.type == "human" for said in magics.conversations[name].messages)
    turns = f"{asked} turn{'' if asked == 1 else 's'}"
    _say(f"Cells go on with {name}: {turns}. %chat history shows them.")


@command("search", "WORDS", "find what was said, wherever it was")
def search(magics: ChatMagics, words: list[str]) -> None:
    """Show the messages that have all the words."""
    if not words:
        raise wrong_words("search")
    publish_display_data(found_bundle(magics.conversations.store.search(" ".join(words))))


@command("export", "FILE [NAME]", "copy it to a .md, .ipynb or .jsonl file")
def export(magics: ChatMagics, words: list[str]) -> None:
    """Write the chosen path as Markdown or as a notebook, or the whole tree as JSON lines."""
    if len(words) not in (1, 2):
        raise wrong_words("export")
    file, name = Path(words[0]).expanduser(), words[1] if words[1:] else None
    write = _WRITERS.get(file.suffix)
    if write is None:
        raise UsageError(f"%chat export writes FILE.md, FILE.ipynb or FILE.jsonl, not {file.name}.")
    kept = _kept(magics, name) if name else magics.conversations.name_of(None)
    if kept is None:
        raise UsageError("Nothing was said in main yet. %chat list shows other conversations.")
    try:
        with file.open("x", encoding="utf-8", errors="replace") as opened:
            opened.write(write(magics.conversations[kept]))
    except FileExistsError:
        raise UsageError(f"{file} is there already and stays as it is: name another.") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error}") from None
    _say(f"{kept} is in {file}.")


@command("import", "FILE.jsonl [NAME]", "take in a conversation that was exported")
def import_conversation(magics: ChatMagics, words: list[str]) -> None:
    """Read JSON lines into a new conversation."""
    if len(words) not in (1, 2):
        raise wrong_words("import")
    file, name = Path(words[0]).expanduser(), words[1] if words[1:] else None
    try:
        text = file.read_text(encoding="utf-8")
        talk = from_jsonl(text, name=name or None, store=magics.conversations.store)
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be taken in: {error}") from None
    _say(f"{file.name} is the conversation {talk.name}. %chat resume {talk.name} goes on with it.")


@command("forget", "NAME", "remove it from the disk for good")
def forget(magics: ChatMagics, words: list[str]) -> None:
    """Remove all that was said in a conversation."""
    name = _kept(magics, _one(words, "forget"))
    magics.conversations.store.forget(name)
    magics.conversations.forgotten(name)
    _say(f"{name} is forgotten.")


def _one(words: list[str], name: str) -> str:
    if len(words) != 1:
        raise wrong_words(name)
    return words[0]


def _kept(magics: ChatMagics, name: str) -> str:
    """The name on disk of a conversation that there is."""
    talks = magics.conversations
    on_disk = talks.name_of(name)
    names = [said.name for said in talks.store.summaries()]
    if on_disk in names:
        return on_disk
    close = difflib.get_close_matches(name, names, n=1)
    meant = f" Did you mean {close[0]}?" if close else ""
    raise UsageError(f"No conversation is called {name}.{meant} %chat list shows all there are.")


def _say(text: str) -> None:
    publish_display_data(footer_bundle(text))
