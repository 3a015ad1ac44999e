"""The conversations of a notebook: what was said, by name."""

from __future__ import annotations

from dataclasses import dataclass, field

from chatnb.schema.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage


@dataclass
class Conversation:
    """Turns between a user and a model.

    Args:
        name: What `-c` calls it.
        system: What the model is told before it.
        turns: Human and AI messages in order.

    Example:
        >>> talk = Conversation("main", system="Be brief.")
        >>> talk.asking("Hi")
        [SystemMessage(content='Be brief.'), HumanMessage(content='Hi')]
    """

    name: str
    system: str | None = None
    turns: list[BaseMessage] = field(default_factory=list[BaseMessage])

    def asking(self, prompt: str) -> list[BaseMessage]:
        """The messages that put a prompt to the model, with all that was said before."""
        told = [SystemMessage(self.system)] if self.system else []
        return [*told, *self.turns, HumanMessage(prompt)]

    def add(self, prompt: str, reply: AIMessage) -> None:
        """Keep a turn."""
        self.turns += [HumanMessage(prompt), reply]


class Conversations:
    """The conversations that a kernel knows.

    Example:
        >>> Conversations()["ideas"].name
        'ideas'
    """

    def __init__(self) -> None:
        self._by_name: dict[str, Conversation] = {}

    def __getitem__(self, name: str) -> Conversation:
        return self._by_name.setdefault(name, Conversation(name))

    def summary(self) -> str:
        """One line a conversation: its name and how many turns it has."""
        turns = {talk.name: len(talk.turns) // 2 for talk in self._by_name.values()}
        return "\n".join(f"{name}: {n} turn{'' if n == 1 else 's'}" for name, n in turns.items())

    def start_again(self, name: str) -> None:
        """Forget what was said in a conversation."""
        self._by_name.pop(name, None)
