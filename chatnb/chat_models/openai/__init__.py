"""OpenAI's chat models, and the servers that speak their protocols.

Importing it loads nothing else; each name is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.lazy_names import lazy_names

if TYPE_CHECKING:
    from chatnb.chat_models.openai.azure import AzureChatOpenAI
    from chatnb.chat_models.openai.model import ChatOpenAI

__all__ = ["AzureChatOpenAI", "ChatOpenAI"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "chatnb.chat_models.openai.azure": "AzureChatOpenAI",
        "chatnb.chat_models.openai.model": "ChatOpenAI",
    },
)
