"""Chat models: what answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.lazy_names import lazy_names

if TYPE_CHECKING:
    from chatnb.chat_models.anthropic import ChatAnthropic
    from chatnb.chat_models.azure import AzureChatOpenAI
    from chatnb.chat_models.base import BaseChatModel
    from chatnb.chat_models.catalog import init_chat_model
    from chatnb.chat_models.local import ChatLocal
    from chatnb.chat_models.openai import ChatOpenAI
    from chatnb.chat_models.scripted import ScriptedChatModel

__all__ = [
    "AzureChatOpenAI",
    "BaseChatModel",
    "ChatAnthropic",
    "ChatLocal",
    "ChatOpenAI",
    "ScriptedChatModel",
    "init_chat_model",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "chatnb.chat_models.anthropic": "ChatAnthropic",
        "chatnb.chat_models.azure": "AzureChatOpenAI",
        "chatnb.chat_models.base": "BaseChatModel",
        "chatnb.chat_models.catalog": "init_chat_model",
        "chatnb.chat_models.local": "ChatLocal",
        "chatnb.chat_models.openai": "ChatOpenAI",
        "chatnb.chat_models.scripted": "ScriptedChatModel",
    },
)
