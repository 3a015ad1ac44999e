"""The parts of a chat prompt: each turns values into messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from chatnb.prompts.formatting import Template
from chatnb.schema.coercion import to_messages
from chatnb.schema.messages import BaseMessage


class MessagesTemplate(Protocol):
    """A part of a chat prompt."""

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables that it needs."""
        ...

    def messages(self, values: Mapping[str, Any]) -> list[BaseMessage]:
        """The messages that it makes of values."""
        ...


class FixedMessage:
    """A message that stays as it is, braces and all.

    Args:
        message: The message.
    """

    variables: tuple[str, ...] = ()

    def __init__(self, message: BaseMessage) -> None:
        self.message = message

    def __repr__(self) -> str:
        return repr(self.message)

    def messages(self, values: Mapping[str, Any]) -> list[BaseMessage]:
        return [self.message]


class MessagePromptTemplate:
    """A message of one role whose text has variables.

    Args:
        role: Who speaks: "human", "ai", "system" or another role that a message may have.
        content: The text, or a list of parts in whose strings there may be variables.

    Raises:
        TypeError: If the content is neither.
        ValueError: If the role is unknown, or the text no template.

    Example:
        >>> MessagePromptTemplate("human", "Hi {name}").messages({"name": "Bob"})
        [HumanMessage(content='Hi Bob')]
    """

    def __init__(self, role: str, content: Any) -> None:
        self.role = role
        self.content = content
        self._class = type(to_messages([(role, "")])[0])
        if not isinstance(content, str | list):
            raise TypeError(
                f"A message template takes a string or a list of parts, not {content!r}"
            )
        self._template = _compiled(content)
        self.variables = tuple(dict.fromkeys(_names(self._template)))

    def __repr__(self) -> str:
        return f"({self.role!r}, {self.content!r})"

    def messages(self, values: Mapping[str, Any]) -> list[BaseMessage]:
        """The message, with values in place of its variables.

        Args:
            values: A value for each variable.

        Returns:
            A list with the one message.

        Raises:
            MissingVariableError: If a variable has no value.
        """
        return [self._class(_filled(self._template, values))]


class _OfRole(MessagePromptTemplate):
    of_role: ClassVar[str]

    def __init__(self, content: Any) -> None:
        super().__init__(self.of_role, content)

    @classmethod
    def from_template(cls, template: str) -> MessagePromptTemplate:
        """The message template of a text."""
        return cls(template)


class HumanMessagePromptTemplate(_OfRole):
    """What the user says, with variables."""

    of_role = "human"


class AIMessagePromptTemplate(_OfRole):
    """What the model says, with variables."""

    of_role = "ai"


class SystemMessagePromptTemplate(_OfRole):
    """What the model is told, with variables."""

    of_role = "system"


class MessagesPlaceholder:
    """The place of messages that are a value themselves, such as the history of a chat.

    Args:
        variable_name: The variable; its value is what a chat model takes: a list of messages,
            pairs and dicts, a message, or a string.
        optional: Whether it may be left out.
        n_messages: How many of them to take, from the end; all if None.

    Raises:
        ValueError: If `n_messages` is negative.

    Example:
        >>> MessagesPlaceholder("history", n_messages=1).messages({"history": ["a", "b"]})
        [HumanMessage(content='b')]
    """

    def __init__(
        self, variable_name: str, *, optional: bool = False, n_messages: int | None = None
    ) -> None:
        if n_messages is not None and n_messages < 0:
            raise ValueError(f"n_messages must be 0 or more, not {n_messages}")
        self.variable_name = variable_name
        self.optional = optional
        self.n_messages = n_messages
        self.variables = () if optional else (variable_name,)

    def __repr__(self) -> str:
        return f"MessagesPlaceholder({self.variable_name!r})"

    def messages(self, values: Mapping[str, Any]) -> list[BaseMessage]:
        """The messages that stand in its place.

        Args:
            values: The variable's value, unless it is optional.

        Raises:
            TypeError: If the value is no list of messages.
        """
        given = to_messages(values.get(self.variable_name) or [])
        return given if self.n_messages is None else given[len(given) - self.n_messages :]


def _compiled(content: Any) -> Any:
    if isinstance(content, str):
        return Template(content)
    if isinstance(content, list):
        return [_compiled(part) for part in content]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(content, dict):
        return {key: _compiled(value) for key, value in content.items()}  # pyright: ignore[reportUnknownVariableType]
    return content


def _names(template: Any) -> list[str]:
    if isinstance(template, Template):
        return [*template.variables]
    if isinstance(template, list | dict):
        parts: Any = template.values() if isinstance(template, dict) else template  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        return [name for part in parts for name in _names(part)]
    return []


def _filled(template: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(template, Template):
        return template.format(values)
    if isinstance(template, list):
        return [_filled(part, values) for part in template]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(template, dict):
        return {key: _filled(value, values) for key, value in template.items()}  # pyright: ignore[reportUnknownVariableType]
    return template
