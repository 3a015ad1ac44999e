"""Caches of replies, by LangChain's path of today; `chatnb.chat_models.cache` has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.chat_models.cache import InMemoryCache, ReplyCache, SQLiteCache
from chatnb.lazy_names import lazy_names

__all__ = ["InMemoryCache", "ReplyCache", "SQLiteCache"]

if not TYPE_CHECKING:  # LangChain's other names: chatnb/upstream_names.toml.
    __getattr__, _ = lazy_names(__name__, {})
