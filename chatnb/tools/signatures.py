"""The parameters of a function as a Pydantic model."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

if TYPE_CHECKING:
    from pydantic import BaseModel

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def innermost(func: Callable[..., Any]) -> Callable[..., Any]:
    """The function that was written, beneath decorators and partial applications."""
    while isinstance(func, partial) or hasattr(func, "__wrapped__"):
        func = func.func if isinstance(func, partial) else inspect.unwrap(func)
    return func


def model_of_parameters(
    func: Callable[..., Any], name: str, meanings: Mapping[str, str]
) -> type[BaseModel]:
    """Make a Pydantic model with a field for each parameter of a function.

    Args:
        func: The function. A parameter's description is the one of its `Field`, or the string in
            its `Annotated`, or its meaning.
        name: The model's name.
        meanings: What parameters mean, by name.

    Returns:
        The model; it takes nothing but these fields.

    Raises:
        TypeError: If the parameters cannot be described as JSON.

    Example:
        >>> def add(a: int, b: int = 1) -> int: ...
        >>> model_of_parameters(add, "add", {"a": "The first."}).model_json_schema()["required"]
        ['a']
    """
    from pydantic import ConfigDict, PydanticUserError, create_model

    parameters = _parameters(func, name)
    hints = _hints(func, name, parameters)
    fields: dict[str, Any] = {
        parameter.name: _field(parameter, hints.get(parameter.name, Any), meanings)
        for parameter in parameters
    }
    config = ConfigDict(extra="forbid", protected_namespaces=(), json_schema_extra=_without_titles)
    try:
        with warnings.catch_warnings():
            # A parameter may well be called `schema` or `copy`, as attributes of models are.
            warnings.simplefilter("ignore", UserWarning)
            model = create_model(name, __config__=config, **fields)
    except (NameError, PydanticUserError) as error:
        raise TypeError(f"The parameters of {name} cannot be described as JSON: {error}") from error
    for kept in fields.keys() - model.model_fields.keys():
        raise TypeError(f"Pydantic keeps the name {kept} for itself: {name} needs another for it")
    return model


def _parameters(func: Callable[..., Any], name: str) -> list[inspect.Parameter]:
    parameters = list(inspect.signature(func).parameters.values())
    for parameter in parameters:
        if parameter.kind not in _NAMED:
            raise TypeError(
                f"A model gives a tool its arguments by name, and {name} takes {parameter}: "
                "write its parameters one by one"
            )
    return parameters


def _hints(
    func: Callable[..., Any], name: str, parameters: list[inspect.Parameter]
) -> dict[str, Any]:
    """The types of the parameters; those that are written as strings are looked up."""
    written = {p.name: p.annotation for p in parameters if p.annotation is not p.empty}
    home = innermost(func)
    known = getattr(home, "__globals__", None) or getattr(type(home).__call__, "__globals__", {})
    try:
        return get_type_hints(SimpleNamespace(__annotations__=written), known, include_extras=True)
    except NameError as error:
        raise TypeError(
            f"The type hints of {name} cannot be read, for {error}. "
            "Define or import it at the top of the module."
        ) from error


def _field(parameter: inspect.Parameter, hint: Any, meanings: Mapping[str, str]) -> tuple[Any, Any]:
    from pydantic import Field
    from pydantic.fields import FieldInfo

    default = ... if parameter.default is parameter.empty else parameter.default
    said = (*getattr(hint, "__metadata__", ()), default)
    if any(isinstance(each, FieldInfo) and each.description for each in said):
        return hint, default
    meaning = next((each for each in said[:-1] if isinstance(each, str)), None)
    meaning = meaning or meanings.get(parameter.name)
    return (Annotated[hint, Field(description=meaning)] if meaning else hint), default


def _without_titles(schema: dict[str, Any]) -> None:
    """Titles that Pydantic makes of names say nothing new, and tokens are paid for."""
    schema.pop("title", None)
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
