"""A conversation's path as the items that a panel shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, cast

from chatnb.notebook.turn import Reply
from chatnb.notebook.views.chat_panel_attachments import shown_attachments, shown_text
from chatnb.notebook.views.chat_panel_conversation import usage_of
from chatnb.notebook.views.chat_panel_item import (
    Branch,
    CallState,
    Item,
    ItemStatus,
    ShownCall,
    empty_item,
)
from chatnb.notebook.views.finished import facts_of
from chatnb.notebook.views.numbers import price, price_digits
from chatnb.notebook.views.run_tree_text import text_of
from chatnb.schema.messages import AIMessage, BaseMessage, InvalidToolCall, ToolCall, ToolMessage
from chatnb.store import Node

NOT_MADE = "The call was not made."
_ROLES: dict[str, Literal["human", "ai", "system"]] = {"ai": "ai", "system": "system"}


def items_of(
    path: Sequence[Node],
    siblings: Callable[[Node], Sequence[str]],
    calls: Mapping[str, CallState] | None = None,
) -> list[Item]:
    """The items of a path: a message each, the results of tools within the calls.

    Args:
        path: The messages in order.
        siblings: The ids of the messages that stand in a message's place, itself included.
        calls: What becomes of the calls that have no result yet, by `call_id`; those that are
            not among them were never made.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> node = Node(1, "a", None, HumanMessage("Hi"), "done", 0.0, {})
        >>> items_of([node], lambda node: ["a"])[0]["text"]
        'Hi'
    """
    items = list[Item]()
    for index, node in enumerate(path):
        if isinstance(node.message, ToolMessage):
            continue
        item = item_of(node)
        item["branch"] = _branch(node.id, siblings(node))
        results = list(_results_after(path, index))
        item["calls"] = [*_calls(node, results, calls or {})]
        if any(call["state"] == "asking" for call in item["calls"]):
            item["status"] = "waiting"
        items.append(item)
    return items


def item_of(node: Node) -> Item:
    """A message as an item, as far as the message itself goes."""
    message, files = node.message, cast("dict[str, Any]", node.facts.get("files") or {})
    item = empty_item(node.id, _ROLES.get(message.type, "human"), shown_text(message, files))
    item["status"] = cast("ItemStatus", node.status)
    item["attachments"] = shown_attachments(message, files)
    if isinstance(message, AIMessage):
        item["reasoning"] = message.reasoning
        item["facts"] = facts_line(node)
        item["error"] = node.facts.get("error")
    return item


def call_id(node_id: str, index: int) -> str:
    """What browsers call a message's call; models give the same id to several, or none.

    Example:
        >>> call_id("a", 0)
        'a.0'
    """
    return f"{node_id}.{index}"


def facts_line(node: Node) -> str:
    """The quiet line under a reply: model, tokens, seconds, cost.

    Example:
        >>> node = Node(1, "a", None, AIMessage("Hi"), "done", 0.0, {"model": "m", "seconds": 2})
        >>> facts_line(node)
        'm · 2.0 s'
    """
    message, seconds = node.message, node.facts.get("seconds")
    if not isinstance(message, AIMessage) or not isinstance(seconds, int | float):
        return ""
    facts = facts_of(Reply(message, "done", float(seconds)), str(node.facts.get("model") or ""))
    cost = node.facts.get("cost")
    return f"{facts} · {_price(cost)}" if isinstance(cost, int | float) else facts


def usage_line(path: Sequence[Node]) -> str:
    """What a conversation took: turns, tokens and cost, as far as they are known.

    Example:
        >>> usage_line([Node(1, "a", None, AIMessage("Hi"), "done", 0.0, {})])
        ''
    """
    turns = sum(node.message.type == "human" for node in path)
    usage = usage_of([node.message for node in path])
    costs = [node.facts["cost"] for node in path if isinstance(node.facts.get("cost"), int | float)]
    parts = [f"{turns:,} turn{'' if turns == 1 else 's'}"] if turns else []
    parts += [f"{usage['total_tokens']:,} tokens"] if usage else []
    return " · ".join([*parts, *([_price(sum(costs))] if costs else [])])


def _price(cost: float) -> str:
    return price(cost, price_digits([cost]))


def _branch(id: str, siblings: Sequence[str]) -> Branch:
    if id not in siblings:
        return Branch(index=1, count=1, previous=None, next=None)
    at = siblings.index(id)
    return Branch(
        index=at + 1,
        count=len(siblings),
        previous=siblings[at - 1] if at else None,
        next=siblings[at + 1] if at + 1 < len(siblings) else None,
    )


def _results_after(path: Sequence[Node], index: int) -> Iterator[Node]:
    for node in path[index + 1 :]:
        if not isinstance(node.message, ToolMessage):
            return
        yield node


def _calls(
    node: Node, results: Sequence[Node], states: Mapping[str, CallState]
) -> Iterator[ShownCall]:
    message = node.message
    if not isinstance(message, AIMessage):
        return
    missing = list(results)
    every: list[ToolCall | InvalidToolCall] = [*message.tool_calls, *message.invalid_tool_calls]
    for index, call in enumerate(every):
        id = call_id(node.id, index)
        result = next((each for each in missing if _answers(each.message, call)), None)
        if result is not None:
            missing.remove(result)
        shown = ShownCall(
            id=id,
            name=call["name"] or "",
            arguments=_written(call["args"]),
            state=states.get(id, "running" if node.status == "streaming" else "rejected"),
            result="",
        )
        if result is not None:
            shown["state"], shown["result"] = _ended(result), text_of(result.message)
        elif shown["state"] == "rejected":
            shown["result"] = call.get("error") or NOT_MADE
        yield shown


def _answers(message: BaseMessage, call: ToolCall | InvalidToolCall) -> bool:
    return isinstance(message, ToolMessage) and message.tool_call_id == (call.get("id") or "")


def _ended(result: Node) -> CallState:
    if result.facts.get("rejected"):
        return "rejected"
    failed = isinstance(result.message, ToolMessage) and result.message.status == "error"
    return "failed" if failed else "done"


def _written(args: Any) -> str:
    return args if isinstance(args, str) else json.dumps(args or {}, indent=2, ensure_ascii=False)
