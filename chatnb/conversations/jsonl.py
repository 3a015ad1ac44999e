"""A conversation as lines of JSON, with all its branches, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

from chatnb.conversations.conversation import Conversation
from chatnb.schema.coercion import to_messages
from chatnb.schema.serialization import message_from_dict, message_to_dict
from chatnb.store import Node, Store, shared_store

_FORMAT = 1
_SETTINGS = (("system", str), ("model", str), ("temperature", int | float))
_STATUSES = ("done", "streaming", "stopped", "failed")


def to_jsonl(talk: Conversation) -> str:
    """Write a conversation: its name and settings on the first line, then a message a line.

    Args:
        talk: The conversation. Messages that were deleted are left out.

    Returns:
        The lines; a message names the one that it follows, which comes before it.

    Raises:
        TypeError: If a message holds something that JSON cannot.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> talk = Conversation("ideas", store=Store(":memory:"))
        >>> asked = talk.add(HumanMessage("A name for a boat?"))
        >>> from_jsonl(to_jsonl(talk), store=Store(":memory:")).messages
        [HumanMessage(content='A name for a boat?')]
    """
    path = talk.path()
    head = {
        "chatnb_conversation": _FORMAT,
        "name": talk.name,
        "settings": talk.settings,
        "selected": path[-1].id if path else None,
    }
    return "".join(json.dumps(line) + "\n" for line in (head, *map(_line, talk.nodes())))


def _line(node: Node) -> dict[str, Any]:
    return {
        "id": node.id,
        "parent": node.parent,
        "status": node.status,
        "created": node.created,
        "facts": node.facts,
        "message": message_to_dict(node.message),
    }


def from_jsonl(text: str, *, name: str | None = None, store: Store | None = None) -> Conversation:
    """Read a conversation into a store, under a name that is still free.

    Args:
        text: What `to_jsonl` wrote; or a message a line, as OpenAI's dicts with `role` and
            `content` or as `message_to_dict` writes them.
        name: What to call it. Default: what the lines say.
        store: Where it goes. Default: the user's own.

    Returns:
        The new conversation.

    Raises:
        ValueError: If a line is none of these; nothing is written then.

    Example:
        >>> talk = from_jsonl('{"role": "user", "content": "Hi"}', store=Store(":memory:"))
        >>> talk.name, talk.messages
        ('imported', [HumanMessage(content='Hi')])
    """
    lines = list(_read(text))
    head = lines.pop(0) if lines and "chatnb_conversation" in lines[0] else dict[str, Any]()
    if head.get("chatnb_conversation", _FORMAT) != _FORMAT:
        raise ValueError("These lines were written by a newer chatnb: pip install -U chatnb")
    nodes = _nodes(lines, first=2 if head else 1)
    into = store or shared_store()
    talk = Conversation(into.begin(name or str(head.get("name") or "imported")), store=into)
    talk.change_settings(**_settings(head))
    ids = _add(nodes, talk)
    talk.refresh()
    selected = ids.get(str(head.get("selected")))
    if selected is not None:
        talk.end_at(selected)
    return talk


def _add(nodes: list[Node], talk: Conversation) -> dict[str, str]:
    """The ids that the messages got, by those they had."""
    ids = dict[str, str]()
    for node in nodes:
        ids[node.id] = talk.store.add(
            talk.name,
            node.message,
            parent=None if node.parent is None else ids[node.parent],
            status=node.status,
            facts=node.facts,
            created=node.created,
        )
    return ids


def _settings(head: dict[str, Any]) -> dict[str, Any]:
    """The settings that are what they should be: a file is somebody else's word."""
    given: object = head.get("settings")
    if not isinstance(given, dict):
        return {}
    settings = cast("dict[str, Any]", given)
    return {
        name: settings[name] for name, kind in _SETTINGS if isinstance(settings.get(name), kind)
    }


def _read(text: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            read: object = json.loads(line)
        except ValueError as error:
            raise ValueError(f"Line {number} is not JSON: {error}") from None
        if not isinstance(read, dict):
            raise ValueError(f"Line {number} is not a message but {line[:80]}")
        yield cast("dict[str, Any]", read)


def _nodes(lines: list[dict[str, Any]], first: int) -> list[Node]:
    nodes = list[Node]()
    known = set[str]()
    for number, line in enumerate(lines, start=first):
        try:
            node = _node(line, nodes[-1].id if nodes else None, number)
        except (ValueError, TypeError) as error:
            raise ValueError(f"Message {number} cannot be read: {error}") from error
        if node.id in known or (node.parent is not None and node.parent not in known):
            raise ValueError(f"Message {number} does not follow one that comes before it")
        known.add(node.id)
        nodes.append(node)
    return nodes


def _node(line: dict[str, Any], above: str | None, number: int) -> Node:
    if "message" not in line:
        is_own = isinstance(line.get("data"), dict)
        (message,) = [message_from_dict(line)] if is_own else to_messages([line])
        return Node(number, f"line {number}", above, message, "done", 0.0, {})
    status, parent = line.get("status", "done"), line.get("parent")
    if status not in _STATUSES:
        raise ValueError(f"its status is one of {', '.join(_STATUSES)}, not {status!r}")
    return Node(
        number,
        str(line.get("id")),
        None if parent is None else str(parent),
        message_from_dict(line["message"]),
        "stopped" if status == "streaming" else status,
        float(line.get("created") or 0.0),
        dict(line.get("facts") or {}),
    )
