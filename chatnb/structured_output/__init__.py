"""Structured output: request a value of a type, parse the reply, retry if it is not valid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.lazy_names import lazy_names

if TYPE_CHECKING:
    from chatnb.errors import StructuredOutputError
    from chatnb.structured_output.runnable import StructuredOutput, StructuredReply

__all__ = ["StructuredOutput", "StructuredOutputError", "StructuredReply"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "chatnb.errors": "StructuredOutputError",
        "chatnb.structured_output.runnable": "StructuredOutput StructuredReply",
    },
)
