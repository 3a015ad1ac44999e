"""Conversations in one SQLite file, each a tree of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.lazy_names import lazy_names

if TYPE_CHECKING:
    from chatnb.store.nodes import Changes, Node, Status, Summary
    from chatnb.store.search import Found
    from chatnb.store.store import STORE_VARIABLE, Store, shared_store, store_path

__all__ = [
    "STORE_VARIABLE",
    "Changes",
    "Found",
    "Node",
    "Status",
    "Store",
    "Summary",
    "shared_store",
    "store_path",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "chatnb.store.rows": "Changes Node Status Summary",
        "chatnb.store.search": "Found",
        "chatnb.store.store": "STORE_VARIABLE Store shared_store store_path",
    },
)
