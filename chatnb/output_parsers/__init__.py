"""Parsers of a model's replies: text, JSON, objects, lists, XML and tool calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.lazy_names import lazy_names

if TYPE_CHECKING:
    from chatnb.errors import OutputParserError
    from chatnb.output_parsers.base import BaseOutputParser, StrOutputParser
    from chatnb.output_parsers.json import JsonOutputParser
    from chatnb.output_parsers.lists import (
        CommaSeparatedListOutputParser,
        ListOutputParser,
        MarkdownListOutputParser,
        NumberedListOutputParser,
    )
    from chatnb.output_parsers.pydantic import PydanticOutputParser
    from chatnb.output_parsers.tools import (
        JsonOutputKeyToolsParser,
        JsonOutputToolsParser,
        PydanticToolsParser,
    )
    from chatnb.output_parsers.xml import XMLOutputParser

__all__ = [
    "BaseOutputParser",
    "CommaSeparatedListOutputParser",
    "JsonOutputKeyToolsParser",
    "JsonOutputParser",
    "JsonOutputToolsParser",
    "ListOutputParser",
    "MarkdownListOutputParser",
    "NumberedListOutputParser",
    "OutputParserError",
    "PydanticOutputParser",
    "PydanticToolsParser",
    "StrOutputParser",
    "XMLOutputParser",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "chatnb.errors": "OutputParserError",
        "chatnb.output_parsers.base": "BaseOutputParser StrOutputParser",
        "chatnb.output_parsers.json": "JsonOutputParser",
        "chatnb.output_parsers.lists": (
            "CommaSeparatedListOutputParser ListOutputParser MarkdownListOutputParser "
            "NumberedListOutputParser"
        ),
        "chatnb.output_parsers.pydantic": "PydanticOutputParser",
        "chatnb.output_parsers.tools": (
            "JsonOutputKeyToolsParser JsonOutputToolsParser PydanticToolsParser"
        ),
        "chatnb.output_parsers.xml": "XMLOutputParser",
    },
)
