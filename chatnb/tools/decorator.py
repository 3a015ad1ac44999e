"""The decorator that makes a tool of a function."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, overload

from chatnb.json_schemas import JsonSchema
from chatnb.tools.base import ResponseFormat, Tool


@overload
def tool(func: Callable[..., Any], /) -> Tool: ...
@overload
def tool(
    name: str | None = None,
    /,
    *,
    description: str | None = None,
    args_schema: type[Any] | JsonSchema | None = None,
    response_format: ResponseFormat = "content",
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(
    func: Callable[..., Any] | str | None = None,
    /,
    *,
    description: str | None = None,
    args_schema: type[Any] | JsonSchema | None = None,
    response_format: ResponseFormat = "content",
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a tool of a function: `@tool`, or `@tool("name", ...)`.

    What the model is told comes from the type hints and the docstring: its `Args` describe the
    arguments, unless `Annotated[int, "..."]` or a Pydantic `Field` does.

    Args:
        func: The function, or the tool's name, where that is to be another than the function's.
        description: What the model is told of it; by default the docstring up to its sections.
        args_schema: What it takes, where the parameters do not say: a Pydantic model or a JSON
            schema.
        response_format: With `content_and_artifact` the function gives a pair: what the model is
            told, and what the `ToolMessage` keeps beside it.

    Returns:
        The tool, or a decorator that makes it.

    Raises:
        TypeError: If the parameters cannot be described as JSON.
        ValueError: If no model could call it by its name.

    Example:
        >>> @tool
        ... def add(a: int, b: int = 1) -> int:
        ...     '''Add two numbers.
        ...
        ...     Args:
        ...         a: The first.
        ...         b: The second.
        ...     '''
        ...     return a + b
        >>> add.args["b"]
        {'default': 1, 'description': 'The second.', 'type': 'integer'}
        >>> add.invoke({"a": 2})
        3
    """
    name = func if isinstance(func, str) else None
    make = partial(
        Tool,
        name=name,
        description=description,
        args_schema=args_schema,
        response_format=response_format,
    )
    return make if func is None or isinstance(func, str) else make(func)
