"""A conversation as a notebook: a `%%chat` cell for each question, the reply as its output."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from chatnb.conversations.conversation import Conversation
from chatnb.conversations.markdown import speaker_of
from chatnb.markdown.mimebundle import Mimebundle
from chatnb.markdown.safe_markdown import plain_markdown, safe_markdown
from chatnb.redaction import environment_secrets, redact_value
from chatnb.schema.content.outputs import media_outputs, shown_media
from chatnb.schema.content.reply_parts import reply_parts
from chatnb.schema.message_types import message_markdown
from chatnb.schema.messages import AIMessage, HumanMessage
from chatnb.store import Node
from chatnb.terminal import SafeText

_METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def to_ipynb(conversation: Conversation) -> str:
    """Write the selected path of a conversation as a notebook.

    Keys, tokens and the secrets of the environment are redacted.

    Args:
        conversation: The conversation.

    Returns:
        A notebook of format 4.5. Running its cells asks the questions again.

    Example:
        >>> from chatnb.store import Store
        >>> conversation = Conversation("ideas", store=Store(":memory:"))
        >>> for message in (HumanMessage("Hi"), AIMessage("Hello.")):
        ...     node = conversation.add(message)
        >>> cells = json.loads(to_ipynb(conversation))["cells"]
        >>> cells[-1]["source"], cells[-1]["outputs"][0]["data"]["text/plain"]
        (['%%chat\\n', 'Hi'], ['Hello.'])
    """
    title = _markdown_cell("title", f"# {plain_markdown(conversation.name)}")
    load = _code_cell("load", "%load_ext chatnb")
    cells = [title, load, *notebook_cells(conversation.path(), conversation.system)]
    notebook = {"cells": cells, "metadata": _METADATA, "nbformat": 4, "nbformat_minor": 5}
    clean = redact_value(notebook, environment_secrets(), by_name=False)
    return json.dumps(clean, indent=1, ensure_ascii=True) + "\n"


def notebook_cells(path: Sequence[Node], system: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the cells of a path: questions with their replies as outputs, the rest as Markdown."""
    cell: dict[str, Any] | None = None
    for node in path:
        message = node.message
        if isinstance(message, HumanMessage) and isinstance(message.content, str):
            cell = _chat_cell(node, system)
            system = None
            yield cell
        elif isinstance(message, AIMessage) and cell is not None:
            cell["outputs"] += _outputs(message)
        else:
            if isinstance(message, HumanMessage):  # Replies to it are no outputs of the last cell.
                cell = None
            speaker = plain_markdown(speaker_of(message))
            yield _markdown_cell(node.id, f"**{speaker}**\n\n{message_markdown(message)}")


def _chat_cell(node: Node, system: str | None) -> dict[str, Any]:
    options = f" -s {_quoted(system)}" if system else ""
    source = f"%%chat{options}\n{node.message.text}"
    return _code_cell(node.id, source)


def _quoted(text: str) -> str:
    """Quote a text as one argument of the `%%chat` line, which has no line breaks."""
    return shlex.quote(" ".join(text.split()))


def _outputs(reply: AIMessage) -> list[dict[str, Any]]:
    text = message_markdown(reply)
    shown: Mimebundle = {"text/markdown": safe_markdown(text), "text/plain": SafeText(text)}
    return [_output(shown), *map(_output, media_outputs(shown_media(reply_parts(reply))))]


def _output(shown: Mimebundle) -> dict[str, Any]:
    data = {type: _lines(str(value)) for type, value in shown.items()}
    return {"output_type": "display_data", "metadata": {}, "data": data}


def _markdown_cell(id: str, text: str) -> dict[str, Any]:
    return _cell("markdown", id, safe_markdown(text))


def _code_cell(id: str, source: str) -> dict[str, Any]:
    return {**_cell("code", id, source), "execution_count": None, "outputs": []}


def _cell(type: str, id: str, source: str) -> dict[str, Any]:
    return {"cell_type": type, "id": id[:64], "metadata": {}, "source": _lines(source)}


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
