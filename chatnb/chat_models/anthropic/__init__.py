"""Anthropic's chat models, and the servers that speak its Messages API.

Importing it loads nothing else; each name is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.lazy_names import lazy_names

if TYPE_CHECKING:
    from chatnb.chat_models.anthropic.model import ChatAnthropic

__all__ = ["ChatAnthropic"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {"chatnb.chat_models.anthropic.model": "ChatAnthropic"},
)
