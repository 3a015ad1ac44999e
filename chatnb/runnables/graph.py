"""What a runnable is made of, as a graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from chatnb.runnables.base import Runnable


class Edge(NamedTuple):
    """From one node to another, by their ids."""

    source: str
    target: str
    label: str


@dataclass
class Graph:
    """Nodes and the way between them.

    Args:
        nodes: The name of each node, by id.
        edges: The edges.

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

    def add_node(self, name: str) -> str:
        """Add a node.

        Args:
            name: What it is called; several may share a name.

        Returns:
            Its id.
        """
        node = f"n{len(self.nodes)}"
        self.nodes[node] = name
        return node

    def add_edge(self, source: str, target: str, label: str = "") -> None:
        """Add an edge between two nodes, given by their ids."""
        self.edges.append(Edge(source, target, label))

    def draw_mermaid(self) -> str:
        """The graph in Mermaid's language, which Jupyter draws in Markdown cells."""
        lines = ["graph TD"]
        lines += [f'    {node}["{_escaped(name)}"]' for node, name in self.nodes.items()]
        lines += [f"    {e.source} {_arrow(e.label)} {e.target}" for e in self.edges]
        return "\n".join(lines)


def graph_of(runnable: Runnable[Any, Any]) -> Graph:
    """Draw a runnable, from its input to its output.

    Args:
        runnable: The runnable.

    Returns:
        The graph.
    """
    graph = Graph()
    begin = graph.add_node("Input")
    first, last = runnable.add_to_graph(graph)
    graph.add_edge(begin, first)
    graph.add_edge(last, graph.add_node("Output"))
    return graph


def _arrow(label: str) -> str:
    return f'-- "{_escaped(label)}" -->' if label else "-->"


def _escaped(text: str) -> str:
    """Without the characters that mean something to Mermaid between quotes."""
    for character, entity in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        text = text.replace(character, entity)
    return text.replace("\n", " ")
