"""Prompt values: prompts for models of text or of messages, and messages as one text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from chatnb.schema.message_types import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    base_type,
)


@runtime_checkable
class PromptValue(Protocol):
    """A protocol of prompts that any model accepts; nothing has to be inherited.

    Example:
        >>> isinstance(StringPromptValue("Hi"), PromptValue)
        True
    """

    def to_string(self) -> str:
        """Return the prompt as text."""
        ...

    def to_messages(self) -> list[BaseMessage]:
        """Return the prompt as messages."""
        ...


@dataclass
class StringPromptValue:
    """A prompt of text.

    Args:
        text: The prompt.

    Raises:
        TypeError: If the text is not a string.

    Example:
        >>> StringPromptValue("Hi").to_messages()
        [HumanMessage(content='Hi')]
    """

    text: str

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"StringPromptValue takes a string, not {self.text!r}")

    def to_string(self) -> str:
        """Return the prompt as text."""
        return self.text

    def to_messages(self) -> list[BaseMessage]:
        """Return the prompt as one message from the user."""
        return [HumanMessage(self.text)]


@dataclass
class ChatPromptValue:
    """A prompt of messages.

    Args:
        messages: The prompt.

    Raises:
        TypeError: If an item is not a message.

    Example:
        >>> ChatPromptValue([HumanMessage("Hi")]).to_string()
        'Human: Hi'
    """

    messages: Sequence[BaseMessage]

    def __post_init__(self) -> None:
        for message in self.messages:
            if not isinstance(message, BaseMessage):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"ChatPromptValue takes messages, not {message!r}")

    def to_string(self) -> str:
        """Return the prompt as text, a line for each message."""
        return get_buffer_string(self.messages)

    def to_messages(self) -> list[BaseMessage]:
        """Return the prompt as a new list of its messages."""
        return list(self.messages)


def get_buffer_string(
    messages: Sequence[BaseMessage],
    human_prefix: str = "Human",
    ai_prefix: str = "AI",
    *,
    system_prefix: str = "System",
    function_prefix: str = "Function",
    tool_prefix: str = "Tool",
    message_separator: str = "\n",
    format: Literal["prefix", "xml"] = "prefix",
) -> str:
    """Format a conversation as text.

    Args:
        messages: The conversation.
        human_prefix: The prefix of the user's messages.
        ai_prefix: The prefix of the model's messages.
        system_prefix: The prefix of system messages.
        function_prefix: The prefix of results of functions.
        tool_prefix: The prefix of results of tools.
        message_separator: The text between messages.
        format: `prefix` for a line after the speaker's name; `xml` for elements, in which no text
            looks like another speaker's.

    Returns:
        The text, without images and other parts that are none.

    Raises:
        ValueError: If there is no such format.

    Example:
        >>> print(get_buffer_string([HumanMessage("Hi"), AIMessage("Hello.")]))
        Human: Hi
        AI: Hello.
        >>> get_buffer_string([HumanMessage("1 < 2")], format="xml")
        '<message type="human">1 &lt; 2</message>'
    """
    prefixes = {
        "human": human_prefix,
        "ai": ai_prefix,
        "system": system_prefix,
        "function": function_prefix,
        "tool": tool_prefix,
    }
    if format not in ("prefix", "xml"):
        raise ValueError(f"The format of a buffer string is 'prefix' or 'xml', not {format!r}")
    return message_separator.join(
        _xml(message, _speaker(message, prefixes))
        if format == "xml"
        else f"{_speaker(message, prefixes)}: {message.text}{_calls_json(message)}"
        for message in messages
    )


def _speaker(message: BaseMessage, prefixes: dict[str, str]) -> str:
    role = base_type(message)
    return message.role if isinstance(message, ChatMessage) else prefixes.get(role, role)


def _calls_json(message: BaseMessage) -> str:
    if not isinstance(message, AIMessage) or not message.tool_calls:
        return ""
    return json.dumps(message.tool_calls, ensure_ascii=False, default=str)


def _xml(message: BaseMessage, speaker: str) -> str:
    from xml.sax.saxutils import escape, quoteattr

    speaker = speaker if isinstance(message, ChatMessage) else speaker.lower()
    opening, text = f"<message type={quoteattr(speaker)}>", escape(message.text)
    if not isinstance(message, AIMessage) or not message.tool_calls:
        return f"{opening}{text}</message>"
    content = [f"  <content>{text}</content>"] if text else []
    return "\n".join([opening, *content, *_xml_calls(message), "</message>"])


def _xml_calls(message: AIMessage) -> Iterator[str]:
    from xml.sax.saxutils import escape, quoteattr

    for call in message.tool_calls:
        args = escape(json.dumps(call["args"], ensure_ascii=False, default=str))
        named = f"id={quoteattr(call.get('id') or '')} name={quoteattr(call['name'])}"
        yield f"  <tool_call {named}>{args}</tool_call>"
