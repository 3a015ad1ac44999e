"""Caches of replies, by LangChain's path of today; `chatnb.chat_models.cache` has them."""

from __future__ import annotations

from chatnb.chat_models.cache import InMemoryCache, ReplyCache, SQLiteCache

__all__ = ["InMemoryCache", "ReplyCache", "SQLiteCache"]
