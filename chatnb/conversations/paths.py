"""Paths through the tree of a conversation, and the messages that a request takes from one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import index as as_index
from typing import overload

from chatnb.schema.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from chatnb.store import Node

_BLOCK = 256


class NodePath(Sequence[Node]):
    """A path that shares its nodes with the paths that it was made from; it never changes."""

    # The nodes are in blocks, all of them full but the last. A path that goes on copies the list of
    # blocks and one block, and paths are compared by their blocks: 20,000 turns are 160 of them.

    __slots__ = ("_blocks", "_length")

    def __init__(self, nodes: Iterable[Node] = ()) -> None:
        self._blocks: list[list[Node]] = []
        self._length = 0
        self._extend(list(nodes))

    def _extend(self, nodes: list[Node]) -> None:
        self._blocks += [nodes[at : at + _BLOCK] for at in range(0, len(nodes), _BLOCK)]
        self._length += len(nodes)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Node]:
        return chain.from_iterable(self._blocks)

    @overload
    def __getitem__(self, at: int) -> Node: ...
    @overload
    def __getitem__(self, at: slice) -> list[Node]: ...
    def __getitem__(self, at: int | slice) -> Node | list[Node]:
        if isinstance(at, slice):
            start, stop, step = at.indices(self._length)
            if step != 1:
                return list(self)[at]
            nodes = [*chain.from_iterable(self._blocks[start // _BLOCK : -(-stop // _BLOCK)])]
            return nodes[start % _BLOCK : start % _BLOCK + max(0, stop - start)]
        position = as_index(at) + (self._length if at < 0 else 0)
        if not 0 <= position < self._length:
            raise IndexError(f"There is no message {at} in a path of {self._length}")
        return self._blocks[position // _BLOCK][position % _BLOCK]

    def with_tail(self, start: int, nodes: Iterable[Node]) -> NodePath:
        """Return the path up to a position, followed by other nodes."""
        path, full = NodePath(), start // _BLOCK
        path._blocks, path._length = self._blocks[:full], full * _BLOCK
        path._extend([*self[full * _BLOCK : start], *nodes])
        return path

    def with_node(self, position: int, node: Node) -> NodePath:
        """Return the path with another node at a position."""
        path, block = NodePath(), position // _BLOCK
        path._blocks, path._length = self._blocks.copy(), self._length
        path._blocks[block] = path._blocks[block].copy()
        path._blocks[block][position % _BLOCK] = node
        return path

    def common_length(self, other: NodePath) -> int:
        """Return the number of nodes in which two paths begin alike."""
        same = _count_same(self._blocks, other._blocks)
        if same == min(len(self._blocks), len(other._blocks)):
            return min(self._length, other._length)
        return same * _BLOCK + _count_same(self._blocks[same], other._blocks[same])


def _count_same(old: Sequence[object], new: Sequence[object]) -> int:
    pairs = enumerate(zip(old, new, strict=False))
    return next((at for at, (a, b) in pairs if a is not b and a != b), min(len(old), len(new)))


class MessageTree:
    """The messages of a conversation that are not hidden, and the path that was read last."""

    # A change costs as much as it adds: an extended path is the last one and what follows.

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        """The visible messages by id, oldest first."""
        self.newest = 0
        """The number of the newest visible message; 0 if there is none."""
        self._all: dict[str, Node] = {}
        self._children: dict[str | None, list[str]] = {}
        self._forks: set[str | None] = set()
        self._path = NodePath()
        self._positions: dict[str, int] = {}
        self._siblings: dict[str, list[str]] | None = None  # Read between two forks.

    def update(self, changed: Sequence[Node]) -> None:
        """Add messages, and replace those that changed."""
        is_extended = all(
            not node.hidden and (node.id in self.nodes or node.number > self.newest)
            for node in changed
        )
        self._all.update((node.id, node) for node in changed)
        if not is_extended:
            visible = (node for node in self._all.values() if not node.hidden)
            changed = sorted(visible, key=lambda node: node.number)
            self.nodes, self._children, self.newest = {}, {}, 0
            self._forks, self._siblings = set(), None
            self._path, self._positions = NodePath(), {}
        for node in changed:
            self._add(node)

    def _add(self, node: Node) -> None:
        above = self._all.get(node.parent or "")
        if above is not None and above.number >= node.number:
            raise ValueError(f"the message {node.id} follows a later one")
        if node.id not in self.nodes:
            children = self._children.setdefault(node.parent, [])
            children.append(node.id)
            if len(children) > 1:
                self._forks.add(node.parent)
                self._siblings = None
            self.newest = node.number
        self.nodes[node.id] = node
        if node.id in self._positions:
            self._path = self._path.with_node(self._positions[node.id], node)

    def path_to(self, leaf: str | None) -> NodePath:
        """Return the messages from the first to this one."""
        added = list[Node]()
        while leaf is not None and leaf not in self._positions and (node := self.nodes.get(leaf)):
            added.append(node)
            leaf = node.parent
        kept = self._positions[leaf] + 1 if leaf in self._positions else 0
        if kept == len(self._path) and not added:
            return self._path
        for node in self._path[kept:]:
            del self._positions[node.id]
        added.reverse()
        self._path = self._path.with_tail(kept, added)
        self._positions.update((node.id, at) for at, node in enumerate(added, kept))
        return self._path

    def is_on_path(self, node_id: str, leaf: str | None) -> bool:
        """Return whether a message is on the path to another."""
        self.path_to(leaf)
        return node_id in self._positions

    def branches(self, node_id: str) -> list[str]:
        """Return the ids of all children of a message's parent, in the order of their creation."""
        return list(self._children[self.nodes[node_id].parent])

    def forks(self) -> Mapping[str, Sequence[str]]:
        """Return the children of each message with several, by each of their ids."""
        if self._siblings is None:
            forks = [list(self._children[parent]) for parent in self._forks]
            self._siblings = {id: children for children in forks for id in children}
        return self._siblings

    def newest_below(self, node_id: str | None, *, after: int = 0) -> str | None:
        """Return the last message of the path that takes the newest branch each time."""
        while children := self._children.get(node_id):
            if self.nodes[children[-1]].number <= after:
                break
            node_id = children[-1]
        return node_id

    def nearest(self, node_id: str | None) -> str | None:
        """Return the message, or its nearest ancestor that is not hidden."""
        while node_id is not None and node_id not in self.nodes:
            above = self._all.get(node_id)
            node_id = above.parent if above else None
        return node_id

    def settled(self, leaf: str | None) -> str | None:
        """Return the end of a path without a turn at its end whose reply is still streaming."""
        # Somebody who asks meanwhile has not seen that reply, so the question is a branch beside
        # it.
        node = self.nodes.get(leaf or "")
        if node is None or node.status != "streaming":
            return node and node.id
        while node is not None and not isinstance(node.message, HumanMessage):
            node = self.nodes.get(node.parent or "")
        return node and node.parent


_NOT_RUN = "This call was not run: the reply was stopped."


class RequestMessages:
    """Messages that providers accept: no empty replies, a result for each tool call."""

    # They are kept from one request to the next, and only the last turns are made again.

    def __init__(self) -> None:
        self._path = NodePath()
        self._messages: list[BaseMessage] = []
        # For each question, its index in the path and among the messages.
        self._turns: list[tuple[int, int]] = []

    def through(self, path: NodePath) -> list[BaseMessage]:
        """Return the messages of a path, in a list that the next call changes."""
        same = self._path.common_length(path)
        while self._turns and self._turns[-1][0] >= same:
            self._turns.pop()
        # Results of the turn before may have come.
        start, count = self._turns.pop() if self._turns else (0, 0)
        tail = [node.message for node in path[start:]]
        answered = {
            result.tool_call_id: index
            for index, result in enumerate(tail, start)
            if isinstance(result, ToolMessage)
        }
        if start and not answered.keys() <= _called(tail):  # A result of a call long before.
            self._path, self._messages, self._turns = NodePath(), [], []
            return self.through(path)
        del self._messages[count:]
        for index, message in enumerate(tail, start):
            if isinstance(message, HumanMessage):
                self._turns.append((index, len(self._messages)))
            if not isinstance(message, AIMessage):
                self._messages.append(message)
            elif message.content or message.tool_calls:
                self._messages += [message, *_missing_results(message, index, answered)]
        self._path = path
        return self._messages


def _called(messages: Sequence[BaseMessage]) -> set[str]:
    replies = (message for message in messages if isinstance(message, AIMessage))
    return {call.get("id") or "" for reply in replies for call in reply.tool_calls}


def _missing_results(
    message: AIMessage, index: int, answered: Mapping[str, int]
) -> list[ToolMessage]:
    # Some servers number the calls of each reply anew: a result comes after its call.
    ids = [call.get("id") or "" for call in message.tool_calls]
    missing = [id for id in ids if answered.get(id, -1) < index]
    return [ToolMessage(_NOT_RUN, tool_call_id=id, status="error") for id in missing]
