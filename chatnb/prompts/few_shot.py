"""Prompts with examples: of text, and as messages within a chat prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Never, Protocol

from chatnb.prompts.base import BasePromptTemplate
from chatnb.prompts.chat import ChatPromptTemplate
from chatnb.prompts.formatting import TemplateFormat, parse_template
from chatnb.prompts.text import PromptTemplate
from chatnb.schema.messages import BaseMessage
from chatnb.schema.prompt_values import ChatPromptValue, StringPromptValue
from chatnb.upstream_attributes import refuse_arguments


class ExampleSelector(Protocol):
    """An object that selects the examples for an input, such as those of LangChain."""

    def select_examples(self, input_variables: dict[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Return the examples for the values of a prompt."""
        ...


class _Examples:
    """The examples of a prompt: a list of them, or a selector."""

    def __init__(
        self, examples: Sequence[Mapping[str, Any]] | None, selector: ExampleSelector | None
    ) -> None:
        if (examples is None) == (selector is None):
            raise ValueError("A few-shot prompt takes either examples= or example_selector=")
        for example in examples or ():
            if not isinstance(example, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"An example is a dict of the example's variables, not {example!r}")
        self._examples = examples
        self._selector = selector

    def select(self, values: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        if self._selector is None:
            return self._examples or ()
        return self._selector.select_examples(dict(values))


class FewShotPromptTemplate(BasePromptTemplate[StringPromptValue]):
    """A prompt of text with examples between a beginning and an end.

    Args:
        examples: A dict of values for each example.
        example_prompt: The prompt of one example.
        suffix: The text after the examples, with variables.
        prefix: The text before them, with variables.
        example_selector: An object whose `select_examples` chooses the examples for an input.
        example_separator: The text between examples, and around them.
        template_format: The format of suffix and prefix.
        partial_variables: Values given in advance, or functions that return them.
        input_variables: Further variables, for a selector.
        validate_template: True to refuse other `input_variables` than those of suffix and prefix.

    Raises:
        TypeError: If an example is not a dict, or there is no such argument.
        ValueError: If there are both examples and a selector, or neither.

    Example:
        >>> prompt = FewShotPromptTemplate(
        ...     examples=[{"word": "up", "opposite": "down"}],
        ...     example_prompt=PromptTemplate("{word}: {opposite}"),
        ...     suffix="{input}:",
        ... )
        >>> prompt.format(input="hot")
        'up: down\\n\\nhot:'
    """

    def __init__(
        self,
        *,
        example_prompt: PromptTemplate,
        suffix: str,
        examples: Sequence[Mapping[str, Any]] | None = None,
        example_selector: ExampleSelector | None = None,
        prefix: str = "",
        example_separator: str = "\n\n",
        template_format: TemplateFormat = "f-string",
        partial_variables: Mapping[str, Any] | None = None,
        input_variables: Sequence[str] = (),
        validate_template: bool = False,
        **others: Never,
    ) -> None:
        refuse_arguments(self, others)
        self._examples = _Examples(examples, example_selector)
        self.example_prompt = example_prompt
        self._prefix = parse_template(prefix, template_format)
        self._suffix = parse_template(suffix, template_format)
        self._separator = example_separator
        self.partials = dict(partial_variables or {})
        names = (*self._prefix.variables, *self._suffix.variables)
        names += tuple(input_variables) if example_selector is not None else ()
        self._needed = [name for name in dict.fromkeys(names) if name not in self.partials]
        if validate_template:
            self._check_variables(input_variables)

    def __repr__(self) -> str:
        return f"FewShotPromptTemplate({self._suffix.text!r})"

    def pretty_repr(self, html: bool = False) -> str:
        shown = (self._prefix.text, self.example_prompt.template, self._suffix.text)
        return self._separator.join(text for text in shown if text)

    def fill(self, values: Mapping[str, Any]) -> StringPromptValue:
        # Texts of examples are no templates, so braces in their values stay.
        texts = [self.example_prompt.format(**each) for each in self._examples.select(values)]
        parts = [self._prefix.format(values), *texts, self._suffix.format(values)]
        return StringPromptValue(self._separator.join(part for part in parts if part))


class FewShotChatMessagePromptTemplate(BasePromptTemplate[ChatPromptValue]):
    """Examples as messages, for a chat prompt or alone.

    Args:
        example_prompt: The prompt of one example: a chat prompt, or one message template.
        examples: A dict of values for each example.
        example_selector: An object whose `select_examples` chooses the examples for an input.
        input_variables: The variables that a selector gets.

    Raises:
        TypeError: If an example is not a dict.
        ValueError: If there are both examples and a selector, or neither.

    Example:
        >>> examples = FewShotChatMessagePromptTemplate(
        ...     examples=[{"word": "up", "opposite": "down"}],
        ...     example_prompt=ChatPromptTemplate([("human", "{word}"), ("ai", "{opposite}")]),
        ... )
        >>> ChatPromptTemplate([examples, ("human", "{input}")]).invoke("hot").to_messages()
        [HumanMessage(content='up'), AIMessage(content='down'), HumanMessage(content='hot')]
    """

    def __init__(
        self,
        *,
        example_prompt: Any,
        examples: Sequence[Mapping[str, Any]] | None = None,
        example_selector: ExampleSelector | None = None,
        input_variables: Sequence[str] = (),
        **others: Never,
    ) -> None:
        refuse_arguments(self, others)
        self._examples = _Examples(examples, example_selector)
        self.example_prompt = ChatPromptTemplate([example_prompt])
        self.partials = {}
        self.variables = tuple(input_variables)
        self._needed = list(input_variables)

    def __repr__(self) -> str:
        return f"FewShotChatMessagePromptTemplate({self.example_prompt!r})"

    def messages(self, values: Mapping[str, Any]) -> list[BaseMessage]:
        """Return the messages of all examples, for a chat prompt.

        Args:
            values: The values that a selector gets.
        """
        examples = [
            self.example_prompt.format_messages(**each) for each in self._examples.select(values)
        ]
        return [message for messages in examples for message in messages]

    def format_messages(self, **values: Any) -> list[BaseMessage]:
        """Return the messages of all examples, for `values` of variables; see `messages`."""
        return self.messages(values)

    def pretty_repr(self, html: bool = False) -> str:
        return self.example_prompt.pretty_repr(html)

    def fill(self, values: Mapping[str, Any]) -> ChatPromptValue:
        return ChatPromptValue(self.messages(values))
