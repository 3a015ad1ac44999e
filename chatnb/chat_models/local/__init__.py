"""The embedded model: llama.cpp's server beside this process, on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.lazy_names import lazy_names

if TYPE_CHECKING:
    from chatnb.chat_models.local.model import ChatLocal, local_model

__all__ = ["ChatLocal", "local_model"]

# To look for its weights loads no model.
__getattr__, __dir__ = lazy_names(
    __name__, {"chatnb.chat_models.local.model": "ChatLocal local_model"}
)
