"""A path as items and as a line of usage, of which only what has changed is made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from chatnb.conversations.paths import NodePath
from chatnb.notebook.panel.updates import (
    CallState,
    Item,
    is_result,
    items_from_path,
    number_fact,
)
from chatnb.notebook.widgets.footer import cost_text, footer_text, total_usage
from chatnb.notebook.widgets.formatting import count
from chatnb.schema.usage import UsageMetadata, add_usage
from chatnb.store import Node


class PathView:
    """The path that was shown last; a message more costs no more on a long one."""

    def __init__(self) -> None:
        self._path = NodePath()
        self._siblings: Mapping[str, Sequence[str]] = {}
        self._states: Mapping[str, CallState] = {}
        self._starts: list[int] = []  # The index in the path of each item.
        self._usage_path = NodePath()
        self._usage = PathUsage()
        self._counted = 0

    def changed_items(
        self,
        path: NodePath,
        siblings: Mapping[str, Sequence[str]],
        states: Mapping[str, CallState],
    ) -> tuple[int, list[Item]]:
        """Return the position of the first item that may have changed, and the items from there."""
        changed = _different_keys(self._siblings, siblings)
        changed |= {id.rpartition(".")[0] for id in _different_keys(self._states, states)}
        first = self._path.common_length(path)
        if changed:
            nodes = enumerate(islice(path, first))
            first = next((i for i, node in nodes if node.id in changed), first)
        # The item before it has the results that follow it.
        first = max(0, first - 1)
        while first and is_result(path[first]):
            first -= 1
        while self._starts and self._starts[-1] >= first:
            self._starts.pop()
        position, tail = len(self._starts), path[first:]
        self._starts += [first + index for index, node in enumerate(tail) if not is_result(node)]
        self._path, self._siblings, self._states = path, siblings, dict(states)
        return position, items_from_path(tail, siblings, states, _answer_before(path, first))

    def usage_line(self, path: NodePath) -> str:
        """Return the turns, tokens and cost of a path, as far as they are known."""
        if path is self._usage_path:
            return usage_line(self._usage.plus(path[self._counted :]))
        same = self._usage_path.common_length(path)
        if same < self._counted:
            self._usage, self._counted = PathUsage(), 0
        settled = max(self._counted, same - 1)
        self._usage = self._usage.plus(path[self._counted : settled])
        self._usage_path, self._counted = path, settled
        return usage_line(self._usage.plus(path[settled:]))


def _answer_before(path: Sequence[Node], index: int) -> Sequence[Node]:
    """Return the messages of a turn before one of them, without the question."""
    start = index
    while start and path[start - 1].message.type != "human":
        start -= 1
    return path[start:index]


def _different_keys(old: Mapping[str, object], new: Mapping[str, object]) -> set[str]:
    if old is new:
        return set()
    return {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}


@dataclass(frozen=True)
class PathUsage:
    """The turns, tokens and cost of a path; None for a cost or tokens that nobody knows."""

    turns: int = 0
    usage: UsageMetadata | None = None
    cost: float | None = None

    def plus(self, path: Sequence[Node]) -> PathUsage:
        """Return the usage of a path that goes on with these messages."""
        costs = [cost for node in path if (cost := number_fact(node, "cost")) is not None]
        return PathUsage(
            self.turns + sum(node.message.type == "human" for node in path),
            add_usage(self.usage, total_usage([node.message for node in path])),
            (self.cost or 0) + sum(costs) if costs else self.cost,
        )


def usage_line(path: Sequence[Node] | PathUsage) -> str:
    """Return the turns, tokens and cost of a path, as far as they are known."""
    known = path if isinstance(path, PathUsage) else PathUsage().plus(path)
    return footer_text(
        count(known.turns, "turn") if known.turns else "",
        count(known.usage["total_tokens"], "token") if known.usage else "",
        "" if known.cost is None else cost_text(known.cost),
    )
