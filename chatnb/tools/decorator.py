"""The decorator that makes a tool of a function."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, overload

from chatnb.json_schemas import JsonSchema
from chatnb.tools.base import ResponseFormat, Tool
from chatnb.tools.handled_errors import ErrorHandler


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
    return_direct: bool = False,
    handle_tool_error: ErrorHandler = False,
    handle_validation_error: ErrorHandler = False,
    extras: dict[str, Any] | None = None,
    infer_schema: bool = True,
    parse_docstring: bool = True,
    error_on_invalid_docstring: bool = False,
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(
    func: Callable[..., Any] | str | None = None,
    /,
    *,
    description: str | None = None,
    args_schema: type[Any] | JsonSchema | None = None,
    response_format: ResponseFormat = "content",
    return_direct: bool = False,
    handle_tool_error: ErrorHandler = False,
    handle_validation_error: ErrorHandler = False,
    extras: dict[str, Any] | None = None,
    infer_schema: bool = True,
    parse_docstring: bool = True,
    error_on_invalid_docstring: bool = False,
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a tool of a function: `@tool`, or `@tool("name", ...)`.

    The schema for the model comes from type hints and docstring: its `Args` describe the
    arguments, unless `Annotated[int, "..."]` or a Pydantic `Field` does.

    Args:
        func: The function; or the name of the tool, if it differs from the function's.
        description: The description for the model; by default the docstring up to its sections.
        args_schema: A Pydantic model or a JSON schema of the arguments; by default the function's
            parameters describe them.
        response_format: With `content_and_artifact` the function returns a pair: the content for
            the model, and the artifact of the `ToolMessage`.
        return_direct: True to have tool loops answer with its result instead of asking the model
            again.
        handle_tool_error: The result in place of a `ToolException` that the function raises: True
            for its text, a string, or a function of the exception.
        handle_validation_error: The same for arguments that do not fit.
        extras: Further fields of the tool for providers that have them, such as Anthropic's
            `{"cache_control": {"type": "ephemeral"}}`.
        infer_schema: False for one argument that is a string, whatever the type hints are.
        parse_docstring: Accepted as LangChain's; docstrings are always parsed.
        error_on_invalid_docstring: True to refuse a function whose docstring does not describe its
            arguments in a section `Args`, or describes others.

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
    name = func if isinstance(func, str) else None
    make = partial(
        Tool.from_function,
        name=name,
        description=description,
        args_schema=args_schema,
        response_format=response_format,
        return_direct=return_direct,
        handle_tool_error=handle_tool_error,
        handle_validation_error=handle_validation_error,
        extras=extras,
        infer_schema=infer_schema,
        error_on_invalid_docstring=error_on_invalid_docstring,
    )
    return make if func is None or isinstance(func, str) else make(func)
