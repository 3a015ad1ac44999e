"""The embedded model: llama.cpp's server beside this process, on loopback."""

from chatnb.chat_models.local.model import ChatLocal, local_model

__all__ = ["ChatLocal", "local_model"]
