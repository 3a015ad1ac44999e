"""The base of prompt templates: their variables, and what all of them do with values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatnb.prompts.variables import values_for
from chatnb.runnables.base import Runnable
from chatnb.runnables.config import RunnableConfig
from chatnb.runnables.methods import Out


class BasePromptTemplate(Runnable[Any, Out]):
    """A prompt with variables; a subclass implements `fill` and `pretty_repr`.

    It is invoked with a dict that has a value for each variable, or with the value of its only
    variable.

    Example:
        >>> from chatnb.prompts import ChatPromptTemplate, PromptTemplate
        >>> for prompt in [PromptTemplate("Hi {name}"), ChatPromptTemplate(["Hi {name}"])]:
        ...     print(isinstance(prompt, BasePromptTemplate), prompt.invoke("Bob").to_messages())
        True [HumanMessage(content='Hi Bob')]
        True [HumanMessage(content='Hi Bob')]
    """

    in_place = True
    run_type = "prompt"

    partials: dict[str, Any]
    _needed: list[str]

    def fill(self, values: Mapping[str, Any]) -> Out:
        """Return the prompt value.

        Args:
            values: A value for each variable.
        """
        raise NotImplementedError

    def pretty_repr(self) -> str:
        """Return the prompt for reading, with the names of its variables."""
        raise NotImplementedError

    def pretty_print(self) -> None:
        """Print the prompt for reading, with the names of its variables.

        Example:
            >>> from chatnb.prompts import ChatPromptTemplate
            >>> ChatPromptTemplate([("system", "Be {style}.")]).pretty_print()
            ================================ System Message ================================
            <BLANKLINE>
            Be {style}.
        """
        from chatnb.terminal import print_line

        print_line(self.pretty_repr())

    @property
    def input_variables(self) -> list[str]:
        """The required variables, in order."""
        return list(self._needed)

    @property
    def partial_variables(self) -> dict[str, Any]:
        """The values given in advance."""
        return dict(self.partials)

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        return self.fill(values_for(input, self.partials, self._needed))

    def format_prompt(self, **values: Any) -> Out:
        """Return the prompt value, with values in place of the variables.

        Args:
            **values: A value for each variable.

        Raises:
            MissingVariableError: If a variable has no value.
        """
        return self.fill(values_for(values, self.partials, self._needed))

    async def aformat_prompt(self, **values: Any) -> Out:
        """Return the prompt value, for asynchronous code; see `format_prompt`."""
        return self.format_prompt(**values)

    def format(self, **values: Any) -> str:
        """Return the prompt as text, with `values` for its variables; see `format_prompt`."""
        prompt: Any = self.format_prompt(**values)
        return prompt.to_string()

    async def aformat(self, **values: Any) -> str:
        """Return the prompt as text, for asynchronous code; see `format`."""
        return self.format(**values)
