"""The commands that start, find, show, copy and forget conversations."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable
from pathlib import Path

from IPython.core.error import UsageError

from chatnb.conversations import Conversation, from_jsonl, to_ipynb, to_jsonl
from chatnb.files import replace_text
from chatnb.notebook.commands import command
from chatnb.notebook.session import MAIN, Session
from chatnb.notebook.tables.conversations import (
    conversations_mimebundle,
    found_mimebundle,
    history_mimebundle,
)
from chatnb.notebook.widgets.footer import footer_mimebundle
from chatnb.notebook.widgets.formatting import count
from chatnb.notebook.widgets.mounting import publish
from chatnb.schema.characters import replace_surrogates
from chatnb.store.rows import UNNAMED

# A panel without a name of its own is listed for a day; its messages are found for good.
_UNNAMED_SECONDS = 86_400

_WRITERS: dict[str, Callable[[Conversation], str]] = {
    ".md": Conversation.to_markdown,
    ".ipynb": to_ipynb,
    ".jsonl": to_jsonl,
}


@command("new", "[NAME]", "start a conversation again; its messages are set aside", "conversations")
def new(session: Session, name: str = MAIN) -> None:
    """Start the notebook's own conversation again, or the named one, and continue it."""
    if name == MAIN:
        session.conversations.start_main_again()
        return
    aside = Conversation(name, store=session.conversations.store).start_again()
    session.conversations.resume(name)
    _notify(f"Cells continue {name}." + (f" Its earlier messages are in {aside}." if aside else ""))


@command(
    "list", "[all]", "list the stored conversations; all adds old unnamed panels", "conversations"
)
def list_conversations(session: Session, which: str = "") -> None:
    """Show a table of the conversations."""
    if which not in ("", "all"):
        raise UsageError("Usage: %chat list [all]")
    conversations = session.conversations
    own, current = conversations.stored_name(MAIN), conversations.stored_name(None)
    summaries, since = conversations.store.summaries(), time.time() - _UNNAMED_SECONDS
    old = [kept for kept in summaries if kept.settings.get(UNNAMED) and kept.changed < since]
    if which == "all" or not old:
        publish(conversations_mimebundle(summaries, own, current))
        return
    shown = [kept for kept in summaries if kept not in old or kept.name == current]
    publish(conversations_mimebundle(shown, own, current, hidden=len(summaries) - len(shown)))


@command("history", "[NAME]", "show the messages of a conversation", "conversations")
def history(session: Session, name: str | None = None) -> None:
    """Show the turns of the conversation that cells continue, or of the named one."""
    conversations = session.conversations
    stored = _stored(session, name) if name else conversations.stored_name(None)
    if stored is None:
        publish(history_mimebundle(MAIN, [], None))
        return
    conversation = conversations[stored]
    publish(history_mimebundle(stored, conversation.path(), conversation.system))
    if others := conversation.elsewhere:
        _notify(
            f"{count(others, 'message')} on other branches: ChatPanel(name={stored!r}) has all."
        )


@command(
    "resume", "[NAME]", "continue NAME, or this notebook's previous conversation", "conversations"
)
def resume(session: Session, name: str | None = None) -> None:
    """Choose the conversation of cells without -c."""
    conversations = session.conversations
    name = name or conversations.previous()
    if name is None:
        raise UsageError("This notebook had no conversation before. %chat list shows all of them.")
    if name == MAIN:
        conversations.resume(MAIN)
        _notify("Cells continue main, this notebook's own conversation.")
        return
    conversations.resume(_stored(session, name))
    turns = sum(message.type == "human" for message in conversations[name].messages)
    _notify(f"Cells continue {name}: {count(turns, 'turn')}. %chat history shows them.")


@command("search", "WORDS", "find messages in all conversations", "conversations")
def search(session: Session, word: str, *more: str) -> None:
    """Show the messages that have all the words."""
    publish(found_mimebundle(session.conversations.store.search(" ".join([word, *more]))))


@command(
    "export", "FILE [NAME]", "copy a conversation to a .md, .ipynb or .jsonl file", "conversations"
)
def export(session: Session, file: str, name: str | None = None) -> None:
    """Write the chosen path as Markdown or as a notebook, or the whole tree as JSON lines."""
    path = Path(file).expanduser()
    write = _WRITERS.get(path.suffix)
    if write is None:
        raise UsageError(f"%chat export writes FILE.md, FILE.ipynb or FILE.jsonl, not {path.name}.")
    if path.exists():
        raise UsageError(f"{path} exists already and stays as it is: use another name.")
    stored = _stored(session, name) if name else session.conversations.stored_name(None)
    if stored is None:
        raise UsageError("main has no messages yet. %chat list shows other conversations.")
    try:
        text = write(session.conversations[stored])
        replace_text(path, [replace_surrogates(text)])
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error}") from None
    others = 0 if path.suffix == ".jsonl" else session.conversations[stored].elsewhere
    left_out = (
        f" {count(others, 'message')} on other branches: a .jsonl file has all." if others else ""
    )
    _notify(f"{stored} is in {path}.{left_out}")


@command("import", "FILE.jsonl [NAME]", "read a conversation that was exported", "conversations")
def import_conversation(session: Session, file: str, name: str | None = None) -> None:
    """Read JSON lines into a new conversation."""
    path = Path(file).expanduser()
    try:
        text = path.read_text(encoding="utf-8")
        read = from_jsonl(text, name=name or None, store=session.conversations.store)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be imported: {error}") from None
    _notify(f"{path.name} is the conversation {read.name}. %chat resume {read.name} continues it.")


@command("forget", "NAME", "delete a conversation from the disk", "conversations")
def forget(session: Session, name: str) -> None:
    """Delete all messages of a conversation."""
    stored = _stored(session, name)
    session.conversations.forget(stored)
    _notify(f"{stored} is forgotten.")


def _stored(session: Session, name: str) -> str:
    """Return the name in the store of a conversation that exists."""
    stored = session.conversations.stored_name(name)
    names = [kept.name for kept in session.conversations.store.summaries()]
    if stored in names:
        return stored
    close = difflib.get_close_matches(name, names, n=1)
    suggestion = f" Did you mean {close[0]}?" if close else ""
    raise UsageError(f"No conversation is called {name}.{suggestion} %chat list shows all of them.")


def _notify(text: str) -> None:
    publish(footer_mimebundle(text))
