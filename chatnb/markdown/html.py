"""HTML whose text is escaped, and the rendering of safe Markdown into it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, LiteralString

from chatnb.markdown.delimiters import Formula
from chatnb.markdown.regions import parts_of
from chatnb.markdown.safe_markdown import SafeMarkdown
from chatnb.markdown.tex_commands import refused_commands

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_JOINER = "\u2060"
# As in js/src/markdown/parser.ts: to Markdown it is punctuation, as the places of JupyterLab are.
_PLACE = re.compile("@\ufdd0([0-9]+)\ufdd0@")
_BARE_ELEMENT = re.compile(r"<(sub|sup|kbd|code|span)>[^<>\n]*</\1>|<br ?/?>")
_BARE_TAG = re.compile(r"</?[a-z]+ ?/?>")


class SafeHtml(str):
    """HTML that displays and does nothing else; made of any text, it is the text, escaped.

    Args:
        text: Any text.

    Example:
        >>> SafeHtml("1 < 2"), element("b", "x & y")
        ('1 &lt; 2', '<b>x &amp; y</b>')
    """

    __slots__ = ()

    def __new__(cls, text: str = "") -> SafeHtml:
        return text if isinstance(text, SafeHtml) else _trusted(html.escape(text))

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # A copy would be escaped again.
        return str, (str(self),)


def element(tag: LiteralString, *children: str, **attributes: str | int | bool | None) -> SafeHtml:
    """Write an HTML element; text in it is escaped."""
    written = "".join(_attribute(name, value) for name, value in attributes.items())
    return _trusted(f"<{tag}{written}>{join(*children)}</{tag}>")


def join(*children: str) -> SafeHtml:
    """Join texts and HTML; texts are escaped."""
    return _trusted("".join(map(SafeHtml, children)))


def literal(html: LiteralString) -> SafeHtml:
    """Take HTML that is written in the code."""
    return _trusted(html)


def with_line_breaks(text: str) -> SafeHtml:
    """Write text in which line ends show."""
    return _trusted(SafeHtml(text).replace("\n", "<br>"))


def rendered(text: SafeMarkdown, renderer: MarkdownIt) -> SafeHtml:
    """Render Markdown by a parser that leaves tags as text."""
    if renderer.options.html:
        raise ValueError("A renderer of safe HTML passes no tags")
    hidden: list[str] = []
    source = "".join(_hide(text.replace("\ufdd0", "\ufffd"), hidden))
    shown = _PLACE.sub(lambda place: hidden[int(place[1])], str(renderer.render(source)))
    # Parsing turns entities back into the characters that kept a formula from being one.
    parts, index = list[str](), 0
    for start in (command.start for command in refused_commands(shown) if command.is_active):
        parts += [shown[index:start], _JOINER]
        index = start
    return _trusted("".join([*parts, shown[index:]]))


def _hide(text: str, hidden: list[str]) -> Iterator[str]:
    """Put places where formulas and harmless tags are: a parser would change the ones or escape
    the others."""
    for part in parts_of(text):
        source = text[part.start : part.end]
        if isinstance(part, Formula):
            hidden.append(html.escape(source, quote=False))
            yield f"@\ufdd0{len(hidden) - 1}\ufdd0@"
        elif part.type == "text":
            yield _BARE_ELEMENT.sub(lambda found: _hidden_tags(found[0], hidden), source)
        else:
            yield source


def _hidden_tags(element: str, hidden: list[str]) -> str:
    def hide(tag: re.Match[str]) -> str:
        hidden.append(tag[0])
        return f"@\ufdd0{len(hidden) - 1}\ufdd0@"

    return _BARE_TAG.sub(hide, element)


def _trusted(text: str) -> SafeHtml:
    return str.__new__(SafeHtml, text)


def _attribute(name: str, value: str | int | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'
