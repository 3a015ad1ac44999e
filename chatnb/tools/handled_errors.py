"""Errors of tools that become their results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from chatnb.errors import ToolArgumentsError

ErrorHandler: TypeAlias = bool | str | Callable[[Any], Any]
"""True for an error's text, a text in its place, or a function of the error; False raises it."""


class ToolException(Exception):
    """An error that a tool's function raises for the model.

    With `handle_tool_error` of the tool its text is the result. In a tool loop the errors of all
    classes are.

    Example:
        >>> from chatnb.tools import tool
        >>> @tool(handle_tool_error=True)
        ... def price(item: str) -> int:
        ...     raise ToolException(f"There is no {item}.")
        >>> price.invoke("unicorn")
        'There is no unicorn.'
    """


def handled_value(error: ToolException | ToolArgumentsError, handler: ErrorHandler) -> Any:
    """Return the result in place of an error; the handler is none that raises it."""
    if callable(handler):
        return handler(error)
    return handler if isinstance(handler, str) else str(error) or "The tool failed."
