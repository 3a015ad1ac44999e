"""Conversations written as Markdown: each message after the name of its author, redacted."""

from __future__ import annotations

from collections.abc import Sequence

from chatnb.redaction import environment_secrets, redact
from chatnb.schema.message_types import message_markdown
from chatnb.schema.messages import BaseMessage, ChatMessage
from chatnb.store import Node

_SPEAKERS = {"human": "You", "ai": "Model", "tool": "Tool", "system": "System"}
_ENDS = {"streaming": "still replying", "stopped": "stopped", "failed": "broke off"}


def conversation_markdown(name: str, path: Sequence[Node], system: str | None = None) -> str:
    """Write a conversation as Markdown, in which messages are as they are."""
    from chatnb.markdown.safe_markdown import plain_markdown

    start = [name and f"# {plain_markdown(name)}", *(["**System**", system] if system else [])]
    turns = [part for node in path for part in (_speaker(node), message_markdown(node.message))]
    text = "\n\n".join(part for part in (*start, *turns) if part) + "\n"
    return redact(text, environment_secrets(), by_name=False)


def node_markdown(node: Node, *, reasoning: bool = True) -> str:
    """Write one message as Markdown after the name of its author, redacted."""
    text = f"{_speaker(node)}\n\n{message_markdown(node.message, reasoning=reasoning)}".strip()
    return redact(text, environment_secrets(), by_name=False)


def _speaker(node: Node) -> str:
    speaker = " ".join(speaker_of(node.message, node.facts.get("model")).split())
    end = _ENDS.get(node.status)
    return f"**{speaker}** *({end})*" if end else f"**{speaker}**"


def speaker_of(message: BaseMessage, model: str | None = None) -> str:
    """Return the name of a message's speaker, for people."""
    if isinstance(message, ChatMessage):
        return message.role
    if message.type == "ai" and model:
        return model
    return _SPEAKERS.get(message.type, message.type.capitalize())
