"""Conversations on disk: a tree of messages each, in one SQLite file."""

from __future__ import annotations

from chatnb.store.location import STORE_VARIABLE, shared_store, store_path
from chatnb.store.nodes import Node, Status
from chatnb.store.search import Found
from chatnb.store.store import Store
from chatnb.store.summaries import Changes, Summary

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
