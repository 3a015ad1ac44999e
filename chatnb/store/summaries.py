"""What a store tells of a conversation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chatnb.store.nodes import Node


@dataclass(frozen=True)
class Summary:
    """A conversation in a list.

    Args:
        name: What it is called.
        origin: The notebook that began it, or "".
        turns: How many questions were asked in it, on all its branches.
        created: When it began, in seconds since 1970.
        changed: When something was last said or changed in it, likewise.
        first: The beginning of the first question.
        settings: System prompt, model...
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
    """What happened in a conversation since it was last read.

    Args:
        conversation: Its number; another one under the same name is another conversation.
        version: Goes up with every change.
        leaf: The id of the message at the end of the path that was last chosen.
        settings: System prompt, model...
        nodes: The messages that are new or different.
    """

    conversation: int
    version: int
    leaf: str | None
    settings: dict[str, Any]
    nodes: list[Node]
