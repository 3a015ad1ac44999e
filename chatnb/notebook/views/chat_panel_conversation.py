"""The conversation of a panel, which may have none yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from IPython.core.getipython import get_ipython

from chatnb.conversations import Conversation
from chatnb.notebook.conversations import notebook_of
from chatnb.schema.base_message import BaseMessage
from chatnb.schema.messages import AIMessage
from chatnb.schema.usage import UsageMetadata, add_usage
from chatnb.store import Node, shared_store

_STEM = "panel"


class PanelConversation:
    """A conversation that is begun under a name of its own when something is first said in it.

    A panel that was only looked at leaves nothing behind.

    Args:
        name: The conversation to go on with; None for a new one.
    """

    def __init__(self, name: str | None) -> None:
        self.begun = None if name is None else Conversation(name)
        self._settings: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """What it is called; nothing while it has no name."""
        return self.begun.name if self.begun else ""

    @property
    def settings(self) -> dict[str, Any]:
        """System prompt, model, temperature, and the tools that may always be called."""
        return self.begun.settings if self.begun else dict(self._settings)

    def change_settings(self, **settings: Any) -> None:
        """Set some settings by name; None takes one away."""
        if self.begun is None:
            self._settings |= settings
        elif any(self.begun.settings.get(name) != value for name, value in settings.items()):
            self.begun.change_settings(**settings)

    def begin(self) -> Conversation:
        """The conversation itself, which exists from now on."""
        if self.begun is None:
            shell = get_ipython()
            origin = notebook_of(shell) if shell else ""
            self.begun = Conversation(shared_store().begin(_STEM, origin))
            self.change_settings(**self._settings)
        return self.begun

    def path(self) -> list[Node]:
        """The messages that are shown."""
        return self.begun.path() if self.begun else []

    def node(self, id: str) -> Node:
        """A message by its id.

        Raises:
            LookupError: If there is none, or it was deleted.
        """
        if self.begun is None:
            raise LookupError("Nothing has been said here yet.")
        return self.begun.node(id)

    def siblings(self, node: Node) -> Sequence[str]:
        """The messages that stand in the place of one."""
        try:
            return self.begun.branches(node.id) if self.begun else []
        except LookupError:  # Somebody else has deleted it just now.
            return []


def usage_of(messages: Sequence[BaseMessage]) -> UsageMetadata | None:
    """The tokens of all replies together; None if none of them says.

    Example:
        >>> usage_of([AIMessage("Hi")])
    """
    usage: UsageMetadata | None = None
    for message in messages:
        if isinstance(message, AIMessage):
            usage = add_usage(usage, message.usage_metadata)
    return usage
