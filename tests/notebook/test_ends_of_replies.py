"""Ends of replies that fail: no draft stays open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chatnb import Conversation
from chatnb.chat_models import ScriptedChatModel
from chatnb.notebook.reply_stream import ReplyStream
from chatnb.notebook.widgets.footer import reply_footer
from chatnb.schema import AIMessage, AIMessageChunk, HumanMessage
from chatnb.schema.usage import UsageMetadata
from chatnb.store import Store


class Unpriced(ScriptedChatModel):
    """A model whose price cannot be made out."""

    def cost_of_run(self, output: Any) -> float | None:
        raise ZeroDivisionError("no price")


def test_an_error_at_the_end_of_a_reply_ends_its_draft(tmp_path: Path) -> None:
    """A price that cannot be made out leaves a reply that failed, with its text and the reason."""
    conversation = Conversation("a", store=Store(tmp_path / "a.db"))
    conversation.add(HumanMessage("Hi"))
    draft = conversation.replying().begin()
    stream = ReplyStream(Unpriced(["Hello"]), draft)
    stream.add(AIMessageChunk("Hello"))
    with pytest.raises(ZeroDivisionError):
        stream.save(stream.finish())
    node = Conversation("a", store=Store(tmp_path / "a.db")).node(draft.node_id)
    assert (node.status, node.message.text) == ("failed", "Hello")
    assert node.facts["error"] == "ZeroDivisionError: no price"


def test_a_cached_reply_has_no_speed() -> None:
    """Its footer says that it is cached, and not how fast the cache was read."""
    usage: UsageMetadata = {"input_tokens": 5, "output_tokens": 40, "total_tokens": 45}
    reply = AIMessage("Hi", usage_metadata=usage)
    assert "80 tokens/s" in reply_footer(reply, "m", seconds=0.5)
    reply.response_metadata["from_cache"] = True
    footer = reply_footer(reply, "m", seconds=0.5)
    assert footer.endswith("cached")
    assert "tokens/s" not in footer
