"""A conversation as JSON lines, with all its branches, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

from chatnb.conversations.conversation import Conversation, check_name
from chatnb.errors import DamagedFileError
from chatnb.redaction import environment_secrets, redact_json
from chatnb.schema.conversion import to_messages
from chatnb.schema.serialization import (
    checked_message,
    message_from_dict,
    message_to_dict,
)
from chatnb.store import Node, Store, shared_store
from chatnb.store.nodes import STATUSES
from chatnb.store.rows import bad_facts, is_time
from chatnb.strict_json import parse_object

_FORMAT = 1
_SETTINGS = ("system", "model", "temperature")
_MAX_TEMPERATURE = 100


def to_jsonl(conversation: Conversation) -> str:
    """Write a conversation as JSON lines: its name and settings, then one message a line.

    Keys, tokens and the secrets of the environment are redacted.

    Args:
        conversation: The conversation. Deleted messages are left out.

    Returns:
        The lines; each message names its parent, which comes before it.

    Raises:
        TypeError: If JSON cannot hold a message.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> conversation = Conversation("ideas", store=Store(":memory:"))
        >>> node = conversation.add(HumanMessage("A name for a boat?"))
        >>> from_jsonl(to_jsonl(conversation), store=Store(":memory:")).messages
        [HumanMessage(content='A name for a boat?')]
    """
    path = conversation.path()
    head = {
        "chatnb_conversation": _FORMAT,
        "name": conversation.name,
        "settings": conversation.settings,
        "selected": path[-1].id if path else None,
    }
    secrets = environment_secrets()
    lines = (head, *map(_line, conversation.nodes()))
    return "".join(redact_json(json.dumps(line), secrets) + "\n" for line in lines)


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
    """Read a conversation into a store, under a free name.

    Args:
        text: The lines of `to_jsonl`; or one message a line, as OpenAI's dicts with `role` and
            `content` or as `message_to_dict` writes them.
        name: Its name. Default: the name in the lines.
        store: The store for it. Default: the user's.

    Returns:
        The new conversation.

    Raises:
        DamagedFileError: If a line is none of these, also a ValueError; then nothing is written.

    Example:
        >>> conversation = from_jsonl('{"role": "user", "content": "Hi"}', store=Store(":memory:"))
        >>> conversation.name, conversation.messages
        ('imported', [HumanMessage(content='Hi')])
    """
    try:
        lines = list(_read(text))
        head = lines.pop(0) if lines and "chatnb_conversation" in lines[0] else dict[str, Any]()
        nodes = _nodes(lines, first=2 if head else 1)
        stem = check_name(name or head.get("name") or "imported")
        settings = _settings(head)
    except (ValueError, TypeError) as error:
        raise DamagedFileError(str(error)) from error
    into = store or shared_store()
    conversation = Conversation(into.begin(stem), store=into)
    conversation.change_settings(**settings)
    ids = _add_nodes(nodes, conversation)
    conversation.refresh()
    selected = head.get("selected", "")
    if selected is None or str(selected) in ids:
        conversation.end_at(None if selected is None else ids[str(selected)])
    return conversation


def _add_nodes(nodes: list[Node], conversation: Conversation) -> dict[str, str]:
    """Add nodes to a conversation; return their new ids by their old ones."""
    ids = dict[str, str]()
    for node in nodes:
        ids[node.id] = conversation.store.add(
            conversation.name,
            node.message,
            parent=None if node.parent is None else ids[node.parent],
            status=node.status,
            facts=node.facts,
            created=node.created,
        )
    return ids


def _settings(head: dict[str, Any]) -> dict[str, Any]:
    """Return the settings in the head of a file."""
    if head.get("chatnb_conversation", _FORMAT) != _FORMAT:
        raise ValueError("These lines were written by a newer chatnb: pip install -U chatnb")
    given: object = head.get("settings") or {}
    if not isinstance(given, dict):
        raise TypeError(f"The settings are not a dict but {given!r:.80}")
    values = cast("dict[str, Any]", given)
    settings = {name: values[name] for name in _SETTINGS if values.get(name) is not None}
    for name, value in settings.items():
        is_number = type(value) in (int, float) and 0 <= cast("float", value) <= _MAX_TEMPERATURE
        if not (is_number if name == "temperature" else isinstance(value, str)):
            raise TypeError(f"The setting {name} cannot be {value!r:.80}")
    return settings


def _read(text: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield parse_object(line.removeprefix("\ufeff"))
        except ValueError as error:
            raise ValueError(f"Line {number} is not a message in JSON: {error}") from error


def _nodes(lines: list[dict[str, Any]], first: int) -> list[Node]:
    nodes = list[Node]()
    known = set[str]()
    for number, line in enumerate(lines, start=first):
        try:
            node = _node(line, nodes[-1].id if nodes else None, number)
        except (ValueError, TypeError) as error:
            raise ValueError(f"Message {number} cannot be read: {error!s:.400}") from error
        if node.id in known or (node.parent is not None and node.parent not in known):
            raise ValueError(f"Message {number} does not follow one that comes before it")
        known.add(node.id)
        nodes.append(node)
    return nodes


def _node(line: dict[str, Any], above: str | None, number: int) -> Node:
    if "message" not in line:
        is_own = isinstance(line.get("data"), dict)
        (message,) = [message_from_dict(line)] if is_own else to_messages([line])
        return Node(number, f"line {number}", above, checked_message(message), "done", 0.0, {})
    id, parent = line.get("id"), line.get("parent")
    status, created = line.get("status", "done"), line.get("created", 0.0)
    facts: object = line.get("facts") or {}
    if not isinstance(id, str) or not isinstance(parent, str | None):
        raise TypeError(f"its id and parent are texts, not {id!r:.80} and {parent!r:.80}")
    if status not in STATUSES:
        raise ValueError(f"its status is one of {', '.join(STATUSES)}, not {status!r:.80}")
    if not is_time(created):
        raise TypeError(f"its time is in seconds since 1970, not {created!r:.80}")
    if not isinstance(facts, dict) or bad_facts(cast("dict[str, Any]", facts)):
        raise TypeError(f"its facts cannot be {line.get('facts')!r:.200}")
    return Node(
        number,
        id,
        parent,
        message_from_dict(line["message"]),
        "stopped" if status == "streaming" else status,
        float(created),
        cast("dict[str, Any]", facts),
    )
