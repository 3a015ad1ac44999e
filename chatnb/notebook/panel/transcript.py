"""The transcript of a panel: its static form in the notebook file, and as cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from chatnb.conversations.markdown import node_markdown
from chatnb.markdown.html import SafeHtml, element, join, rendered
from chatnb.markdown.media import is_shown, media_html
from chatnb.markdown.mimebundle import Mimebundle
from chatnb.markdown.rendering import block_tokens, close_fence, static_renderer
from chatnb.markdown.safe_markdown import SafeMarkdown, join_blocks, safe_markdown
from chatnb.notebook.attachments import item_attachments
from chatnb.notebook.panel.updates import number_fact
from chatnb.notebook.widgets.footer import reasoning_fold
from chatnb.notebook.widgets.formatting import truncate
from chatnb.notebook.widgets.html import MUTED, NO_MATH
from chatnb.notebook.widgets.mounting import mount_point
from chatnb.redaction import environment_secrets, redact
from chatnb.schema.messages import AIMessage, HumanMessage
from chatnb.store import Node
from chatnb.terminal import SafeText

_MAX_CHARACTERS = 100_000
"""The most that is written into the notebook file; the store has the whole conversation."""
_MAX_MEDIA = 4_000_000
"""The most characters of pictures and sounds in the file, the last ones first."""
_PICTURE = "display: block; max-width: 100%; max-height: 320px; margin: 8px 0;"
# As it was typed, as the panel shows it.
_QUESTION = "margin: 0 0 1em; white-space: pre-wrap; overflow-wrap: anywhere;"
_EMPTY = "ChatPanel: no messages yet."
_PYTHON = ("python", "py", "python3", "ipython")


class _Part(NamedTuple):
    """A message of the static form, or a note."""

    text: str
    markdown: SafeMarkdown
    html: SafeHtml
    length: int = 0
    node: Node | None = None
    media: Sequence[SafeHtml] = ()


class Transcript:
    """The static form of a panel, for which only new messages are rendered."""

    def __init__(self) -> None:
        self._parts: dict[str, _Part] = {}

    def mimebundle(self, path: Sequence[Node], mount: str = "") -> Mimebundle:
        """Return as many of the last messages as fit, as Markdown, text and HTML, all inert."""
        parts = [*self._last_parts(path)]
        self._parts = {part.node.id: part for part in parts if part.node}
        shown = parts[::-1] or [_part(_EMPTY)]
        inner = _html(parts) or element("p", _EMPTY)
        static = element("div", inner, class_="chatnb-panel-static")
        return {
            "text/plain": SafeText("\n\n".join(part.text for part in shown)),
            "text/markdown": join_blocks(*(part.markdown for part in shown)),
            "text/html": mount_point(static, "chatnb-chat-panel", mount),
        }

    def _last_parts(self, path: Sequence[Node]) -> Iterator[_Part]:
        """Yield as many of the last messages as fit, the last one first, and a note on others."""
        budget = _MAX_CHARACTERS
        for index in reversed(range(len(path))):
            part = self._part(path[index])
            if part.length > budget:
                yield _part(f"*({index + 1:,} earlier messages are in the conversation)*")
                return
            budget -= part.length
            yield part

    def _part(self, node: Node) -> _Part:
        known = self._parts.get(node.id)
        return known if known and known.node is node else _message_part(node)


def panel_mimebundle(path: Sequence[Node]) -> Mimebundle:
    """Return a conversation as Markdown, text and HTML without active content."""
    return Transcript().mimebundle(path)


def transcript_cells(path: Sequence[Node]) -> list[dict[str, Any]]:
    """Return a conversation as cells: Markdown, and the Python code of replies, not run."""
    numbered = ((node, number, cell) for node in path for number, cell in enumerate(_cells(node)))
    return [{"id": f"{node.id[:32]}-{number}", **cell} for node, number, cell in numbered]


def _message_part(node: Node) -> _Part:
    text, more = truncate(_text(node), _MAX_CHARACTERS)
    note = f"\n\n*({more:,} more characters are in the conversation)*" if more else ""
    whole = close_fence(text) + note
    reasoning = node.message.reasoning.strip() if isinstance(node.message, AIMessage) else ""
    if reasoning:
        said = truncate(_text(node, reasoning=False), _MAX_CHARACTERS)[0]
        author, _, answer = said.partition("\n\n")
        shown = (_html_of(safe_markdown(each)) for each in (author, close_fence(answer)))
        seconds = number_fact(node, "reasoning_seconds")
        fold = reasoning_fold(redact(reasoning, environment_secrets()), seconds)
        html = join(next(shown), element("div", fold, class_=NO_MATH, style=MUTED), *shown)
        part = _Part(whole, safe_markdown(whole), html)
    elif isinstance(node.message, HumanMessage) and isinstance(node.message.content, str):
        author, _, question = text.partition("\n\n")
        shown = element("div", f"{question}{note}", class_=NO_MATH, style=_QUESTION)
        part = _Part(whole, safe_markdown(whole), join(_html_of(safe_markdown(author)), shown))
    else:
        part = _part(whole)
    return part._replace(length=len(text), node=node, media=tuple(_media(node)))


def _part(text: str) -> _Part:
    safe = safe_markdown(text)
    return _Part(text, safe, _html_of(safe))


def _html_of(safe: SafeMarkdown) -> SafeHtml:
    return rendered(safe, static_renderer())


def _html(parts: Sequence[_Part]) -> SafeHtml:
    """Return parts, the last one first, as HTML with as many pictures and sounds as fit."""
    shown, budget = list[SafeHtml](), _MAX_MEDIA
    for part in parts:
        fitting = list[SafeHtml]()
        for media in part.media:
            budget -= len(media)
            if budget >= 0:
                fitting.append(media)
        shown.append(join(part.html, *fitting))
    return join(*reversed(shown))


def _media(node: Node) -> Iterator[SafeHtml]:
    """Yield a message's pictures and sounds, where the panel has their data."""
    for file in item_attachments(node.message, node.facts.get("files") or {}):
        mime, data = file["mime"], file.get("data", "")
        if is_shown(mime, data):
            yield media_html(mime, data, style=_PICTURE)


def _text(node: Node, *, reasoning: bool = True) -> str:
    """Return a message after the name of its author."""
    return node_markdown(node, reasoning=reasoning)


def _cells(node: Node) -> Iterator[dict[str, Any]]:
    text = close_fence(_text(node))
    if not isinstance(node.message, AIMessage):
        yield _markdown_cell(text)
        return
    lines, start = text.split("\n"), 0
    for token in block_tokens(text):
        if token.type == "fence" and token.map and token.info.split(" ")[0].lower() in _PYTHON:
            yield from _markdown_cells("\n".join(lines[start : token.map[0]]))
            yield _code_cell(token.content.rstrip("\n"))
            start = token.map[1]
    yield from _markdown_cells("\n".join(lines[start:]))


def _markdown_cells(text: str) -> Iterator[dict[str, Any]]:
    if text.strip():
        yield _markdown_cell(text.strip("\n"))


def _markdown_cell(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": safe_markdown(source)}


def _code_cell(source: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": source,
    }
