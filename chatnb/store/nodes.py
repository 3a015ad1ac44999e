"""A message in the tree of a conversation, and how it is written down."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage, as_chunk, join_chunks
from chatnb.schema.serialization import message_from_dict, message_to_dict

Status: TypeAlias = Literal["done", "streaming", "stopped", "failed"]
COLUMNS: Final = "number, id, parent, message, status, facts, created, hidden, writer, beat"
_SPACES: Final = dict.fromkeys(range(9), " ")


@dataclass(frozen=True)
class Node:
    """A message and its place in the tree.

    Args:
        number: Later nodes of a file have higher ones.
        id: What other nodes and the browser call it.
        parent: The id of the message that it follows, or None for a first one.
        message: The message; of a reply that is still streaming, what is on disk by now.
        status: `done`, `streaming`, `stopped` by the user or with its process, or `failed`.
        created: When, in seconds since 1970.
        facts: What is known of it: model, seconds, first_seconds, cost, error...
        hidden: Whether it was deleted, with all that follows it.
    """

    number: int
    id: str
    parent: str | None
    message: BaseMessage
    status: Status
    created: float
    facts: dict[str, Any]
    hidden: bool = False


def node_of(row: tuple[Any, ...], pieces: Iterable[str] = ()) -> Node:
    """Read a row of `COLUMNS`, with what came of a reply that is still streaming."""
    number, id, parent, message, status, facts, created, hidden, _, _ = row
    written = message_of(message)
    if status == "streaming" and isinstance(written, AIMessage):
        written = whole_of(written, pieces)
    return Node(number, id, parent, written, status, created, json.loads(facts), bool(hidden))


def whole_of(begun: AIMessage, pieces: Iterable[str]) -> AIMessage:
    """A reply's beginning and its pieces as one message.

    Example:
        >>> whole_of(AIMessage(""), [message_json(AIMessageChunk("Hi"))])
        AIMessage(content='Hi')
    """
    chunks = [chunk for chunk in map(message_of, pieces) if isinstance(chunk, AIMessageChunk)]
    return join_chunks([as_chunk(begun), *chunks]).to_message()


def ended(message: BaseMessage, status: Status) -> BaseMessage:
    """A message that says in its metadata if it did not reach its end.

    Example:
        >>> ended(AIMessage("Hal"), "stopped").response_metadata
        {'finish_reason': 'stopped'}
    """
    if status not in ("stopped", "failed") or not isinstance(message, AIMessage):
        return message
    return replace(
        message, response_metadata={**message.response_metadata, "finish_reason": status}
    )


def message_json(message: BaseMessage) -> str:
    """Write a message; what JSON cannot hold (a tool's artifact, say) as its repr.

    Raises:
        ValueError: If the message is of a kind that cannot be read back.

    Example:
        >>> message_of(message_json(AIMessage("Hi")))
        AIMessage(content='Hi')
    """
    return json.dumps(message_to_dict(message), default=repr)


def message_of(written: str) -> BaseMessage:
    """Read what `message_json` wrote."""
    return message_from_dict(json.loads(written))


def facts_json(facts: Mapping[str, Any] | None) -> str:
    """Write facts or settings; what JSON cannot hold as its repr.

    Example:
        >>> facts_json({"seconds": 1.5})
        '{"seconds": 1.5}'
    """
    return json.dumps(dict(facts or {}), default=repr)


def words_of(message: BaseMessage) -> str:
    """What search looks at: the text, as SQLite can keep it."""
    return searchable(message.text)


def searchable(text: str) -> str:
    """Text without what search stumbles over: control characters and halves of surrogate pairs.

    Example:
        >>> searchable("a\\x00b\\ud800")
        'a b?'
    """
    return text.translate(_SPACES).encode("utf-8", "replace").decode()
