"""The parser of Markdown as JupyterLab displays it: its blocks, and static HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from chatnb.markdown.addresses import with_links
from chatnb.markdown.code_colours import coloured_code
from chatnb.markdown.html import element

# Room around code as in Markdown, where the live column has it.
_CODE = "margin: 1.5em 2em; overflow-x: auto; white-space: pre; overflow-wrap: normal"
# JupyterLab aligns all cells of HTML outputs at the right, and those of Markdown as written. Words
# of a cell stay whole, and a table that is too wide scrolls.
_STYLES = {
    "table_open": (
        "display: block; width: max-content; max-width: 100%; margin: 0 0 1em; overflow-x: auto; "
        "overflow-wrap: break-word"
    ),
    "th_open": "text-align: center",
    "td_open": "text-align: left",
}
_TASK = re.compile(r"\[([ xX])\](?=\s+\S)")


@cache
def static_renderer() -> MarkdownIt:
    """Return the parser: tags stay text, and images are not loaded."""
    renderer = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    renderer.disable("image")
    renderer.core.ruler.push("chatnb_jupyterlab", _follow_jupyterlab)
    renderer.core.ruler.push("chatnb_tasks", _add_tasks)
    for rule in ("fence", "code_block"):
        renderer.add_render_rule(rule, _code_html)
    return renderer


def block_tokens(text: str) -> list[Token]:
    """Return the tokens of a text's outermost blocks."""
    return [token for token in static_renderer().parse(text) if token.level == 0]


def close_fence(text: str) -> str:
    """Close a code fence that a stopped reply left open."""
    last = next((token for token in reversed(block_tokens(text)) if token.type == "fence"), None)
    if last is None or last.map is None:
        return text
    lines = text.split("\n")[last.map[0] : last.map[1]]
    closing = lines[-1].strip() if len(lines) > 1 else ""
    is_closed = closing.startswith(last.markup) and not closing.strip(last.markup[0])
    return text if is_closed else f"{text}\n{last.markup}"


def closed_blocks(*blocks: str) -> str:
    """Join blocks of Markdown, of which none reaches into the next by an open fence."""
    return "\n\n".join(map(close_fence, blocks))


def _follow_jupyterlab(state: StateCore) -> None:
    for token in state.tokens:
        if token.type in _STYLES:
            token.attrs.setdefault("style", _STYLES[token.type])
        for child in token.children or []:
            if child.tag == "s":
                child.tag = "del"
        if token.children:
            token.children = list(with_links(token.children))


def _add_tasks(state: StateCore) -> None:
    tokens = state.tokens
    for item, paragraph, inline in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if item.type != "list_item_open" or paragraph.type != "paragraph_open":
            continue
        first = inline.children[0] if inline.children else None
        found = _TASK.match(inline.content)
        if found is None or first is None or first.type != "text":
            continue
        first.content = first.content.removeprefix(found[0])
        attributes: dict[str, str | int | float] = {"type": "checkbox", "disabled": ""}
        if found[1] != " ":
            attributes["checked"] = ""
        inline.children = [
            Token("checkbox", "input", 0, attrs=attributes),
            *(inline.children or []),
        ]


def _code_html(_: object, tokens: Sequence[Token], index: int, options: object, env: object) -> str:
    # JupyterLab breaks the lines of code in the middle of words.
    token = tokens[index]
    coloured = coloured_code(token.content.rstrip("\n"), token.info)
    code = element("code", coloured, style="white-space: inherit")
    return element("pre", code, style=_CODE) + "\n"
