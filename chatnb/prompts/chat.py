"""Chat prompt templates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Never, overload

from chatnb.lazy_names import names_of_package
from chatnb.prompts.base import BasePromptTemplate
from chatnb.prompts.formatting import TemplateFormat
from chatnb.prompts.message_templates import (
    FixedMessage,
    MessagesPlaceholder,
    MessagesTemplate,
    check_items,
    to_template,
)
from chatnb.schema.messages import BaseMessage
from chatnb.schema.prompt_values import ChatPromptValue
from chatnb.upstream_attributes import refuse_arguments


class ChatPromptTemplate(BasePromptTemplate[ChatPromptValue]):
    """A prompt of messages with variables.

    It is invoked with a dict that has a value for each variable, or with the value of its only
    variable.

    Args:
        messages: Messages, which stay as they are; `("human", "Hi {name}")` and
            `(HumanMessage, "Hi {name}")` pairs and `{"role": "user", "content": "Hi {name}"}`
            dicts; strings, for the user; `MessagesPlaceholder("history")` or
            `("placeholder", "{history}")`, which is optional; message templates; few-shot
            prompts; other chat prompts.
        template_format: The format of texts with variables: `f-string`, `mustache` (`{{name}}`)
            or `jinja2`, in a sandbox, with the extra of this name.
        partial_variables: Values given in advance, or functions without arguments that return
            them.
        partials: Another name of `partial_variables`.
        input_variables: Accepted as LangChain's; the variables are those of the texts.
        validate_template: True to refuse other `input_variables` than those of the texts.

    Raises:
        TypeError: If an item is none of these, or there is no such argument.
        ValueError: If a role is unknown, or a text is not a template.

    Example:
        >>> prompt = ChatPromptTemplate([("system", "Be {style}."), ("human", "{question}")])
        >>> prompt.invoke({"style": "brief", "question": "Why?"}).to_messages()
        [SystemMessage(content='Be brief.'), HumanMessage(content='Why?')]
        >>> prompt.partial(style="brief").invoke("Why?").to_messages()[-1]
        HumanMessage(content='Why?')
    """

    def __init__(
        self,
        messages: Sequence[Any],
        *,
        template_format: TemplateFormat = "f-string",
        partial_variables: Mapping[str, Any] | None = None,
        partials: Mapping[str, Any] | None = None,
        input_variables: Sequence[str] | None = None,
        validate_template: bool = False,
        **others: Never,
    ) -> None:
        refuse_arguments(self, others)
        self.partials = dict[str, Any]()
        self.messages: tuple[MessagesTemplate, ...] = ()
        self._format: TemplateFormat = template_format
        self._add(check_items(messages), {**(partials or {}), **(partial_variables or {})})
        if validate_template:
            self._check_variables(input_variables)

    def _add(self, items: Iterable[Any], partials: Mapping[str, Any] | None = None) -> None:
        """Add items to the end; nothing is added if one of them is refused."""
        given, added = [*items], list[MessagesTemplate]()
        for item in given:
            nested = isinstance(item, ChatPromptTemplate)
            added += item.messages if nested else [to_template(item, self._format)]
        for item in given:
            self.partials |= item.partials if isinstance(item, ChatPromptTemplate) else {}
        self.partials |= partials or {}
        self.messages += tuple(added)
        names = dict.fromkeys(name for part in self.messages for name in part.variables)
        self._needed = [name for name in names if name not in self.partials]

    @classmethod
    def from_messages(cls, messages: Sequence[Any], **options: Any) -> ChatPromptTemplate:
        """Return a prompt of `messages`, with the `options` of `ChatPromptTemplate`."""
        return cls(messages, **options)

    @classmethod
    def from_template(cls, template: str, **options: Any) -> ChatPromptTemplate:
        """Return a prompt of one message from the user.

        Args:
            template: The message's text.
            **options: Those of `ChatPromptTemplate`.

        Example:
            >>> ChatPromptTemplate.from_template("Hi {name}").format_messages(name="Bob")
            [HumanMessage(content='Hi Bob')]
        """
        return cls([("human", template)], **options)

    def __repr__(self) -> str:
        return f"ChatPromptTemplate({list(self.messages)!r})"

    def __add__(self, other: Any) -> ChatPromptTemplate:
        """Return a prompt with an item, or a list of items, at its end."""
        more: list[Any] = other if isinstance(other, list) else [other]  # pyright: ignore[reportUnknownVariableType]
        return ChatPromptTemplate([self, *more], template_format=self._format)  # pyright: ignore[reportUnknownArgumentType]

    def append(self, message: Any) -> None:
        """Add an item to the end of this prompt.

        Args:
            message: What a prompt is made of.

        Raises:
            TypeError: If it is none of that.

        Example:
            >>> prompt = ChatPromptTemplate([("system", "Be brief.")])
            >>> prompt.append(("human", "{question}"))
            >>> len(prompt), prompt[-1], prompt.input_variables
            (2, ('human', '{question}'), ['question'])
        """
        self._add([message])

    def extend(self, messages: Sequence[Any]) -> None:
        """Add `messages` to the end of this prompt; see `append`."""
        self._add(check_items(messages))

    def __len__(self) -> int:
        return len(self.messages)

    def __bool__(self) -> bool:
        return True

    @overload
    def __getitem__(self, index: int) -> BaseMessage | MessagesTemplate: ...
    @overload
    def __getitem__(self, index: slice) -> ChatPromptTemplate: ...
    def __getitem__(self, index: int | slice) -> Any:
        """Return a message or template of this prompt, or a prompt of some of them."""
        if isinstance(index, int):
            part = self.messages[index]
            return part.message if isinstance(part, FixedMessage) else part
        return ChatPromptTemplate(
            self.messages[index], template_format=self._format, partials=self.partials
        )

    def __iter__(self) -> Iterator[BaseMessage | MessagesTemplate]:
        return (self[index] for index in range(len(self.messages)))

    def format_messages(self, **values: Any) -> list[BaseMessage]:
        """Return the messages, with values in place of the variables.

        Args:
            **values: A value for each variable.

        Raises:
            MissingVariableError: If a variable has no value.
        """
        return self.format_prompt(**values).to_messages()

    async def aformat_messages(self, **values: Any) -> list[BaseMessage]:
        """Return the messages, for asynchronous code; see `format_messages`."""
        return self.format_prompt(**values).to_messages()

    def _variables_for(self, input: Any) -> list[str]:
        if self._needed or isinstance(input, Mapping):
            return self._needed
        # A conversation goes into the only placeholder, also where that may stay empty.
        placeholders = [part for part in self.messages if isinstance(part, MessagesPlaceholder)]
        return [part.variable_name for part in placeholders]

    def pretty_repr(self, html: bool = False) -> str:
        return "\n\n".join(part.pretty_repr(html) for part in self.messages)

    def fill(self, values: Mapping[str, Any]) -> ChatPromptValue:
        parts = self.messages
        return ChatPromptValue([message for part in parts for message in part.messages(values)])


if not TYPE_CHECKING:  # LangChain's module of this path has the package's other names, too.
    __getattr__ = names_of_package("chatnb.prompts")
