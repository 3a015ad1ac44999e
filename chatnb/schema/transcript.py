"""Messages as text for people and for models that take only text."""

from __future__ import annotations

import json
from collections.abc import Sequence

from chatnb.schema.base_message import BaseMessage
from chatnb.schema.roles import AIMessage, ChatMessage

_SPEAKERS = {"system": "System", "function": "Function", "tool": "Tool"}


def get_buffer_string(
    messages: Sequence[BaseMessage], human_prefix: str = "Human", ai_prefix: str = "AI"
) -> str:
    """Write a conversation as lines of text.

    Args:
        messages: The conversation.
        human_prefix: What the user is called.
        ai_prefix: What the model is called.

    Returns:
        A paragraph a message, each after the name of its speaker.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> print(get_buffer_string([HumanMessage("Hi"), AIMessage("Hello.")]))
        Human: Hi
        AI: Hello.
    """
    speakers = {**_SPEAKERS, "human": human_prefix, "ai": ai_prefix}
    lines = list[str]()
    for message in messages:
        kind = message.type.removesuffix("MessageChunk").lower()
        speaker = message.role if isinstance(message, ChatMessage) else speakers.get(kind, kind)
        lines.append(f"{speaker}: {message.text}{_calls(message)}")
    return "\n".join(lines)


def _calls(message: BaseMessage) -> str:
    if not isinstance(message, AIMessage) or not message.tool_calls:
        return ""
    return json.dumps(message.tool_calls, ensure_ascii=False, default=str)


def message_markdown(message: BaseMessage) -> str:
    """Write what a message says as Markdown.

    The text is the model's own and may hold HTML, images and links: whoever displays it makes
    those inert first, with `chatnb.markdown`.

    Args:
        message: Any message.

    Returns:
        Its text, with other parts named and tool calls as code.

    Example:
        >>> message_markdown(AIMessage("*Hi*"))
        '*Hi*'
    """
    content = message.content
    parts = [content] if isinstance(content, str) else content
    paragraphs = list[str]()
    for part in parts:
        if isinstance(part, str):
            paragraphs.append(part)
        else:
            paragraphs.append(str(part.get("text") or f"*[{part.get('type', 'part')}]*"))
    if isinstance(message, AIMessage):
        paragraphs += [_fenced(call["name"], call["args"]) for call in message.tool_calls]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _fenced(name: str, args: dict[str, object]) -> str:
    call = f"{name}({json.dumps(args, ensure_ascii=False, default=str)})"
    return f"```\n{call.replace('```', '` ` `')}\n```"
