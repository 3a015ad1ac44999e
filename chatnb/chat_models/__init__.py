"""Chat models: what answers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatnb.chat_models.base import BaseChatModel
    from chatnb.chat_models.catalog import init_chat_model
    from chatnb.chat_models.local import ChatLocal
    from chatnb.chat_models.openai import ChatOpenAI
    from chatnb.chat_models.scripted import ScriptedChatModel

__all__ = ["BaseChatModel", "ChatLocal", "ChatOpenAI", "ScriptedChatModel", "init_chat_model"]

_MODULES = {
    "BaseChatModel": "base",
    "ChatLocal": "local",
    "ChatOpenAI": "openai",
    "ScriptedChatModel": "scripted",
    "init_chat_model": "catalog",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
