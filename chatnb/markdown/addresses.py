"""Find bare addresses of the web and of mail in a text, as the live view does."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it.token import Token

# As in js/src/markdown/parser.ts; U+FDD0 marks what is put in later.
_WEB = r"(?:[hH][tT]{2}[pP][sS]?://|www\.)[a-zA-Z\d-]"
_MAIL = r"(?<![a-zA-Z\d.+-])[a-zA-Z\d.+-][\w.+-]{0,63}@[\w-]+(?:\.[\w-]*[a-zA-Z\d])+(?!-|_\w)"
_PLACE = "@\ufdd0"
_ADDRESS = re.compile(rf"{_WEB}(?:(?!{_PLACE})[^\s<]|<(?=[a-zA-Z/!?]))*|{_MAIL}", re.ASCII)
_NOT_AT_END = "?!.,:;*_~'\""


def with_links(tokens: list[Token]) -> Iterator[Token]:
    """Yield the inline tokens of a block with bare addresses as links."""
    depth = 0
    for token in tokens:
        depth += token.nesting if token.type.startswith("link_") else 0
        if token.type == "text" and depth == 0:
            yield from _linked(token.content)
        else:
            yield token


def _linked(text: str) -> Iterator[Token]:
    start = 0
    for found in _ADDRESS.finditer(text):
        url = _without_end(found[0])
        if found.start() > start:
            yield _text(text[start : found.start()])
        yield Token("link_open", "a", 1, attrs={"href": _href(url)})
        yield _text(url)
        yield Token("link_close", "a", -1)
        start = found.start() + len(url)
    if text[start:]:
        yield _text(text[start:])


def _href(url: str) -> str:
    if url.startswith("www."):
        return f"http://{url}"
    return url if url[:4].lower() == "http" else f"mailto:{url}"


def _without_end(url: str) -> str:
    """Leave out what follows an address but does not belong to it."""
    unopened, end = url.count(")") - url.count("("), len(url)
    while (last := url[end - 1]) in _NOT_AT_END or (last == ")" and unopened > 0):
        unopened -= last == ")"
        end -= 1
    return url[:end]


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)
