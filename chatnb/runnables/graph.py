"""The graph of a runnable's parts, and its drawing in Mermaid."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from chatnb.lazy_names import names_of_package
from chatnb.terminal import replace_control_characters
from chatnb.upstream_attributes import point_elsewhere

# These characters have a meaning in Mermaid's quoted labels: of entities, HTML, directives (which
# may stand anywhere), formulas and Markdown.
_ENTITIES = {
    **{ord(character): f"#{ord(character)};" for character in "#%$`&\\"},
    ord('"'): "#quot;",
    ord("<"): "#lt;",
    ord(">"): "#gt;",
}


class Edge(NamedTuple):
    """An edge between two nodes, given by their ids."""

    source: str
    target: str
    label: str


@point_elsewhere
@dataclass
class Graph:
    """The parts of a runnable and the flow between them.

    Args:
        nodes: The name of each node, by id.
        edges: The edges.
        parts: The runnable of each node that stands for one, by the node's id.

    Example:
        >>> graph = Graph()
        >>> graph.add_edge(graph.add_node("a"), graph.add_node("b"), "then")
        >>> print(graph.draw_mermaid())
        graph TD
            n0["a"]
            n1["b"]
            n0 -- "then" --> n1
    """

    nodes: dict[str, str] = field(default_factory=dict[str, str])
    edges: list[Edge] = field(default_factory=list[Edge])
    parts: dict[str, Any] = field(default_factory=dict[str, Any])

    def add_node(self, name: str, part: Any = None) -> str:
        """Add a node; several nodes may share a name.

        Args:
            name: The name of the node.
            part: The runnable that it stands for, if it is one alone.

        Returns:
            The node's id.
        """
        node = f"n{len(self.nodes)}"
        self.nodes[node] = name
        if part is not None:
            self.parts[node] = part
        return node

    def add_edge(self, source: str, target: str, label: str = "") -> None:
        """Add an edge between two nodes.

        Args:
            source: The id of the node that it leaves.
            target: The id of the node that it leads to.
            label: The text at the edge.
        """
        self.edges.append(Edge(source, target, label))

    def draw_mermaid(self) -> str:
        """Return the graph in Mermaid's language, which Jupyter draws in Markdown cells."""
        lines = ["graph TD"]
        lines += [f'    {node}["{_escape(name)}"]' for node, name in self.nodes.items()]
        lines += [f"    {e.source} {_arrow(e.label)} {e.target}" for e in self.edges]
        return "\n".join(lines)


def _arrow(label: str) -> str:
    return f'-- "{_escape(label)}" -->' if label else "-->"


def _escape(text: str) -> str:
    return replace_control_characters(text).translate(_ENTITIES)


if not TYPE_CHECKING:  # LangChain's module of this path has the package's other names, too.
    __getattr__ = names_of_package("chatnb.runnables")
