"""A turn of a cell, written before it is shown."""

from __future__ import annotations

from typing import Any

from chatnb.chat_models.base import BaseChatModel
from chatnb.conversations import Conversation
from chatnb.notebook.turn import Reply
from chatnb.schema.messages import BaseMessage, HumanMessage


class TurnOnDisk:
    """A question and its reply, on their way into a conversation.

    Args:
        conversation: Where they belong.
        prompt: What is asked.
        chat: Who answers.

    Example:
        >>> from chatnb import AIMessage, ScriptedChatModel
        >>> from chatnb.store import Store
        >>> talk = Conversation("ideas", store=Store(":memory:"))
        >>> turn = TurnOnDisk(talk, "Hi", ScriptedChatModel(["Hello."]))
        >>> turn.end(Reply(AIMessage("Hello."), "done", 1.0))
        >>> talk.messages
        [HumanMessage(content='Hi'), AIMessage(content='Hello.')]
    """

    def __init__(self, conversation: Conversation, prompt: str, chat: BaseChatModel) -> None:
        self.messages: list[BaseMessage] = conversation.asking(prompt)
        self._conversation = conversation
        self._chat = chat
        self._before = conversation.tip
        asked = conversation.add(HumanMessage(prompt), parent=self._before)
        self._draft = conversation.begin_reply(asked.id, facts={"model": chat.model_name})
        self.keep = self._draft.append

    def end(self, reply: Reply) -> None:
        """Write how it ended. The next question does not follow a turn that failed: it stays as a
        branch, and a cell that is run again asks as if it had not been."""
        self._draft.finish(reply.message, reply.outcome, self._facts(reply))
        shown = self._conversation.path()
        if reply.outcome == "failed" and shown and shown[-1].id == self._draft.node_id:
            self._conversation.end_at(self._before)

    def _facts(self, reply: Reply) -> dict[str, Any]:
        model = reply.message.response_metadata.get("model_name") or self._chat.model_name
        error = reply.error
        facts = {
            "model": model,
            "seconds": round(reply.seconds, 3),
            "first_seconds": reply.first_seconds,
            "cost": self._chat.cost_of_run(reply.message),
            "error": None if error is None else f"{type(error).__name__}: {error}",
        }
        return {name: value for name, value in facts.items() if value is not None}
