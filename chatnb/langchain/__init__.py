"""Use chatnb's chat models in LangChain, and LangChain's in chatnb.

Importing it loads nothing else; langchain-core is loaded at the first use of a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatnb.errors import MissingRuntimeError
from chatnb.lazy_names import lazy_names

if TYPE_CHECKING:
    from chatnb.langchain.messages import (
        message_from_langchain,
        message_to_langchain,
        messages_from_langchain,
        messages_to_langchain,
    )
    from chatnb.langchain.model_from_langchain import LangChainChat, from_langchain
    from chatnb.langchain.model_to_langchain import ChatnbChat, to_langchain

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
        "chatnb.langchain.messages": (
            "message_from_langchain message_to_langchain messages_from_langchain "
            "messages_to_langchain"
        ),
        "chatnb.langchain.model_from_langchain": "LangChainChat from_langchain",
        "chatnb.langchain.model_to_langchain": "ChatnbChat to_langchain",
    },
)


def __getattr__(name: str) -> Any:
    try:
        return _load(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "langchain_core":
            raise
        raise MissingRuntimeError(_NO_LANGCHAIN) from error
