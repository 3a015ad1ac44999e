"""LangChain, both ways: chatnb's chat models there, and LangChain's here.

Importing it loads nothing else; each name is loaded, and langchain-core with it, when it is first
used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatnb.errors import MissingRuntimeError
from chatnb.lazy_names import lazy_names

if TYPE_CHECKING:
    from chatnb.langchain.chatnb_chat import ChatnbChat, to_langchain
    from chatnb.langchain.langchain_chat import LangChainChat, from_langchain
    from chatnb.langchain.messages import (
        message_from_langchain,
        message_to_langchain,
        messages_from_langchain,
        messages_to_langchain,
    )

__all__ = [
    "ChatnbChat",
    "LangChainChat",
    "from_langchain",
    "message_from_langchain",
    "message_to_langchain",
    "messages_from_langchain",
    "messages_to_langchain",
    "to_langchain",
]

_NO_LANGCHAIN = (
    "chatnb.langchain needs the package langchain-core. "
    'Install it with: pip install "chatnb[langchain]"'
)

_load, __dir__ = lazy_names(
    __name__,
    {
        "chatnb.langchain.langchain_chat": "LangChainChat from_langchain",
        "chatnb.langchain.messages": (
            "message_from_langchain message_to_langchain "
            "messages_from_langchain messages_to_langchain"
        ),
        "chatnb.langchain.chatnb_chat": "ChatnbChat to_langchain",
    },
)


def __getattr__(name: str) -> Any:
    try:
        return _load(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "langchain_core":
            raise
        raise MissingRuntimeError(_NO_LANGCHAIN) from error
