"""Runnables as tools."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from chatnb.json_schemas import is_typed_dict, to_pydantic_type
from chatnb.runnables.base import Runnable
from chatnb.runnables.wrappers.schemas import input_type
from chatnb.tools.base import Tool

_TEXT = "input"


def tool_from_runnable(
    runnable: Runnable[Any, Any],
    args_schema: type[Any] | Mapping[str, Any] | None = None,
    *,
    name: str | None = None,
    description: str | None = None,
    arg_types: Mapping[str, Any] | None = None,
) -> Tool:
    """Return a runnable as a tool; see `Runnable.as_tool`.

    Args:
        runnable: The runnable.
        args_schema: The schema of its arguments.
        name: The name for the model.
        description: The description for the model.
        arg_types: The types of its arguments, instead of a schema.

    Returns:
        The tool.

    Example:
        >>> from chatnb.prompts import PromptTemplate
        >>> tool = tool_from_runnable(PromptTemplate("Hi {name}"), name="greet")
        >>> list(tool.args), tool.invoke("Bob").text
        (['name'], 'Hi Bob')
    """
    given: Any = args_schema if args_schema is not None else dict(arg_types or {}) or None
    schema, is_text = _schema(runnable, given, is_fields=args_schema is None)

    def run(**args: Any) -> Any:
        return runnable.invoke(args[_TEXT] if is_text else args)

    async def arun(**args: Any) -> Any:
        return await runnable.ainvoke(args[_TEXT] if is_text else args)

    valid = re.sub(r"[^a-zA-Z0-9_-]+", "_", runnable.get_name()).strip("_")[:64] or "runnable"
    return Tool(
        run,
        coroutine=arun,
        name=name or valid,
        description=f"Run {name or valid}." if description is None else description,
        args_schema=schema,
    )


def _schema(runnable: Runnable[Any, Any], given: Any, *, is_fields: bool) -> tuple[Any, bool]:
    """Return the schema of the arguments, and whether they are one text for the runnable."""
    from pydantic import BaseModel, create_model

    known: Any = input_type(runnable) if given is None else given
    if isinstance(known, dict) and known and is_fields:
        types = cast("dict[str, Any]", known)
        fields: dict[str, Any] = {
            key: (str if type_ is Any else type_, ...) for key, type_ in types.items()
        }
        return create_model("Arguments", **fields), False
    is_model = isinstance(known, type) and issubclass(known, BaseModel)
    if given is not None or is_model or is_typed_dict(known):
        return to_pydantic_type(known) if is_typed_dict(known) else cast("Any", known), False
    text: Any = (known if known in (int, float, bool, str) else str, ...)
    return create_model("Arguments", **{_TEXT: text}), True
