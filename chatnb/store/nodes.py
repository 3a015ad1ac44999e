"""Records that the store returns: messages of a conversation, its changes, and summaries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from chatnb.schema.messages import BaseMessage

Status: TypeAlias = Literal["done", "streaming", "stopped", "failed"]
STATUSES: Final = ("done", "streaming", "stopped", "failed")


@dataclass(frozen=True)
class Node:
    """A message in the tree of a conversation.

    Args:
        number: Increases from node to node within a file.
        id: Its id, for other nodes and for the browser.
        parent: The id of the message that it follows, or None for a first one.
        message: The message; of a streaming reply, the part that is on disk.
        status: `done`, `streaming`, `stopped` by the user or with its process, or `failed`.
        created: Its time, in seconds since 1970.
        facts: Its metadata: model, seconds, first_seconds, reasoning_seconds, cost, error...
        hidden: True if it was deleted, with all messages below it.

    Example:
        >>> from chatnb import Conversation, HumanMessage
        >>> from chatnb.store import Store
        >>> conversation = Conversation("ideas", store=Store(":memory:"))
        >>> node = conversation.add(HumanMessage("A name for a boat?"))
        >>> node.message, node.parent, node.status
        (HumanMessage(content='A name for a boat?'), None, 'done')
    """

    number: int
    id: str
    parent: str | None
    message: BaseMessage
    status: Status
    created: float
    facts: dict[str, Any]
    hidden: bool = False


@dataclass(frozen=True)
class Summary:
    """A conversation in a list.

    Args:
        name: Its name.
        origin: The notebook that began it, or "".
        turns: Number of user messages on all its branches.
        created: Its start, in seconds since 1970.
        changed: Its last change, likewise.
        first: The beginning of the first user message.
        settings: System prompt, model...

    Example:
        >>> from chatnb import HumanMessage
        >>> from chatnb.store import Store
        >>> store = Store(":memory:")
        >>> id = store.add("ideas", HumanMessage("A name for a boat?"), parent=None)
        >>> [(summary.name, summary.turns, summary.first) for summary in store.summaries()]
        [('ideas', 1, 'A name for a boat?')]
    """

    name: str
    origin: str
    turns: int
    created: float
    changed: float
    first: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class Changes:
    """Changes of a conversation since it was last read.

    Args:
        conversation: Its number; another number means another conversation of the same name.
        version: Increases with every change.
        leaf: The id of the last message on the selected path.
        settings: System prompt, model...
        nodes: New and changed messages.

    Example:
        >>> from chatnb import HumanMessage
        >>> from chatnb.store import Store
        >>> store = Store(":memory:")
        >>> id = store.add("ideas", HumanMessage("A name for a boat?"), parent=None)
        >>> changes = store.changes("ideas")
        >>> [node.message.content for node in changes.nodes], changes.leaf == id
        (['A name for a boat?'], True)
    """

    conversation: int
    version: int
    leaf: str | None
    settings: dict[str, Any]
    nodes: list[Node]
