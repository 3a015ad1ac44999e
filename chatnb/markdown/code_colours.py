"""Code in static HTML, in the colours of the notebook's editor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any, LiteralString

from chatnb.markdown.html import SafeHtml, element, join
from chatnb.markdown.safe_markdown import MAX_COLOURED

# As in js/src/markdown/markdown.css, by Pygments' types, the narrower ones first.
_STYLES: dict[str, LiteralString] = {
    "Token.Keyword": "color: var(--jp-mirror-editor-keyword-color); font-weight: bold",
    "Token.Operator.Word": "color: var(--jp-mirror-editor-keyword-color); font-weight: bold",
    "Token.Operator": "color: var(--jp-mirror-editor-operator-color); font-weight: bold",
    "Token.Comment": "color: var(--jp-mirror-editor-comment-color); font-style: italic",
    "Token.Literal.String.Regex": "color: var(--jp-mirror-editor-string-2-color)",
    "Token.Literal.String": "color: var(--jp-mirror-editor-string-color)",
    "Token.Literal.Number": "color: var(--jp-mirror-editor-number-color)",
    "Token.Name.Function": "color: var(--jp-mirror-editor-def-color)",
    "Token.Name.Class": "color: var(--jp-mirror-editor-def-color)",
    "Token.Name.Decorator": "color: var(--jp-mirror-editor-meta-color)",
    "Token.Name.Tag": "color: var(--jp-mirror-editor-tag-color)",
    "Token.Name.Attribute": "color: var(--jp-mirror-editor-attribute-color)",
    "Token.Generic.Inserted": "color: var(--jp-mirror-editor-number-color)",
    "Token.Generic.Deleted": "color: var(--jp-error-color1)",
}
# What follows a dot is a property for the editor, and only a name for Pygments.
_NAMES = ("Token.Name", "Token.Name.Other")
_PROPERTY: LiteralString = "color: var(--jp-mirror-editor-property-color)"
# The editor colours them in these languages alone, or otherwise than in others.
_STYLES_OF_LANGUAGES: dict[tuple[str, str], LiteralString] = {
    ("Bash", "Token.Name.Builtin"): "color: var(--jp-mirror-editor-builtin-color)",
    ("JSON", "Token.Name.Tag"): _PROPERTY,
}
_PLAIN_OPERATORS = (".", "->")


def coloured_code(code: str, info: str) -> SafeHtml:
    """Return code with its words coloured, if the info string of its fence names a language."""
    language = info.split(maxsplit=1)[0] if info.strip() else ""
    lexer = _lexer(language.lower()) if len(code) <= MAX_COLOURED else None
    # U+FDD0 marks what is put in later, which must stay in one piece.
    if lexer is None or "\ufdd0" in code:
        return SafeHtml(code)
    # An arrow is two operators for some lexers.
    tokens = (
        (str(type), "".join(text for _, text in group))
        for type, group in groupby(lexer.get_tokens(code), itemgetter(0))
    )
    words = list(_styled(lexer.name, tokens))
    # A lexer ends the last line, and may drop what it cannot read.
    if "".join(text for _, text in words) != f"{code}\n":
        return SafeHtml(code)
    words[-1] = (words[-1][0], words[-1][1].removesuffix("\n"))
    pieces = (
        (style, "".join(text for _, text in group))
        for style, group in groupby(words, itemgetter(0))
    )
    return join(*(element("span", text, style=style) if style else text for style, text in pieces))


def _styled(
    language: str, words: Iterable[tuple[str, str]]
) -> Iterator[tuple[LiteralString | None, str]]:
    """Yield the words with their styles instead of their types."""
    before = ""
    for type, text in words:
        if before == "." and type in _NAMES:
            yield _PROPERTY, text
        elif type == "Token.Name.Decorator" and text.startswith("@"):
            yield _style(type), "@"
            yield None, text[1:]
        elif type == "Token.Operator" and text in _PLAIN_OPERATORS:
            yield None, text
        else:
            yield _STYLES_OF_LANGUAGES.get((language, type)) or _style(type), text
        before = text


@cache
def _style(type: str) -> LiteralString | None:
    return next((style for name, style in _STYLES.items() if _is_of(type, name)), None)


def _is_of(type: str, name: str) -> bool:
    """Return whether a type of Pygments is that of a name, or one of its subtypes."""
    return type == name or type.startswith(f"{name}.")


@cache
def _lexer(language: str) -> Any:
    """Return Pygments' lexer of a language; None if there is none."""
    if not language:
        return None
    from pygments.lexers import get_lexer_by_name  # pyright: ignore[reportUnknownVariableType]
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return None
