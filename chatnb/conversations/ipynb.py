"""A conversation as a notebook: a `%%chat` cell a question, with the reply under it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from chatnb.conversations.conversation import Conversation
from chatnb.conversations.writing import speaker_of
from chatnb.markdown.safe_markdown import safe_markdown
from chatnb.schema.messages import AIMessage, HumanMessage
from chatnb.schema.transcript import message_markdown
from chatnb.store import Node

_METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def to_ipynb(talk: Conversation) -> str:
    """Write the chosen path of a conversation as a notebook.

    Args:
        talk: The conversation.

    Returns:
        A notebook file of format 4.5. Its cells ask the questions again when they are run.

    Example:
        >>> from chatnb.store import Store
        >>> talk = Conversation("ideas", store=Store(":memory:"))
        >>> asked = talk.add(HumanMessage("Hi")), talk.add(AIMessage("Hello."))
        >>> cells = json.loads(to_ipynb(talk))["cells"]
        >>> cells[-1]["source"], cells[-1]["outputs"][0]["data"]["text/plain"]
        (['%%chat\\n', 'Hi'], ['Hello.'])
    """
    title = _cell("markdown", "title", f"# {talk.name}")
    load = {**_cell("code", "load", "%load_ext chatnb"), **_OUTPUTS}
    cells = [title, load, *cells_of(talk.path(), talk.system)]
    notebook = {"cells": cells, "metadata": _METADATA, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, ensure_ascii=True) + "\n"


def cells_of(path: Sequence[Node], system: str | None = None) -> Iterator[dict[str, Any]]:
    """The cells of a path: questions with their replies as outputs; what is neither as Markdown.

    Args:
        path: Messages in order.
        system: What the model is told first; the first cell says it.
    """
    asking: dict[str, Any] | None = None
    for node in path:
        message = node.message
        if isinstance(message, HumanMessage) and isinstance(message.content, str):
            asking = _question(node, system)
            system = None
            yield asking
        elif isinstance(message, AIMessage) and asking is not None:
            asking["outputs"].append(_output(node))
        else:
            text = f"**{speaker_of(message)}**\n\n{message_markdown(message)}"
            yield _cell("markdown", node.id, safe_markdown(text))


_OUTPUTS: dict[str, Any] = {"execution_count": None, "outputs": []}


def _question(node: Node, system: str | None) -> dict[str, Any]:
    told = f" -s {_quoted(system)}" if system else ""
    source = f"%%chat{told}\n{node.message.text}"
    return {**_cell("code", node.id, source), "execution_count": None, "outputs": []}


def _quoted(text: str) -> str:
    """A word of the `%%chat` line, which is one line."""
    return shlex.quote(" ".join(text.split()))


def _output(node: Node) -> dict[str, Any]:
    text = message_markdown(node.message)
    data = {"text/markdown": _lines(safe_markdown(text)), "text/plain": _lines(text)}
    return {"output_type": "display_data", "metadata": {}, "data": data}


def _cell(kind: str, id: str, source: str) -> dict[str, Any]:
    return {"cell_type": kind, "id": id[:64], "metadata": {}, "source": _lines(source)}


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
