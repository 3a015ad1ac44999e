"""The decorator that makes a tool of a function."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Unpack, overload

from chatnb.tools.base import Tool, ToolOptions


@overload
def tool(func: Callable[..., Any], /) -> Tool: ...
@overload
def tool(name: str, func: Callable[..., Any], /, **options: Unpack[ToolOptions]) -> Tool: ...
@overload
def tool(
    name: str | None = None,
    /,
    *,
    description: str | None = None,
    infer_schema: bool = True,
    parse_docstring: bool = True,
    **options: Unpack[ToolOptions],
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(
    func: Callable[..., Any] | str | None = None,
    named: Callable[..., Any] | None = None,
    /,
    *,
    description: str | None = None,
    infer_schema: bool = True,
    parse_docstring: bool = True,
    **options: Unpack[ToolOptions],
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a tool of a function: `@tool`, or `@tool("name", ...)`.

    The schema for the model comes from type hints and docstring: its `Args` describe the
    arguments, unless `Annotated[int, "..."]` or a Pydantic `Field` does.

    Args:
        func: The function; or the name of the tool, if it differs from the function's.
        named: The function after its name, without a decorator: `tool("name", func)`.
        description: The description for the model; by default the docstring up to its sections.
        infer_schema: False for one argument that is a string, whatever the type hints are.
        parse_docstring: Accepted as LangChain's; docstrings are always parsed.
        **options: `args_schema`, `return_direct` and the other options of `Tool`.

    Returns:
        The tool, or a decorator that makes it.

    Raises:
        TypeError: If the parameters cannot be described as JSON.
        ValueError: If models cannot call it by its name, or its docstring is refused.

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
    name, func = (func, named) if isinstance(func, str) else (None, func)
    make = partial(
        Tool.from_function,
        name=name,
        description=description,
        infer_schema=infer_schema,
        **options,
    )
    return make if func is None else make(func)
