"""A conversation as text for people."""

from __future__ import annotations

from collections.abc import Sequence

from chatnb.schema.messages import BaseMessage, ChatMessage
from chatnb.schema.transcript import message_markdown
from chatnb.store.nodes import Node

_SPEAKERS = {"human": "You", "ai": "Model", "tool": "Tool", "system": "System"}
_ENDS = {"streaming": "still replying", "stopped": "stopped", "failed": "broke off"}


def conversation_markdown(name: str, path: Sequence[Node], system: str | None = None) -> str:
    """Write a conversation as Markdown.

    Args:
        name: Its title; "" for none.
        path: Its messages in order.
        system: What the model was told first.

    Returns:
        A heading, and a part for each message after the name of its speaker.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> path = [Node(1, "a", None, HumanMessage("Hi"), "done", 0.0, {})]
        >>> print(conversation_markdown("ideas", path))
        # ideas
        <BLANKLINE>
        **You**
        <BLANKLINE>
        Hi
        <BLANKLINE>
    """
    told = ["**System**", system] if system else []
    said = [part for node in path for part in (_speaker(node), message_markdown(node.message))]
    return "\n\n".join(part for part in (name and f"# {name}", *told, *said) if part) + "\n"


def _speaker(node: Node) -> str:
    who = speaker_of(node.message, node.facts.get("model"))
    end = _ENDS.get(node.status)
    return f"**{who}** *({end})*" if end else f"**{who}**"


def speaker_of(message: BaseMessage, model: str | None = None) -> str:
    """Who says a message, as people are told.

    Example:
        >>> from chatnb.schema import AIMessage
        >>> speaker_of(AIMessage("Hi"), "smollm2"), speaker_of(AIMessage("Hi"))
        ('smollm2', 'Model')
    """
    if isinstance(message, ChatMessage):
        return message.role
    if message.type == "ai" and model:
        return model
    return _SPEAKERS.get(message.type, message.type.capitalize())
