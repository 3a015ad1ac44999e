"""The parts of chat prompts: messages, message templates and placeholders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Protocol, TypeGuard

from chatnb.prompts.formatting import TemplateFormat, TextTemplate, parse_template
from chatnb.prompts.text import PromptTemplate
from chatnb.prompts.variables import values_for
from chatnb.schema.conversion import to_messages
from chatnb.schema.message_types import message_heading
from chatnb.schema.messages import AIMessage, BaseMessage, ChatMessage, HumanMessage, SystemMessage

_ACCEPTED = (
    'A chat prompt is made of messages, strings, ("human", "text with {variables}") and '
    '(SystemMessage, "text") pairs, {"role": "user", "content": "text"} dicts, message templates, '
    "placeholders and chat prompts"
)


class MessagesTemplate(Protocol):
    """A part of a chat prompt template."""

    @property
    def variables(self) -> tuple[str, ...]:
        """The required variables."""
        ...

    def messages(self, values: Mapping[str, Any]) -> list[BaseMessage]:
        """Return the messages with values in place of variables."""
        ...

    def pretty_repr(self, html: bool = False) -> str:
        """Return the part for reading, with its variables."""
        ...


def to_template(item: Any, template_format: TemplateFormat) -> MessagesTemplate:
    """Convert an item of a chat prompt to a part of it."""
    if isinstance(item, BaseMessage):
        return FixedMessage(item)
    if _is_template(item):
        return item
    match item:
        case str() | PromptTemplate():
            return MessagePromptTemplate("human", item, template_format=template_format)
        case ("placeholder", name):
            return _placeholder(name)
        case (type() as template, content) if issubclass(template, _OfRole):
            return template(content, template_format=template_format)
        case (str() | type() as role, content) | {"role": str(role), "content": content}:
            return MessagePromptTemplate(role, content, template_format=template_format)
        case _:
            raise TypeError(f"{_ACCEPTED}; this is none of them: {item!r}")


def check_items(items: Any) -> Sequence[Any]:
    """Return the items of a chat prompt; raise TypeError if they are not in a list."""
    if isinstance(items, str) or not isinstance(items, Sequence):
        raise TypeError(f"{_ACCEPTED}, in a list; not {items!r}")
    return items  # pyright: ignore[reportUnknownVariableType]


def _is_template(item: Any) -> TypeGuard[MessagesTemplate]:
    is_instance = not isinstance(item, type)
    return is_instance and hasattr(item, "variables") and callable(getattr(item, "messages", None))


def _placeholder(name: Any) -> MessagesPlaceholder:
    match name:
        case (str(variable), bool(optional)):
            return MessagesPlaceholder(variable.strip("{}"), optional=optional)
        case str():
            return MessagesPlaceholder(name.strip("{}"), optional=True)
        case _:
            raise TypeError(f'A placeholder is ("placeholder", "{{name}}"), not {name!r}')


class FixedMessage:
    """A message without variables; braces in it stay as they are."""

    variables: tuple[str, ...] = ()

    def __init__(self, message: BaseMessage) -> None:
        self.message = message

    def __repr__(self) -> str:
        return repr(self.message)

    def messages(self, values: Mapping[str, Any]) -> list[BaseMessage]:
        return [self.message]

    def pretty_repr(self, html: bool = False) -> str:
        return self.message.pretty_repr(html)


class MessagePromptTemplate:
    """A message of one role whose text has variables.

    Args:
        role: The role: "human", "ai", "system" or another role of messages, or the class of one.
        content: The text, a `PromptTemplate`, or a list of parts in whose strings there may be
            variables.
        template_format: The format of the text: `f-string`, `mustache` or `jinja2`.
        partial_variables: Values given in advance, or functions that return them.

    Raises:
        TypeError: If the content is neither.
        ValueError: If the role is unknown, or the text is not a template.

    Example:
        >>> MessagePromptTemplate("human", "Hi {name}").format(name="Bob")
        HumanMessage(content='Hi Bob')
    """

    def __init__(
        self,
        role: str | type[BaseMessage],
        content: Any,
        *,
        template_format: TemplateFormat = "f-string",
        partial_variables: Mapping[str, Any] | None = None,
    ) -> None:
        self.role = role if isinstance(role, str) else role.__name__
        text: Any = content.template if isinstance(content, PromptTemplate) else content
        if not isinstance(text, str | list):
            raise TypeError(
                f"A message template takes a string or a list of parts, not {content!r}"
            )
        self.content: str | list[Any] = text
        self.partials = dict(partial_variables or {})
        if isinstance(content, PromptTemplate):
            template_format = content.template_format
            self.partials = {**content.partials, **self.partials}
        self._message = self._empty_message(role)
        self._template_format: TemplateFormat = template_format
        self._template = _parsed(self.content, template_format)
        names = dict.fromkeys(_names(self._template))
        self.variables = tuple(name for name in names if name not in self.partials)

    def _empty_message(self, role: str | type[BaseMessage]) -> BaseMessage:
        if not isinstance(role, type):
            return to_messages([(role, "")])[0]
        if role not in (HumanMessage, AIMessage, SystemMessage):
            raise TypeError(f"{_ACCEPTED}; {role!r} is no class of messages that needs a text only")
        return role("")

    @classmethod
    def from_template(cls, template: str, **options: Any) -> Any:
        """Return the message template of a text, `template`, with the `options` of the class."""
        return cls(template, **options)

    def __repr__(self) -> str:
        return f"({self.role!r}, {self.content!r})"

    @property
    def prompt(self) -> PromptTemplate | list[Any]:
        """The text as a prompt; the parts of a content that has several."""
        if isinstance(self.content, list):
            return self.content
        return PromptTemplate(
            self.content, template_format=self._template_format, partials=self.partials
        )

    @property
    def input_variables(self) -> list[str]:
        """The required variables, in order."""
        return list(self.variables)

    def messages(self, values: Mapping[str, Any]) -> list[BaseMessage]:
        """Return the message, with values in place of its variables.

        Args:
            values: A value for each variable.

        Returns:
            A list with the message.

        Raises:
            MissingVariableError: If a variable has no value.
        """
        if self.partials:
            values = values_for(values, self.partials, ())
        # `dataclasses.replace` takes longer than all else that fills a template.
        message = object.__new__(type(self._message))
        vars(message).update(vars(self._message), content=_filled(self._template, values))
        return [message]

    def format(self, **values: Any) -> BaseMessage:
        """Return the message, with `values` in place of its variables; see `messages`."""
        return self.messages(values)[0]

    def format_messages(self, **values: Any) -> list[BaseMessage]:
        """Return a list with the message, with `values` in place of its variables."""
        return self.messages(values)

    def pretty_repr(self, html: bool = False) -> str:
        """Return the template for reading, as messages are; `html` makes its heading bold."""
        return replace(self._message, content=self.content).pretty_repr(html)


class _OfRole(MessagePromptTemplate):
    of_role: ClassVar[str]

    def __init__(self, prompt: Any, **options: Any) -> None:
        super().__init__(self.of_role, prompt, **options)


class HumanMessagePromptTemplate(_OfRole):
    """A template of a user's message.

    Args:
        prompt: The text, a `PromptTemplate`, or a list of parts.
        **options: Those of `MessagePromptTemplate`.

    Example:
        >>> HumanMessagePromptTemplate.from_template("Hi {name}").format(name="Bob")
        HumanMessage(content='Hi Bob')
    """

    of_role = "human"


class AIMessagePromptTemplate(_OfRole):
    """A template of a model's message.

    Args:
        prompt: The text, a `PromptTemplate`, or a list of parts.
        **options: Those of `MessagePromptTemplate`.

    Example:
        >>> AIMessagePromptTemplate("Hi {name}").messages({"name": "Bob"})
        [AIMessage(content='Hi Bob')]
    """

    of_role = "ai"


class SystemMessagePromptTemplate(_OfRole):
    """A template of a system message.

    Args:
        prompt: The text, a `PromptTemplate`, or a list of parts.
        **options: Those of `MessagePromptTemplate`.

    Example:
        >>> SystemMessagePromptTemplate("Speak {tongue}.").messages({"tongue": "French"})
        [SystemMessage(content='Speak French.')]
    """

    of_role = "system"


class ChatMessagePromptTemplate(MessagePromptTemplate):
    """A template of a message of any role.

    Args:
        prompt: The text, a `PromptTemplate`, or a list of parts.
        role: The role, such as `critic`.
        **options: Those of `MessagePromptTemplate`.

    Example:
        >>> ChatMessagePromptTemplate.from_template("Hm, {x}.", role="critic").format(x="no")
        ChatMessage(content='Hm, no.', role='critic')
    """

    def __init__(self, prompt: Any, *, role: str, **options: Any) -> None:
        super().__init__(role, prompt, **options)

    def _empty_message(self, role: Any) -> BaseMessage:
        return ChatMessage("", role=role)


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
        return given if self.n_messages is None else given[max(0, len(given) - self.n_messages) :]

    def format_messages(self, **values: Any) -> list[BaseMessage]:
        """Return the messages in `values` of the variable; see `messages`."""
        return self.messages(values)

    def pretty_repr(self, html: bool = False) -> str:
        """Return the placeholder for reading, as messages are; `html` makes its heading bold."""
        return f"{message_heading('Messages Placeholder', html)}\n\n{{{self.variable_name}}}"


def _parsed(content: Any, format: TemplateFormat) -> Any:
    if isinstance(content, str):
        return parse_template(content, format)
    if isinstance(content, list):
        return [_parsed(part, format) for part in content]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(content, dict):
        return {key: _parsed(value, format) for key, value in content.items()}  # pyright: ignore[reportUnknownVariableType]
    return content


def _is_text(template: Any) -> TypeGuard[TextTemplate]:
    return hasattr(template, "variables")


def _names(template: Any) -> list[str]:
    if _is_text(template):
        return [*template.variables]
    if isinstance(template, list | dict):
        parts: Any = template.values() if isinstance(template, dict) else template  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        return [name for part in parts for name in _names(part)]
    return []


def _filled(template: Any, values: Mapping[str, Any]) -> Any:
    if _is_text(template):
        return template.format(values)
    if isinstance(template, list):
        return [_filled(part, values) for part in template]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(template, dict):
        return {key: _filled(value, values) for key, value in template.items()}  # pyright: ignore[reportUnknownVariableType]
    return template
