"""The base of prompt templates: their variables, and what all of them do with values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Self

from chatnb.lazy_names import names_of_package
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

    def pretty_repr(self, html: bool = False) -> str:
        """Return the prompt for reading, with the names of its variables.

        Args:
            html: True for headings that are bold, in a terminal or a notebook.
        """
        raise NotImplementedError

    def partial(self, **values: Any) -> Self:
        """Return a prompt with some values given in advance.

        Args:
            **values: The values, or functions without arguments that return them at each use.

        Example:
            >>> from chatnb.prompts import PromptTemplate
            >>> PromptTemplate("{greeting}, {name}!").partial(greeting="Hi").format(name="Bob")
            'Hi, Bob!'
        """
        changed = copy(self)
        changed.partials = {**self.partials, **values}
        changed._needed = [name for name in self._needed if name not in values]
        return changed

    def _check_variables(self, declared: Sequence[str] | None) -> None:
        """Raise a ValueError if `input_variables=` are not those of the text."""
        if declared is not None and {*declared} - {*self.partials} != {*self._needed}:
            raise ValueError(
                f"input_variables are {sorted(declared)}, and the variables of the text are "
                f"{sorted(self._needed)}. Leave input_variables= out: they are those of the text."
            )

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
        return self.fill(values_for(input, self.partials, self._variables_for(input)))

    def _variables_for(self, input: Any) -> list[str]:
        """Return the variables that an input has to give, or is the value of."""
        return self._needed

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


if not TYPE_CHECKING:  # LangChain's module of this path has the package's other names, too.
    __getattr__ = names_of_package("chatnb.prompts")
