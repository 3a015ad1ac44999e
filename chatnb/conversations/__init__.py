"""Conversations that survive everything: turns on disk, with their branches."""

from __future__ import annotations

from chatnb.conversations.conversation import Conversation
from chatnb.conversations.draft import Draft

__all__ = ["Conversation", "Draft"]
