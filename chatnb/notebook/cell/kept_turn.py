"""The turn of a cell in its conversation: the prompt, and the messages of the reply."""

from __future__ import annotations

import argparse

from chatnb.conversations import Conversation, Draft
from chatnb.notebook.prompt import Prompt
from chatnb.notebook.session import Session
from chatnb.schema.messages import BaseMessage, ToolMessage

_BESIDE = (
    "Another reply was streaming in this conversation, so this turn is a branch beside it: "
    "the two do not know of each other."
)


def cell_conversation(session: Session, options: argparse.Namespace) -> Conversation:
    """Return the conversation that a cell continues, with the cell's system prompt."""
    conversation = session.conversations[options.conversation]
    if options.system is not None:
        conversation.system = options.system
    return conversation


class KeptTurn:
    """A prompt in the conversation that its cell continues, with the draft of its reply."""

    # Its methods write to disk and are called on threads.

    def __init__(
        self, session: Session, options: argparse.Namespace, prompt: Prompt, model_name: str
    ) -> None:
        self._session = session
        self._options = options
        self._message, self._files = prompt.message()
        self._facts = {"model": model_name}
        self.notice = ""

    def begin(self) -> tuple[list[BaseMessage], Draft]:
        """Add the prompt and a reply that streams; return the messages of the request, and it."""
        self._conversation = conversation = cell_conversation(self._session, self._options)
        conversation.refresh()
        facts = {"files": self._files} if self._files else None
        question = conversation.add(self._message, facts=facts)
        messages, self._before = conversation.messages_through(question.id), question.parent
        if any(conversation.is_replying(id) for id in conversation.branches(question.id)):
            self.notice = _BESIDE
        draft = conversation.begin_reply(question.id, facts=self._facts)
        self._last_id = draft.node_id
        return self._session.defaults.with_system(messages), draft

    def add_result(self, result: ToolMessage, *, rejected: bool) -> None:
        """Add the result of a tool after the message that has ended."""
        facts = {"rejected": True} if rejected else None
        self._last_id = self._conversation.add(result, parent=self._last_id, facts=facts).id

    def begin_next(self) -> Draft:
        """Begin the reply that follows the results."""
        draft = self._conversation.begin_reply(self._last_id, facts=self._facts)
        self._last_id = draft.node_id
        return draft

    def set_aside(self) -> None:
        """Leave the turn as a branch: a cell that is run again sends the same messages."""
        path = self._conversation.path()
        if path and path[-1].id == self._last_id:
            self._conversation.end_at(self._before)
