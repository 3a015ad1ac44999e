"""What makes text and objects of a model's replies."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

_MODULES = {
    "BaseOutputParser": "chatnb.output_parsers.base",
    "JsonOutputParser": "chatnb.output_parsers.json",
    "OutputParserError": "chatnb.errors",
    "PydanticOutputParser": "chatnb.output_parsers.pydantic",
    "StrOutputParser": "chatnb.output_parsers.text",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return __all__
