"""What makes text and objects of a model's replies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.lazy_names import lazy_names

if TYPE_CHECKING:
    from chatnb.errors import OutputParserError
    from chatnb.output_parsers.base import BaseOutputParser
    from chatnb.output_parsers.json import JsonOutputParser
    from chatnb.output_parsers.pydantic import PydanticOutputParser
    from chatnb.output_parsers.text import StrOutputParser

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
        "chatnb.output_parsers.base": "BaseOutputParser",
        "chatnb.output_parsers.json": "JsonOutputParser",
        "chatnb.output_parsers.pydantic": "PydanticOutputParser",
        "chatnb.output_parsers.text": "StrOutputParser",
    },
)
