"""A model that keeps what it is asked, and a shell to ask it from."""

from __future__ import annotations

from collections.abc import Sequence

from chatnb.chat_models import BaseChatModel
from chatnb.schema import AIMessage, BaseMessage


class Asked(BaseChatModel):
    """Replies from a list, the last one again and again, and keeps what it was asked."""

    model_name = "asked"

    def __init__(self, replies: Sequence[str] = ("Fine.",)) -> None:
        self.replies = replies
        self.asked: list[tuple[list[BaseMessage], dict[str, object]]] = []

    def _generate(self, messages: list[BaseMessage], **params: object) -> AIMessage:
        self.asked.append((messages, params))
        return AIMessage(self.replies[min(len(self.asked), len(self.replies)) - 1])

    @property
    def prompt(self) -> str:
        """All that the last call said."""
        return "\n".join(message.text for message in self.asked[-1][0])
