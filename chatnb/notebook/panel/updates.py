"""Items and state of a panel, and their numbered updates to the browser: pure, without a clock."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Literal, TypeAlias, TypedDict, cast

from chatnb.notebook.attachments import (
    Files,
    ItemAttachment,
    Limits,
    item_attachments,
    typed_text,
)
from chatnb.notebook.widgets.footer import reply_footer, total_usage
from chatnb.notebook.widgets.formatting import value_text
from chatnb.notebook.widgets.tool_calls import (
    CallState,
    ItemToolCall,
    arguments_text,
    call_id,
    provider_calls,
    result_state,
)
from chatnb.schema.content.outputs import rest_markdown
from chatnb.schema.content.reply_parts import reply_parts
from chatnb.schema.messages import AIMessage, BaseMessage, InvalidToolCall, ToolCall, ToolMessage
from chatnb.store import Node

Role = Literal["human", "ai", "system"]
ItemStatus = Literal["done", "streaming", "stopped", "failed", "waiting"]
Field = Literal["text", "reasoning"]

NOT_MADE = "The call was not made."
_ROLES: dict[str, Role] = {"ai": "ai", "system": "system"}
_FIELDS: tuple[Field, ...] = ("text", "reasoning")
_PART_BYTES = 200_000
"""Browsers read and apply a message of this length well within a frame."""


class Branch(TypedDict):
    """The position of an item among its siblings, counted from 1, and the ids beside it."""

    index: int
    count: int
    previous: str | None
    next: str | None


class Item(TypedDict):
    """A message of the path that is shown."""

    id: str
    role: Role
    text: str
    reasoning: str
    reasoning_seconds: float | None
    status: ItemStatus
    footer: str
    error: str | None
    note: str
    branch: Branch
    attachments: list[ItemAttachment]
    tool_calls: list[ItemToolCall]


class State(TypedDict):
    """The state of a panel around its items."""

    running: bool
    error: str | None
    model: str
    models: list[str]
    temperature: float | None
    system: str
    usage: str
    limits: Limits
    name: str
    about: str
    suggestions: list[str]


class Snapshot(TypedDict):
    """A part of everything that is shown, up to and with the update numbered `seq`."""

    type: Literal["snapshot"]
    seq: int
    part: int
    parts: int
    items: list[Item]
    state: State


class Delta(TypedDict):
    """The growth of an item's field; `at` is its length before, in UTF-16 units."""

    type: Literal["delta"]
    seq: int
    id: str
    field: Field
    at: int
    text: str


class ItemChanged(TypedDict):
    """An item that is new or has changed."""

    type: Literal["item_changed"]
    seq: int
    item: Item


class PathChanged(TypedDict):
    """The items of another path, which replace all others."""

    type: Literal["path_changed"]
    seq: int
    items: list[Item]


class StateChanged(TypedDict):
    """The new state."""

    type: Literal["state_changed"]
    seq: int
    state: State


Update: TypeAlias = Snapshot | Delta | ItemChanged | PathChanged | StateChanged


class PanelUpdates:
    """The items and the state of a panel, and the updates that the browser does not have yet."""

    # All changes between two calls of `take` travel together. Numbers run 1, 2, 3 without a gap, so
    # that a browser that has missed an update notices and asks for a snapshot.

    def __init__(self, state: State) -> None:
        self.seq = 0
        self.state = state
        self._sent_state: State | None = state
        self._items: dict[str, Item] = {}
        self._order: list[str] = []
        self._positions: dict[str, int] = {}
        # Of the items that the browser has: their number, how many are still in their places, and
        # which are to be sent again.
        self._sent = self._in_place = 0
        self._changed: set[str] = set()
        self._grown: dict[tuple[str, Field], list[str]] = {}

    @property
    def items(self) -> list[Item]:
        """The items with all their text, taken or not."""
        return [self._whole_item(id) for id in self._order]

    def set_items(self, items: Iterable[Item], start: int = 0) -> None:
        """Show these items, in this order, from a position on; those before it stay."""
        shown = {item["id"]: item for item in items}
        for id in self._order[start:]:
            if id not in shown:
                del self._items[id], self._positions[id]
                self._changed.discard(id)
                self._forget_growth(id)
        for position, id in enumerate(shown, start):
            if self._positions.get(id) != position:
                self._in_place = min(self._in_place, position)
                self._positions[id] = position
        end = start + len(shown)
        self._order[start:] = shown
        self._in_place = min(self._in_place, end)
        for item in shown.values():
            self._replace(item)

    def set_item(self, item: Item) -> None:
        """Replace the item with this id, or append it."""
        if item["id"] not in self._positions:
            self._positions[item["id"]] = len(self._order)
            self._order.append(item["id"])
        self._replace(item)

    def _replace(self, item: Item) -> None:
        id = item["id"]
        if id not in self._items or item != self._whole_item(id):
            self._items[id] = item
            self._changed.add(id)
            self._forget_growth(id)

    def _forget_growth(self, id: str) -> None:
        for field in _FIELDS:
            self._grown.pop((id, field), None)

    def append(self, id: str, field: Field, text: str) -> None:
        """Append text without unpaired surrogates to a field of an item, if it is shown."""
        if text and id in self._items:
            self._grown.setdefault((id, field), []).append(text)

    def take(self) -> list[Update]:
        """Return the updates since the last call."""
        items, state = self._item_updates(), list[Update]()
        if self.state != self._sent_state:
            self._sent_state = self.state
            state.append(StateChanged(type="state_changed", seq=0, state=self.state))
        # A turn starts before its first message, and ends after its last one.
        updates = [*state, *items] if self.state["running"] else [*items, *state]
        for update in updates:
            if update["type"] != "snapshot":
                self.seq += 1
                update["seq"] = self.seq
        return updates

    def resend_state(self) -> None:
        """Let the next updates have the state as an acknowledgement, though it is known."""
        self._sent_state = None

    def snapshot(self) -> list[Update]:
        """Return everything in parts of bounded size; `take` must have been called before."""
        parts = _split(self.items)
        return [
            Snapshot(
                type="snapshot",
                seq=self.seq,
                part=number,
                parts=len(parts),
                items=part,
                state=self.state,
            )
            for number, part in enumerate(parts)
        ]

    def _whole_item(self, id: str) -> Item:
        whole = self._items[id].copy()
        for field in _FIELDS:
            whole[field] += "".join(self._grown.get((id, field), ()))
        return whole

    def _item_updates(self) -> list[Update]:
        """Return updates for another path, or for new items, changed ones, and grown ones."""
        deltas = [update for update in self._deltas() if update["id"] not in self._changed]
        changed = [self._items[id] for id in sorted(self._changed, key=self._positions.__getitem__)]
        is_extended = self._in_place >= self._sent
        self._changed = set()
        self._sent = self._in_place = len(self._order)
        if is_extended:
            return [
                *(ItemChanged(type="item_changed", seq=0, item=item) for item in changed),
                *deltas,
            ]
        items = [self._items[id] for id in self._order]
        if sum(map(_size, items)) <= _PART_BYTES:
            return [PathChanged(type="path_changed", seq=0, items=items)]
        # With a number of its own: a browser that misses it notices at the next update.
        self.seq += 1
        return self.snapshot()

    def _deltas(self) -> list[Delta]:
        """Add to the items what they have grown by, and return that."""
        deltas = list[Delta]()
        for (id, field), parts in self._grown.items():
            item, text = self._items[id].copy(), "".join(parts)
            at = _utf16_length(item[field])
            item[field] += text
            self._items[id] = item
            deltas.append(Delta(type="delta", seq=0, id=id, field=field, at=at, text=text))
        self._grown.clear()
        return deltas


def _split(items: Iterable[Item]) -> list[list[Item]]:
    """Split items into parts that go into one message each; a long item is a part of its own."""
    parts, size = [list[Item]()], 0
    for item in items:
        item_size = _size(item)
        if parts[-1] and size + item_size > _PART_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(item)
        size += item_size
    return parts


def _size(item: Item) -> int:
    return len(json.dumps(item))


def _utf16_length(text: str) -> int:
    """Return the length of a text as browsers count it."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "replace")) // 2


def items_from_path(
    path: Sequence[Node],
    siblings: Mapping[str, Sequence[str]],
    call_states: Mapping[str, CallState] | None = None,
    before: Sequence[Node] = (),
) -> list[Item]:
    """Return an item for each message; tool results are part of the item that called."""
    # `before` are the messages of the first one's turn that stand before it.
    items, answer = list[Item](), list(before)
    for index, node in enumerate(path):
        if is_result(node):
            continue
        answer = [] if node.message.type == "human" else [*answer, node]
        item = _item_from_node(node)
        item["footer"] = answer_footer(answer)
        item["branch"] = _branch(node.id, siblings.get(node.id, ()))
        following = (path[after] for after in range(index + 1, len(path)))
        results = list(takewhile(is_result, following))
        item["tool_calls"] = [*_tool_calls(node, results, call_states or {})]
        for result in results:  # A figure that code has drawn, say.
            item["attachments"] += item_attachments(result.message, {})
        if any(call["state"] == "asking" for call in item["tool_calls"]):
            item["status"] = "waiting"
        items.append(item)
    return items


def empty_item(id: str, role: Role, text: str = "") -> Item:
    """Return an item with nothing but a text."""
    return Item(
        id=id,
        role=role,
        text=text,
        reasoning="",
        reasoning_seconds=None,
        status="done",
        footer="",
        error=None,
        note="",
        branch=Branch(index=1, count=1, previous=None, next=None),
        attachments=[],
        tool_calls=[],
    )


def answer_footer(answer: Sequence[Node]) -> str:
    """Return the line under an answer: model, and tokens, seconds and cost of all its messages."""
    replies = [(node, node.message) for node in answer if isinstance(node.message, AIMessage)]
    if not replies or number_fact(replies[-1][0], "seconds") is None:
        return ""
    last, message = replies[-1]
    costs = [cost for node, _ in replies if (cost := number_fact(node, "cost")) is not None]
    usage = total_usage([message for _, message in replies])
    return reply_footer(
        replace(message, usage_metadata=usage),
        str(last.facts.get("model") or ""),
        seconds=sum(number_fact(node, "seconds") or 0 for node, _ in replies),
        outcome="",  # The panel says above it how the reply ended.
        cost=sum(costs) if costs else None,
    )


def number_fact(node: Node, name: str) -> float | None:
    """Return a message's seconds or cost; None if it is not known."""
    fact = node.facts.get(name)
    return fact if isinstance(fact, int | float) else None


def _item_from_node(node: Node) -> Item:
    message, files = node.message, cast("Files", node.facts.get("files") or {})
    item = empty_item(node.id, _ROLES.get(message.type, "human"), typed_text(message, files))
    item["status"] = cast("ItemStatus", node.status)
    item["attachments"] = item_attachments(message, files)
    if isinstance(message, AIMessage):
        item["text"] = _reply_text(message, node.status)
        item["reasoning"] = message.reasoning
        item["reasoning_seconds"] = number_fact(node, "reasoning_seconds")
        item["error"] = node.facts.get("error")
        item["note"] = str(node.facts.get("note") or "")
    return item


def _reply_text(message: AIMessage, status: str) -> str:
    """Return the text of a reply; its sources follow once no more text does."""
    rest = "" if status == "streaming" else rest_markdown(reply_parts(message))
    return "\n\n".join(filter(None, (message.text, rest)))


def _branch(id: str, siblings: Sequence[str]) -> Branch:
    if id not in siblings:
        return Branch(index=1, count=1, previous=None, next=None)
    index = siblings.index(id)
    return Branch(
        index=index + 1,
        count=len(siblings),
        previous=siblings[index - 1] if index else None,
        next=siblings[index + 1] if index + 1 < len(siblings) else None,
    )


def is_result(node: Node) -> bool:
    """Return whether a message is a tool's result, which is a part of the item before it."""
    return isinstance(node.message, ToolMessage)


def _tool_calls(
    node: Node, results: Sequence[Node], states: Mapping[str, CallState]
) -> Iterator[ItemToolCall]:
    message = node.message
    if not isinstance(message, AIMessage):
        return
    yield from provider_calls(reply_parts(message).calls, node.id)
    unmatched = list(results)
    calls: list[ToolCall | InvalidToolCall] = [*message.tool_calls, *message.invalid_tool_calls]
    for index, call in enumerate(calls):
        id = call_id(node.id, index)
        result = next((node for node in unmatched if _is_result_of(node.message, call)), None)
        if result is not None:
            unmatched.remove(result)
        shown = ItemToolCall(
            id=id,
            name=call["name"] or "",
            arguments=arguments_text(call["args"]),
            state=states.get(id, "running" if node.status == "streaming" else "rejected"),
            result="",
        )
        if result is not None and isinstance(result.message, ToolMessage):
            rejected = bool(result.facts.get("rejected"))
            shown["state"] = result_state(result.message, rejected=rejected)
            shown["result"] = value_text(result.message)
        elif shown["state"] == "rejected":
            shown["result"] = call.get("error") or NOT_MADE
        yield shown


def _is_result_of(message: BaseMessage, call: ToolCall | InvalidToolCall) -> bool:
    return isinstance(message, ToolMessage) and message.tool_call_id == (call.get("id") or "")
