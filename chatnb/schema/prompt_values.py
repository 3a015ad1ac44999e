"""Prompt values: prompts for models of text or of messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from chatnb.schema.message_types import BaseMessage, HumanMessage, get_buffer_string


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
