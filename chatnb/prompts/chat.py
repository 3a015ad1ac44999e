"""Chat prompt templates and their message templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from chatnb.prompts.formatting import Template, values_for
from chatnb.runnables.base import Runnable
from chatnb.runnables.config import RunnableConfig
from chatnb.schema.conversion import to_messages
from chatnb.schema.messages import BaseMessage
from chatnb.schema.prompt_values import ChatPromptValue

_ACCEPTED = (
    'A chat prompt is made of messages, strings, ("human", "text with {variables}") pairs, '
    '{"role": "user", "content": "text"} dicts, message templates, placeholders and chat prompts'
)


class ChatPromptTemplate(Runnable[dict[str, Any], ChatPromptValue]):
    """A prompt of messages with variables.

    Args:
        messages: Messages, which stay as they are; `("human", "Hi {name}")` pairs and
            `{"role": "user", "content": "Hi {name}"}` dicts; strings, for the user;
            `MessagesPlaceholder("history")` or `("placeholder", "{history}")`, which is
            optional; message templates; other chat prompts.
        partials: Values given in advance, or functions without arguments that return them.

    Raises:
        TypeError: If an item is none of these.
        ValueError: If a role is unknown, or a text is not a template.

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
        """Return a prompt of several messages; see `ChatPromptTemplate`."""
        return cls(messages)

    @classmethod
    def from_template(cls, template: str) -> ChatPromptTemplate:
        """Return a prompt of one message from the user.

        Example:
            >>> ChatPromptTemplate.from_template("Hi {name}").format_messages(name="Bob")
            [HumanMessage(content='Hi Bob')]
        """
        return cls([("human", template)])

    def __repr__(self) -> str:
        return f"ChatPromptTemplate({list(self.messages)!r})"

    @property
    def input_variables(self) -> list[str]:
        """The required variables, in order."""
        return list(self._needed)

    def __add__(self, other: Any) -> ChatPromptTemplate:
        """Return a prompt with an item, or a list of items, at its end."""
        more: list[Any] = other if isinstance(other, list) else [other]  # pyright: ignore[reportUnknownVariableType]
        return ChatPromptTemplate([self, *more])  # pyright: ignore[reportUnknownArgumentType]

    def partial(self, **values: Any) -> ChatPromptTemplate:
        """Return a prompt with some values given in advance.

        Args:
            **values: The values, or functions without arguments that return them at each use.
        """
        return ChatPromptTemplate([self], partials=values)

    def format_messages(self, **values: Any) -> list[BaseMessage]:
        """Return the messages, with values in place of the variables.

        Args:
            **values: A value for each variable.

        Raises:
            MissingVariableError: If a variable has no value.
        """
        return self._messages(values)

    def format_prompt(self, **values: Any) -> ChatPromptValue:
        """Return the messages as a prompt value; see `format_messages`."""
        return ChatPromptValue(self._messages(values))

    def format(self, **values: Any) -> str:
        """Return the messages as text; see `format_messages`."""
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


class MessagesTemplate(Protocol):
    """A part of a chat prompt template."""

    @property
    def variables(self) -> tuple[str, ...]:
        """The required variables."""
        ...

    def messages(self, values: Mapping[str, Any]) -> list[BaseMessage]:
        """Return the messages with values in place of variables."""
        ...


class FixedMessage:
    """A message without variables; braces in it stay as they are."""

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
        role: The role: "human", "ai", "system" or another role of messages.
        content: The text, or a list of parts in whose strings there may be variables.

    Raises:
        TypeError: If the content is neither.
        ValueError: If the role is unknown, or the text is not a template.

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
        """Return the message, with values in place of its variables.

        Args:
            values: A value for each variable.

        Returns:
            A list with the message.

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
        """Return the message template of a text."""
        return cls(template)


class HumanMessagePromptTemplate(_OfRole):
    """A template of a user's message."""

    of_role = "human"


class AIMessagePromptTemplate(_OfRole):
    """A template of a model's message.

    Example:
        >>> AIMessagePromptTemplate("Hi {name}").messages({"name": "Bob"})
        [AIMessage(content='Hi Bob')]
    """

    of_role = "ai"


class SystemMessagePromptTemplate(_OfRole):
    """A template of a system message.

    Example:
        >>> SystemMessagePromptTemplate("Speak {tongue}.").messages({"tongue": "French"})
        [SystemMessage(content='Speak French.')]
    """

    of_role = "system"


class MessagesPlaceholder:
    """A placeholder for messages that are a value themselves, such as the history of a chat.

    Args:
        variable_name: The variable; its value is a chat model's input: a list of messages, pairs
            and dicts, a message, or a string.
        optional: Whether the value may be missing.
        n_messages: The maximum number of messages, from the end; all if None.

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
        """Return the messages of the variable.

        Args:
            values: The variable's value, unless it is optional.

        Raises:
            TypeError: If the value is not a list of messages.
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
