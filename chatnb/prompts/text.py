"""Prompts that are plain text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatnb.prompts.formatting import Template, values_for
from chatnb.runnables.base import Runnable
from chatnb.runnables.config import RunnableConfig
from chatnb.schema.prompts import StringPromptValue


class PromptTemplate(Runnable[dict[str, Any], StringPromptValue]):
    """A text with variables.

    Args:
        template: The text, in f-string style.
        partials: Values given in advance, or functions without arguments that make them.

    Raises:
        TypeError: If the template is no string.
        ValueError: If it is no template, or a field is more than a name.

    Example:
        >>> PromptTemplate("Tell me of {topic}.").invoke({"topic": "cats"}).to_string()
        'Tell me of cats.'
    """

    in_place = True
    run_type = "prompt"

    def __init__(self, template: str, *, partials: Mapping[str, Any] | None = None) -> None:
        self.template = template
        self.partials = dict(partials or {})
        self._template = Template(template)
        self._needed = [name for name in self._template.variables if name not in self.partials]

    @classmethod
    def from_template(cls, template: str) -> PromptTemplate:
        """The prompt of a text."""
        return cls(template)

    def __repr__(self) -> str:
        return f"PromptTemplate({self.template!r})"

    @property
    def input_variables(self) -> list[str]:
        """The variables that must be given, in their order."""
        return list(self._needed)

    def __add__(self, other: str | PromptTemplate) -> PromptTemplate:
        """The prompt with more text at its end, which may have variables too.

        Raises:
            TypeError: If the other is neither a string nor such a prompt.
        """
        if isinstance(other, str):
            return PromptTemplate(self.template + other, partials=self.partials)
        if not isinstance(other, PromptTemplate):  # pyright: ignore[reportUnnecessaryIsInstance]
            return NotImplemented
        partials = {**self.partials, **other.partials}
        return PromptTemplate(self.template + other.template, partials=partials)

    def partial(self, **values: Any) -> PromptTemplate:
        """A prompt with some values given in advance.

        Args:
            **values: The values, or functions without arguments that make them at each use.
        """
        return PromptTemplate(self.template, partials={**self.partials, **values})

    def format(self, **values: Any) -> str:
        """The text, with values in place of the variables.

        Args:
            **values: A value for each variable.

        Raises:
            MissingVariableError: If a variable has no value.
        """
        return self._template.format(values_for(values, self.partials, self._needed))

    def format_prompt(self, **values: Any) -> StringPromptValue:
        """Like `format`, as a prompt value."""
        return StringPromptValue(self.format(**values))

    def invoke(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> StringPromptValue:
        values = values_for(input, self.partials, self._needed)
        return StringPromptValue(self._template.format(values))
