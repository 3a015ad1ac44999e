"""Prompt templates for text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Never

from chatnb.prompts.base import BasePromptTemplate
from chatnb.prompts.formatting import TemplateFormat, parse_template
from chatnb.schema.prompt_values import StringPromptValue
from chatnb.upstream_attributes import refuse_arguments


class PromptTemplate(BasePromptTemplate[StringPromptValue]):
    """A prompt of text with variables.

    It is invoked with a dict that has a value for each variable, or with the value of its only
    variable.

    Args:
        template: The text.
        template_format: Its format: `f-string`, `mustache` (`{{name}}`) or `jinja2`, in a
            sandbox, with the extra of this name.
        partial_variables: Values given in advance, or functions without arguments that return
            them.
        partials: Another name of `partial_variables`.
        input_variables: Accepted as LangChain's; the variables are those of the text.
        validate_template: True to refuse other `input_variables` than those of the text.

    Raises:
        TypeError: If the template is not a string, or there is no such argument.
        ValueError: If it is not a template, or a field is more than a name.

    Example:
        >>> PromptTemplate("Tell me of {topic}.").invoke("cats").to_string()
        'Tell me of cats.'
    """

    def __init__(
        self,
        template: str,
        *,
        template_format: TemplateFormat = "f-string",
        input_variables: Sequence[str] | None = None,
        validate_template: bool = False,
        partial_variables: Mapping[str, Any] | None = None,
        partials: Mapping[str, Any] | None = None,
        **others: Never,
    ) -> None:
        refuse_arguments(self, others)
        self.template = template
        self.template_format: TemplateFormat = template_format
        self.partials = {**(partials or {}), **(partial_variables or {})}
        self._template = parse_template(template, template_format)
        self._needed = [name for name in self._template.variables if name not in self.partials]
        if validate_template:
            self._check_variables(input_variables)

    @classmethod
    def from_template(cls, template: str, **options: Any) -> PromptTemplate:
        """Return the prompt of a text, `template`, with the `options` of `PromptTemplate`."""
        return cls(template, **options)

    @classmethod
    def from_examples(
        cls,
        examples: Sequence[str],
        suffix: str,
        input_variables: Sequence[str] | None = None,
        example_separator: str = "\n\n",
        prefix: str = "",
        **options: Any,
    ) -> PromptTemplate:
        """Return the prompt of a prefix, `examples` and a suffix, with a separator between them.

        Args:
            examples: Texts, which may have variables, too.
            suffix: The text after the examples.
            input_variables: Accepted as LangChain's.
            example_separator: The text between the parts.
            prefix: The text before the examples.
            **options: Those of `PromptTemplate`.

        Example:
            >>> PromptTemplate.from_examples(["up: down"], "{word}:", None, "; ", "Opposites")
            PromptTemplate('Opposites; up: down; {word}:')
        """
        return cls(example_separator.join([prefix, *examples, suffix]), **options)

    @classmethod
    def from_file(
        cls, template_file: str | PathLike[str], encoding: str | None = None, **options: Any
    ) -> PromptTemplate:
        """Return the prompt of a file's text.

        Args:
            template_file: The path of the file.
            encoding: Its encoding; by default UTF-8.
            **options: Those of `PromptTemplate`.

        Returns:
            The prompt.

        Raises:
            OSError: If the file cannot be read.
            ValueError: If its text is not a template.

        Example:
            >>> from pathlib import Path
            >>> from tempfile import mkdtemp
            >>> file = Path(mkdtemp(), "topic.txt")
            >>> _ = file.write_text("Tell me of {topic}.")
            >>> PromptTemplate.from_file(file).format(topic="cats")
            'Tell me of cats.'
        """
        return cls(Path(template_file).read_text(encoding or "utf-8"), **options)

    def __repr__(self) -> str:
        return f"PromptTemplate({self.template!r})"

    def __add__(self, other: str | PromptTemplate) -> PromptTemplate:
        """Return the prompt with a text or another prompt of the same format at its end."""
        if isinstance(other, str):
            other = PromptTemplate(other, template_format=self.template_format)
        if not isinstance(other, PromptTemplate):  # pyright: ignore[reportUnnecessaryIsInstance]
            return NotImplemented
        if other.template_format != self.template_format:
            raise ValueError(
                f"A prompt in {self.template_format} and one in {other.template_format} cannot be "
                "one text"
            )
        return PromptTemplate(
            self.template + other.template,
            template_format=self.template_format,
            partials={**self.partials, **other.partials},
        )

    def pretty_repr(self, html: bool = False) -> str:
        return self.template

    def fill(self, values: Mapping[str, Any]) -> StringPromptValue:
        return StringPromptValue(self._template.format(values))
