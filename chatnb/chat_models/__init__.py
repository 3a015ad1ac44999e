"""Chat models of several providers behind one interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.lazy_names import lazy_names

if TYPE_CHECKING:
    from chatnb.chat_models.anthropic.model import ChatAnthropic
    from chatnb.chat_models.base import BaseChatModel
    from chatnb.chat_models.local import ChatLocal
    from chatnb.chat_models.openai.azure import AzureChatOpenAI
    from chatnb.chat_models.openai.model import ChatOpenAI
    from chatnb.chat_models.registry import init_chat_model
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
        "chatnb.chat_models.anthropic.model": "ChatAnthropic",
        "chatnb.chat_models.base": "BaseChatModel",
        "chatnb.chat_models.local": "ChatLocal",
        "chatnb.chat_models.openai.azure": "AzureChatOpenAI",
        "chatnb.chat_models.openai.model": "ChatOpenAI",
        "chatnb.chat_models.registry": "init_chat_model",
        "chatnb.chat_models.scripted": "ScriptedChatModel",
    },
)
