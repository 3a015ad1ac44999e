"""The types of what runnables take and return, as far as they are known, as Pydantic models."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast, get_type_hints

from chatnb.json_schemas import to_pydantic_type

if TYPE_CHECKING:
    from pydantic import BaseModel


def input_model(runnable: Any) -> type[BaseModel]:
    """Return a Pydantic model of a runnable's input."""
    return _model(f"{_name(runnable)}Input", input_type(runnable))


def output_model(runnable: Any) -> type[BaseModel]:
    """Return a Pydantic model of a runnable's output."""
    return _model(f"{_name(runnable)}Output", output_type(runnable))


def input_type(runnable: Any) -> Any:
    """Return the type of a runnable's input: a type, a dict of fields, or Any."""
    # By the attributes that only one class of runnables has: the classes are above this module.
    if hasattr(runnable, "_input_type"):
        return runnable._input_type()
    if hasattr(runnable, "steps"):
        return input_type(runnable.steps[0])
    if hasattr(runnable, "bound"):
        return input_type(runnable.bound)
    if hasattr(runnable, "args_schema"):
        return runnable.args_schema
    if hasattr(runnable, "input_variables"):
        return dict.fromkeys(runnable.input_variables, Any)
    if isinstance(getattr(runnable, "branches", None), dict):
        return _joined([input_type(branch) for branch in runnable.branches.values()])
    if hasattr(runnable, "entries"):
        return input_type(runnable.entries)
    return _parameter_type(_function(runnable))


def output_type(runnable: Any) -> Any:
    """Return the type of a runnable's output: a type, a dict of fields, or Any."""
    if hasattr(runnable, "_output_type"):
        return runnable._output_type()
    if hasattr(runnable, "steps"):
        return output_type(runnable.steps[-1])
    if hasattr(runnable, "bound"):
        return output_type(runnable.bound)
    if isinstance(getattr(runnable, "branches", None), dict):
        return {key: plain_type(output_type(each)) for key, each in runnable.branches.items()}
    if hasattr(runnable, "get_format_instructions") or hasattr(runnable, "parse"):
        parser: Any = runnable
        return _hints(getattr(parser, "parse", None)).get("return", Any)
    return _hints(_function(runnable)).get("return", Any)


def _model(name: str, given: Any) -> type[BaseModel]:
    from pydantic import BaseModel, RootModel, create_model

    if isinstance(given, type) and issubclass(given, BaseModel):
        return given
    if isinstance(given, dict):
        types = cast("dict[str, Any]", given)
        fields: dict[str, Any] = {key: (type_, ...) for key, type_ in types.items()}
        return create_model(name, **fields)
    try:
        return create_model(name, __base__=RootModel[to_pydantic_type(given)])
    except Exception:  # Pydantic knows no schema for the type of a hint.
        return create_model(name, __base__=RootModel[Any])


def _joined(types: list[Any]) -> Any:
    """Return the fields of branches that get the same dict; one type, if they agree on it."""
    known = [each for each in types if each is not Any]
    if known and all(isinstance(each, dict) for each in known):
        return {name: type_ for fields in known for name, type_ in fields.items()}
    return known[0] if len(known) == len(types) and all(k == known[0] for k in known) else Any


def plain_type(given: Any) -> Any:
    """Return a type for a dict of fields, and any other as it is."""
    return dict[str, Any] if isinstance(given, dict) else given


def _function(runnable: Any) -> Callable[..., Any] | None:
    return getattr(runnable, "_sync", None) or getattr(runnable, "_async", None)


def _parameter_type(function: Any) -> Any:
    if isinstance(function, itemgetter):
        return dict.fromkeys(map(str, function.__reduce__()[1]), Any)
    try:
        first = next(iter(inspect.signature(function).parameters), None)
    except (TypeError, ValueError):  # No function, or one in C without a signature.
        return Any
    return _hints(function).get(first or "", Any)


def _hints(function: Any) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except (TypeError, NameError, AttributeError):  # No function, or names that are not there.
        return {}


def _name(runnable: Any) -> str:
    return runnable.get_name()
