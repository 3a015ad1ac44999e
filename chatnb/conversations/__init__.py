"""Conversations on disk, with branches, drafts of streaming replies and exports."""

from __future__ import annotations

from chatnb.conversations.conversation import Conversation
from chatnb.conversations.draft import Draft
from chatnb.conversations.ipynb import to_ipynb
from chatnb.conversations.jsonl import from_jsonl, to_jsonl

__all__ = ["Conversation", "Draft", "from_jsonl", "to_ipynb", "to_jsonl"]
