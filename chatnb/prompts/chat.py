"""Prompts for chat models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chatnb.prompts.formatting import values_for
from chatnb.prompts.message_templates import (
    FixedMessage,
    MessagePromptTemplate,
    MessagesPlaceholder,
    MessagesTemplate,
)
from chatnb.runnables.base import Runnable
from chatnb.runnables.config import RunnableConfig
from chatnb.schema.messages import BaseMessage
from chatnb.schema.prompts import ChatPromptValue

_ACCEPTED = (
    'A chat prompt is made of messages, strings, ("human", "text with {variables}") pairs, '
    '{"role": "user", "content": "text"} dicts, message templates, placeholders and chat prompts'
)


class ChatPromptTemplate(Runnable[dict[str, Any], ChatPromptValue]):
    """Messages with variables.

    Args:
        messages: Messages, which stay as they are; `("human", "Hi {name}")` pairs and
            `{"role": "user", "content": "Hi {name}"}` dicts; strings, for the user;
            `MessagesPlaceholder("history")` or `("placeholder", "{history}")`, which may be left
            out; message templates; other chat prompts.
        partials: Values given in advance, or functions without arguments that make them.

    Raises:
        TypeError: If an item is none of these.
        ValueError: If a role is unknown, or a text no template.

    Example:
        >>> prompt = ChatPromptTemplate([("system", "Be {style}."), ("human", "{question}")])
        >>> prompt.invoke({"style": "brief", "question": "Why?"}).to_messages()
        [SystemMessage(content='Be brief.'), HumanMessage(content='Why?')]
    """

    in_place = True
    run_type = "prompt"

    def __init__(
        self, messages: Sequence[Any], *, partials: Mapping[str, Any] | None = None
    ) -> None:
        if isinstance(messages, str) or not isinstance(messages, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"{_ACCEPTED}, in a list; not {messages!r}")
        self.messages: tuple[MessagesTemplate, ...] = tuple(_flat(messages))
        self.partials = {**_partials_of(messages), **(partials or {})}
        names = dict.fromkeys(name for part in self.messages for name in part.variables)
        self._needed = [name for name in names if name not in self.partials]

    @classmethod
    def from_messages(cls, messages: Sequence[Any]) -> ChatPromptTemplate:
        """A prompt of several messages; see `ChatPromptTemplate`."""
        return cls(messages)

    @classmethod
    def from_template(cls, template: str) -> ChatPromptTemplate:
        """A prompt of one message of the user.

        Example:
            >>> ChatPromptTemplate.from_template("Hi {name}").format_messages(name="Bob")
            [HumanMessage(content='Hi Bob')]
        """
        return cls([("human", template)])

    def __repr__(self) -> str:
        return f"ChatPromptTemplate({list(self.messages)!r})"

    @property
    def input_variables(self) -> list[str]:
        """The variables that must be given, in their order."""
        return list(self._needed)

    def __add__(self, other: Any) -> ChatPromptTemplate:
        """A prompt with more messages at its end.

        Args:
            other: Whatever may be an item of a chat prompt, or a list of such.

        Raises:
            TypeError: If it is none of these.
        """
        more: list[Any] = other if isinstance(other, list) else [other]  # pyright: ignore[reportUnknownVariableType]
        return ChatPromptTemplate([self, *more])  # pyright: ignore[reportUnknownArgumentType]

    def partial(self, **values: Any) -> ChatPromptTemplate:
        """A prompt with some values given in advance.

        Args:
            **values: The values, or functions without arguments that make them at each use.
        """
        return ChatPromptTemplate([self], partials=values)

    def format_messages(self, **values: Any) -> list[BaseMessage]:
        """The messages, with values in place of the variables.

        Args:
            **values: A value for each variable.

        Raises:
            MissingVariableError: If a variable has no value.
        """
        return self._messages(values)

    def format_prompt(self, **values: Any) -> ChatPromptValue:
        """Like `format_messages`, as a prompt value."""
        return ChatPromptValue(self._messages(values))

    def format(self, **values: Any) -> str:
        """Like `format_messages`, as text."""
        return self.format_prompt(**values).to_string()

    def invoke(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> ChatPromptValue:
        return ChatPromptValue(self._messages(input))

    def _messages(self, input: dict[str, Any]) -> list[BaseMessage]:
        values = values_for(input, self.partials, self._needed)
        return [message for part in self.messages for message in part.messages(values)]


def _flat(items: Sequence[Any]) -> Iterable[MessagesTemplate]:
    for item in items:
        if isinstance(item, ChatPromptTemplate):
            yield from item.messages
        else:
            yield _template(item)


def _partials_of(items: Sequence[Any]) -> dict[str, Any]:
    nested = [item.partials for item in items if isinstance(item, ChatPromptTemplate)]
    return {name: value for partials in nested for name, value in partials.items()}


def _template(item: Any) -> MessagesTemplate:
    match item:
        case BaseMessage():
            return FixedMessage(item)
        case MessagePromptTemplate() | MessagesPlaceholder() | FixedMessage():
            return item
        case str():
            return MessagePromptTemplate("human", item)
        case ("placeholder", str(name)):
            return MessagesPlaceholder(name.strip("{}"), optional=True)
        case (str(role), content) | {"role": str(role), "content": content}:
            return MessagePromptTemplate(role, content)
        case _:
            raise TypeError(f"{_ACCEPTED}; this is none of them: {item!r}")
