"""chatnb puts chat models into notebooks.

Importing it loads nothing else; each name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from chatnb.chat_models import (
        BaseChatModel,
        ChatLocal,
        ChatOpenAI,
        ScriptedChatModel,
        init_chat_model,
    )
    from chatnb.chat_models.cache import (
        InMemoryCache,
        SQLiteCache,
        get_llm_cache,
        set_llm_cache,
    )
    from chatnb.chat_models.rate_limiter import RateLimiter
    from chatnb.errors import ChatnbError
    from chatnb.schema import AIMessage, AIMessageChunk, HumanMessage, SystemMessage

__version__ = "0.1.0"

__all__ = [
    "AIMessage",
    "AIMessageChunk",
    "BaseChatModel",
    "ChatLocal",
    "ChatOpenAI",
    "ChatnbError",
    "HumanMessage",
    "InMemoryCache",
    "RateLimiter",
    "SQLiteCache",
    "ScriptedChatModel",
    "SystemMessage",
    "get_llm_cache",
    "init_chat_model",
    "load_ipython_extension",
    "set_llm_cache",
]

_MODULES = {
    "AIMessage": "schema",
    "AIMessageChunk": "schema",
    "BaseChatModel": "chat_models",
    "ChatLocal": "chat_models",
    "ChatOpenAI": "chat_models",
    "ChatnbError": "errors",
    "HumanMessage": "schema",
    "InMemoryCache": "chat_models.cache",
    "RateLimiter": "chat_models.rate_limiter",
    "SQLiteCache": "chat_models.cache",
    "ScriptedChatModel": "chat_models",
    "SystemMessage": "schema",
    "get_llm_cache": "chat_models.cache",
    "init_chat_model": "chat_models",
    "set_llm_cache": "chat_models.cache",
}


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Make `%%chat` known to a notebook: what `%load_ext chatnb` calls."""
    from chatnb.notebook import register

    register(shell)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
