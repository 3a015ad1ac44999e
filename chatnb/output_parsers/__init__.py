"""Parsers of a model's replies: text, JSON and Pydantic objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.lazy_names import lazy_names

if TYPE_CHECKING:
    from chatnb.errors import OutputParserError
    from chatnb.output_parsers.base import BaseOutputParser, StrOutputParser
    from chatnb.output_parsers.json import JsonOutputParser
    from chatnb.output_parsers.pydantic import PydanticOutputParser

__all__ = [
    "BaseOutputParser",
    "JsonOutputParser",
    "OutputParserError",
    "PydanticOutputParser",
    "StrOutputParser",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "chatnb.errors": "OutputParserError",
        "chatnb.output_parsers.base": "BaseOutputParser StrOutputParser",
        "chatnb.output_parsers.json": "JsonOutputParser",
        "chatnb.output_parsers.pydantic": "PydanticOutputParser",
    },
)
