"""A conversation as it stays in the notebook file, and as cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from chatnb.conversations.writing import conversation_markdown
from chatnb.markdown.safe_markdown import safe_markdown
from chatnb.notebook.views.places import placed
from chatnb.notebook.views.run_tree_text import cut
from chatnb.schema.messages import AIMessage
from chatnb.store import Node

_MOST_CHARACTERS = 100_000
"""The most that is written into the notebook file; the conversation itself is in the store."""
_NOTHING = "ChatPanel: nothing has been said yet."
_PYTHON = ("python", "py", "python3", "ipython")


def panel_bundle(path: Sequence[Node], place: str = "") -> dict[str, str]:
    """A conversation as Markdown, as text and as HTML.

    Args:
        path: Its messages in order.
        place: The name under which a browser finds the HTML, to show the live panel there.

    Returns:
        Bundles in which nothing that was said can act; of a long conversation the end.

    Example:
        >>> panel_bundle([])["text/plain"]
        'ChatPanel: nothing has been said yet.'
    """
    said = _last_of(path)
    text = "\n\n".join(said) or _NOTHING
    shown = [_made_safe(each) for each in said]
    inner = "\n".join(html for _, html in shown) or f"<p>{_NOTHING}</p>"
    static = f'<div class="chatnb-panel-static">{inner}</div>'
    return {
        "text/plain": text,
        "text/markdown": "\n\n".join(markdown for markdown, _ in shown) or _NOTHING,
        "text/html": placed(static, "chatnb-chat-panel", place),
    }


def cells_of(path: Sequence[Node]) -> list[dict[str, Any]]:
    """A conversation as the cells of a notebook: Markdown, and the Python code of replies.

    Args:
        path: Its messages in order.

    Returns:
        Cells as nbformat has them; none of them has run.

    Example:
        >>> reply = AIMessage("So:\\n\\n```python\\n1 + 1\\n```")
        >>> cells = cells_of([Node(1, "a", None, reply, "done", 0.0, {"model": "m"})])
        >>> [(cell["cell_type"], cell["source"]) for cell in cells]
        [('markdown', '**m**\\n\\nSo:'), ('code', '1 + 1')]
    """
    numbered = ((node, number, cell) for node in path for number, cell in enumerate(_cells(node)))
    return [{"id": f"{node.id[:32]}-{number}", **cell} for node, number, cell in numbered]


def _last_of(path: Sequence[Node]) -> list[str]:
    """As many of the last messages as there is room for, each by itself."""
    said, room = list[str](), _MOST_CHARACTERS
    for index, node in reversed(list(enumerate(path))):
        text, more = cut(_said(node), max(room, 0) if said else _MOST_CHARACTERS)
        room -= len(text)
        if more and said:
            said.append(f"*({index + 1:,} earlier messages are in the conversation)*")
            break
        note = f"\n\n*({more:,} more characters are in the conversation)*" if more else ""
        said.append(_closed(text) + note)
    return said[::-1]


def _said(node: Node) -> str:
    """A message after the name of its speaker."""
    return conversation_markdown("", [node]).strip()


def _closed(text: str) -> str:
    """Markdown in which a fence that was left open, as in a reply that broke off, is closed."""
    last = next((token for token in reversed(_parsed(text)) if token.type == "fence"), None)
    if last is None or last.map is None:
        return text
    lines = text.split("\n")[last.map[0] : last.map[1]]
    closing = lines[-1].strip() if len(lines) > 1 else ""
    is_closed = closing.startswith(last.markup) and not closing.strip(last.markup[0])
    return text if is_closed else f"{text}\n{last.markup}"


def _cells(node: Node) -> Iterator[dict[str, Any]]:
    text = _closed(_said(node))
    if not isinstance(node.message, AIMessage):
        yield _markdown_cell(text)
        return
    lines, at = text.split("\n"), 0
    for token in _parsed(text):
        if token.type == "fence" and token.map and token.info.split(" ")[0].lower() in _PYTHON:
            yield from _markdown_cells("\n".join(lines[at : token.map[0]]))
            yield _code_cell(token.content.rstrip("\n"))
            at = token.map[1]
    yield from _markdown_cells("\n".join(lines[at:]))


def _markdown_cells(text: str) -> Iterator[dict[str, Any]]:
    if text.strip():
        yield _markdown_cell(text.strip("\n"))


def _markdown_cell(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def _code_cell(source: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": source,
    }


def _parsed(text: str) -> list[Token]:
    return [token for token in _markdown().parse(text) if token.level == 0]


@lru_cache(maxsize=256)
def _made_safe(text: str) -> tuple[str, str]:
    """A message as Markdown and HTML in which nothing can act; all but the last are known."""
    safe = safe_markdown(text)
    return safe, str(_markdown().render(safe))


def _markdown() -> MarkdownIt:
    """Tags stay text, and images are not loaded."""
    return MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
