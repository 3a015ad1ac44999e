"""Prompts that are ready to be sent, to models of text or of messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from chatnb.schema.base_message import BaseMessage
from chatnb.schema.roles import HumanMessage
from chatnb.schema.transcript import get_buffer_string


@runtime_checkable
class PromptValue(Protocol):
    """A prompt that any model can take.

    Whatever has the two methods is one; nothing has to be inherited.

    Example:
        >>> isinstance(StringPromptValue("Hi"), PromptValue)
        True
    """

    def to_string(self) -> str:
        """The prompt as text."""
        ...

    def to_messages(self) -> list[BaseMessage]:
        """The prompt as messages."""
        ...


@dataclass
class StringPromptValue:
    """A prompt made of text.

    Args:
        text: The prompt.

    Raises:
        TypeError: If the text is no string.

    Example:
        >>> StringPromptValue("Hi").to_messages()
        [HumanMessage(content='Hi')]
    """

    text: str

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"StringPromptValue takes a string, not {self.text!r}")

    def to_string(self) -> str:
        """The prompt as text."""
        return self.text

    def to_messages(self) -> list[BaseMessage]:
        """The prompt as one message of the user."""
        return [HumanMessage(self.text)]


@dataclass
class ChatPromptValue:
    """A prompt made of messages.

    Args:
        messages: The prompt.

    Raises:
        TypeError: If an item is no message.

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
        """The prompt as text, a line a message."""
        return get_buffer_string(self.messages)

    def to_messages(self) -> list[BaseMessage]:
        """The prompt as a new list of its messages."""
        return list(self.messages)
