"""Answers of a type that was asked for: how to ask, how to read, when to ask again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.lazy_names import lazy_names

if TYPE_CHECKING:
    from chatnb.errors import StructuredOutputError
    from chatnb.structured_output.asking import StructuredOutput
    from chatnb.structured_output.inquiry import StructuredReply

__all__ = ["StructuredOutput", "StructuredOutputError", "StructuredReply"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "chatnb.errors": "StructuredOutputError",
        "chatnb.structured_output.asking": "StructuredOutput",
        "chatnb.structured_output.inquiry": "StructuredReply",
    },
)
