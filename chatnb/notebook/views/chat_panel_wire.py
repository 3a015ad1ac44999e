"""What a browser is told of a panel, numbered: no clock, no comm."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal

from chatnb.notebook.views.chat_panel_item import Item, State

Field = Literal["text", "reasoning"]
WireMessage = dict[str, Any]

_FIELDS: tuple[Field, ...] = ("text", "reasoning")
_PART_BYTES = 200_000
"""A message no longer than this is read and folded well within a frame."""


class PanelWire:
    """What a panel shows, and what of it the browser does not know yet.

    Whatever changes between two takes travels together. Numbers run 1, 2, 3 without a gap, so
    that a browser that has missed a message notices, and asks for a snapshot.

    Args:
        state: What stands around the items.

    Example:
        >>> from chatnb.notebook.views.chat_panel_item import empty_item
        >>> wire = PanelWire({"running": False})
        >>> wire.show([empty_item("a", "ai")])
        >>> wire.append("a", "text", "Hel")
        >>> [(message["seq"], message["kind"]) for message in wire.take()]
        [(1, 'item')]
        >>> wire.append("a", "text", "lo")
        >>> wire.take()
        [{'kind': 'delta', 'seq': 2, 'id': 'a', 'field': 'text', 'at': 3, 'text': 'lo'}]
    """

    def __init__(self, state: State) -> None:
        self.seq = 0
        self.state = state
        self._told_state = state
        self._items: dict[str, Item] = {}
        self._told: list[str] = []
        self._changed: set[str] = set()
        self._grown: dict[tuple[str, Field], list[str]] = {}
        self._lengths: dict[tuple[str, Field], int] = {}

    @property
    def items(self) -> list[Item]:
        """What is shown, with the pieces that have not been taken yet."""
        return [self._whole(id) for id in self._items]

    def show(self, items: Iterable[Item]) -> None:
        """Show these items from now on, in this order."""
        shown = list(items)
        for item in shown:
            self.put(item)
        self._items = {item["id"]: self._items[item["id"]] for item in shown}
        self._changed &= self._items.keys()
        self._grown = {key: grown for key, grown in self._grown.items() if key[0] in self._items}

    def put(self, item: Item) -> None:
        """Show one item: in the place of the one with its id, or as the last."""
        id = item["id"]
        if id not in self._items or item != self._whole(id):
            self._items[id] = item
            self._changed.add(id)
            self._forget_growth(id)

    def append(self, id: str, field: Field, text: str) -> None:
        """Let an item's field grow.

        Args:
            id: The item; nothing happens if it is not shown.
            field: Which of its texts.
            text: What follows, without halves of characters.
        """
        if text and id in self._items:
            self._grown.setdefault((id, field), []).append(text)

    def take(self) -> list[WireMessage]:
        """The messages that tell what has changed since the last time."""
        said = [*self._item_messages(), *self._deltas()]
        around = [] if self.state == self._told_state else [_state_message(self.state)]
        self._told_state = self.state
        # A turn begins before its first message, and ends after its last one.
        ordered = [*around, *said] if self.state["running"] else [*said, *around]
        return [self._numbered(message) for message in ordered]

    def repeat_state(self) -> list[WireMessage]:
        """The state, though it is known: whoever asked for something hears that it was heard."""
        return [self._numbered(_state_message(self.state))]

    def snapshot(self) -> list[WireMessage]:
        """Everything, in parts of bounded size; what has changed is to be taken before."""
        parts = _parts(self.items)
        return [
            {
                "kind": "snapshot",
                "seq": self.seq,
                "part": number,
                "parts": len(parts),
                "items": part,
                "state": self.state,
            }
            for number, part in enumerate(parts)
        ]

    def _whole(self, id: str) -> Item:
        whole = self._items[id].copy()
        for field in _FIELDS:
            whole[field] += "".join(self._grown.get((id, field), ()))
        return whole

    def _forget_growth(self, id: str) -> None:
        for field in _FIELDS:
            self._grown.pop((id, field), None)
            self._lengths.pop((id, field), None)

    def _item_messages(self) -> list[WireMessage]:
        """What tells of new items, changed ones, and a path that went another way."""
        shown = list(self._items)
        follows = shown[: len(self._told)] == self._told
        if follows and not self._changed:
            return []
        self._told = shown
        changed = [id for id in shown if not follows or id in self._changed]
        items = [self._whole(id) for id in changed]
        for item in items:
            self._items[item["id"]] = item
            self._forget_growth(item["id"])
        self._changed.clear()
        if follows:
            return [{"kind": "item", "item": item} for item in items]
        if _size(items) <= _PART_BYTES:
            return [{"kind": "path", "items": items}]
        # With a number of its own: a browser that misses it notices at the next one.
        self.seq += 1
        return self.snapshot()

    def _deltas(self) -> list[WireMessage]:
        deltas = list[WireMessage]()
        for (id, field), pieces in self._grown.items():
            item, text = self._items[id].copy(), "".join(pieces)
            at = self._lengths.get((id, field)) or _utf16(item[field])
            self._lengths[id, field] = at + _utf16(text)
            item[field] += text
            self._items[id] = item
            deltas.append({"kind": "delta", "id": id, "field": field, "at": at, "text": text})
        self._grown.clear()
        return deltas

    def _numbered(self, message: WireMessage) -> WireMessage:
        if message["kind"] == "snapshot":
            return message
        self.seq += 1
        return {"kind": message["kind"], "seq": self.seq, **message}


def _state_message(state: State) -> WireMessage:
    return {"kind": "state", "state": state}


def _utf16(text: str) -> int:
    """The length of a text as browsers count it."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "replace")) // 2


def _size(items: Iterable[Item]) -> int:
    return sum(len(json.dumps(item)) for item in items)


def _parts(items: Iterable[Item]) -> list[list[Item]]:
    """Runs of items that go into a message each; an item that is longer goes alone."""
    parts, size = [list[Item]()], 0
    for item in items:
        weight = len(json.dumps(item))
        if parts[-1] and size + weight > _PART_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(item)
        size += weight
    return parts
