"""A parser of XML replies to dicts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from chatnb.errors import OutputParserError
from chatnb.lazy_names import names_of_package
from chatnb.output_parsers.base import BaseOutputParser

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MAX_DEPTH = 200
_INSTRUCTIONS = """\
Answer with well-formed XML and nothing else. It has one outermost element, every opened tag is
closed, and there are no attributes, such as:

<answer>
   <item>text</item>
</answer>"""


class XMLOutputParser(BaseOutputParser[dict[str, Any]]):
    """A parser of XML, also with prose or a fence around it.

    An element with text is that text, another one the list of its elements; attributes are left
    out. A document type, and so entities, are refused: they may name files, or grow without end.

    Args:
        tags: The tags for the model to use, in the format instructions.

    Raises:
        OutputParserError: When it runs, if the reply is not XML; `text` has the reply.

    Example:
        >>> XMLOutputParser().invoke("<film><title>Big</title><year>1988</year></film>")
        {'film': [{'title': 'Big'}, {'year': '1988'}]}
    """

    def __init__(self, tags: Sequence[str] | None = None) -> None:
        self.tags = list(tags or ())

    def get_format_instructions(self) -> str:
        """Return instructions for a model to reply with XML."""
        tags = f"\n\nUse these tags only: {', '.join(self.tags)}" if self.tags else ""
        return _INSTRUCTIONS + tags

    def parse(self, text: str) -> dict[str, Any]:
        from xml.etree.ElementTree import ParseError, fromstring

        found = re.search(r"<(?:\w|\?xml)", text)
        end = text.rfind(">") + 1
        if found is None or end <= found.start():
            raise OutputParserError("The reply is not XML: it has no element.", text=text)
        written = re.sub(r"\A<\?xml[^>]*\?>", "", text[found.start() : end])
        if re.search(r"<!(DOCTYPE|ENTITY)", written, re.IGNORECASE):
            raise OutputParserError("The reply declares a document type or entities.", text=text)
        try:
            return _as_dict(fromstring(written.strip()), _MAX_DEPTH)
        except (ParseError, ValueError) as error:
            raise OutputParserError(f"The reply is not XML: {error}", text=text) from error


def _as_dict(element: Element, depth: int) -> dict[str, Any]:
    if len(element) and depth == 1:
        raise ValueError(f"its elements are nested more than {_MAX_DEPTH} deep")
    if element.text and element.text.strip():
        return {element.tag: element.text}
    return {
        element.tag: [
            _as_dict(child, depth - 1) if len(child) else {child.tag: child.text}
            for child in element
        ]
    }


if not TYPE_CHECKING:  # LangChain's module of this path has the package's other names, too.
    __getattr__ = names_of_package("chatnb.output_parsers")
