"""Prompt templates for text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatnb.prompts.formatting import Template, values_for
from chatnb.runnables.base import Runnable
from chatnb.runnables.config import RunnableConfig
from chatnb.schema.prompt_values import StringPromptValue


class PromptTemplate(Runnable[dict[str, Any], StringPromptValue]):
    """A prompt of text with variables.

    Args:
        template: The text, in f-string style.
        partials: Values given in advance, or functions without arguments that return them.

    Raises:
        TypeError: If the template is not a string.
        ValueError: If it is not a template, or a field is more than a name.

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
        """Return the prompt of a text."""
        return cls(template)

    def __repr__(self) -> str:
        return f"PromptTemplate({self.template!r})"

    @property
    def input_variables(self) -> list[str]:
        """The required variables, in order."""
        return list(self._needed)

    def __add__(self, other: str | PromptTemplate) -> PromptTemplate:
        """Return the prompt with a text or another prompt at its end."""
        if isinstance(other, str):
            return PromptTemplate(self.template + other, partials=self.partials)
        if not isinstance(other, PromptTemplate):  # pyright: ignore[reportUnnecessaryIsInstance]
            return NotImplemented
        partials = {**self.partials, **other.partials}
        return PromptTemplate(self.template + other.template, partials=partials)

    def partial(self, **values: Any) -> PromptTemplate:
        """Return a prompt with some values given in advance.

        Args:
            **values: The values, or functions without arguments that return them at each use.
        """
        return PromptTemplate(self.template, partials={**self.partials, **values})

    def format(self, **values: Any) -> str:
        """Return the text, with values in place of the variables.

        Args:
            **values: A value for each variable.

        Raises:
            MissingVariableError: If a variable has no value.
        """
        return self._template.format(values_for(values, self.partials, self._needed))

    def format_prompt(self, **values: Any) -> StringPromptValue:
        """Return the text as a prompt value; see `format`."""
        return StringPromptValue(self.format(**values))

    def invoke(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> StringPromptValue:
        values = values_for(input, self.partials, self._needed)
        return StringPromptValue(self._template.format(values))
