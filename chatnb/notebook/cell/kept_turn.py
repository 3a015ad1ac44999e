"""The turn of a cell in its conversation: the prompt, and the messages of the reply."""

from __future__ import annotations

import argparse
from contextlib import suppress

from chatnb.conversations import Conversation, Draft
from chatnb.notebook.prompt import Prompt
from chatnb.notebook.session import Session
from chatnb.notebook.widgets.formatting import count
from chatnb.notebook.widgets.front_end import cell_id
from chatnb.schema.messages import BaseMessage, ToolMessage
from chatnb.store import Node

_BESIDE = (
    "Another reply was streaming in this conversation, so this turn is a branch beside it: "
    "the two do not know of each other."
)
_ANOTHER = "Another answer beside the one before: the arrows show both, as in a panel."


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
        self._asks_again, self._cell_id = session.take_asked_again(), cell_id()
        self.notice = ""
        self.is_another = False
        self._is_set_aside = False

    def begin(self) -> tuple[list[BaseMessage], Draft]:
        """Add the prompt and a reply that streams; return the messages of the request, and it."""
        self.conversation = conversation = cell_conversation(self._session, self._options)
        conversation.refresh()
        question = self._question_before() if self._asks_again else None
        if question is None:
            question = self._new_question()
        self._session.questions[self._cell_id] = question.id
        messages = conversation.messages_through(question.id)
        draft = conversation.begin_reply(question.id, facts=self._facts)
        self._last_id = draft.node_id
        return self._session.defaults.with_system(messages), draft

    def _new_question(self) -> Node:
        conversation = self.conversation
        facts = {"files": self._files} if self._files else None
        question = conversation.add(self._message, facts=facts)
        self._before = question.parent
        if any(conversation.is_replying(id) for id in conversation.branches(question.id)):
            self.notice = _BESIDE
        return question

    def _question_before(self) -> Node | None:
        """Return the same prompt, which this cell or else another has sent, or None."""
        path, last_id = self.conversation.path(), self._session.questions.get(self._cell_id)
        content = self._message.content
        questions = [node for node in path if node.message.type == "human"]
        same = [node for node in questions if node.message.content == content]
        if not same:
            return None
        question = next((node for node in same if node.id == last_id), same[-1])
        self._before, self.is_another = path[-1].id, True
        after = path[path.index(question) + 1 :]
        later = sum(node.message.type == "human" for node in after)
        follow = f" {count(later, 'later turn')} stay with that one." if later else ""
        self.notice = _ANOTHER + follow
        return question

    def add_result(self, result: ToolMessage, *, rejected: bool) -> None:
        """Add the result of a tool after the message that has ended."""
        facts = {"rejected": True} if rejected else None
        self._last_id = self.conversation.add(result, parent=self._last_id, facts=facts).id

    def begin_next(self) -> Draft:
        """Begin the reply that follows the results."""
        draft = self.conversation.begin_reply(self._last_id, facts=self._facts)
        self._last_id = draft.node_id
        return draft

    def set_aside(self) -> None:
        """Leave the turn as a branch: a cell that is run again sends the same messages."""
        self._is_set_aside = True
        path = self.conversation.path()
        if path and path[-1].id == self._last_id:
            self.conversation.end_at(self._before)

    def select(self) -> None:
        """Let the conversation go on from this turn, unless it failed or was deleted since."""
        self.conversation.refresh()
        if not self._is_set_aside:
            with suppress(LookupError):
                self.conversation.select(self._last_id)
