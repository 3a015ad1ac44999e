"""Walks through the tree of a conversation: functions of its nodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chatnb.schema.messages import HumanMessage
from chatnb.store.nodes import Node


class Tree:
    """The messages of a conversation that are not hidden.

    Args:
        nodes: All of its nodes, in any order.

    Example:
        >>> from chatnb.schema import AIMessage, HumanMessage
        >>> def node(number, parent, message):
        ...     return Node(number, f"n{number}", parent, message, "done", 0.0, {})
        >>> asked, first = node(1, None, HumanMessage("Hi")), node(2, "n1", AIMessage("Hello."))
        >>> tree = Tree([asked, first, node(3, "n1", AIMessage("Good day."))])
        >>> tree.branches("n3"), tree.newest_below("n1")
        (['n2', 'n3'], 'n3')
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        visible = sorted((node for node in nodes if not node.hidden), key=lambda n: n.number)
        self.nodes: dict[str, Node] = {node.id: node for node in visible}
        self._children: dict[str | None, list[str]] = {}
        for node in visible:
            self._children.setdefault(node.parent, []).append(node.id)

    def path_to(self, leaf: str | None) -> list[Node]:
        """The messages from the first to this one."""
        path = list[Node]()
        while leaf is not None and (node := self.nodes.get(leaf)):
            path.append(node)
            leaf = node.parent
        return path[::-1]

    def branches(self, node_id: str) -> list[str]:
        """The messages that stand in one place, this one among them, in the order they came."""
        return list(self._children[self.nodes[node_id].parent])

    @property
    def newest(self) -> int:
        """The number of the message that came last; 0 if there is none."""
        return next((node.number for node in reversed(self.nodes.values())), 0)

    def newest_below(self, node_id: str | None, *, after: int = 0) -> str | None:
        """Where the path ends that goes on with the newest message each time.

        Args:
            node_id: Where it begins.
            after: Goes on only with messages of a higher number.
        """
        while children := self._children.get(node_id):
            if self.nodes[children[-1]].number <= after:
                break
            node_id = children[-1]
        return node_id


def settled(path: Sequence[Node]) -> list[Node]:
    """A path without the turn at its end that is still being answered.

    Whoever asks something meanwhile has not seen that answer, so a question of theirs is a branch
    beside it.
    """
    kept = list(path)
    if not kept or kept[-1].status != "streaming":
        return kept
    while kept and not isinstance(kept.pop().message, HumanMessage):
        pass
    return kept
