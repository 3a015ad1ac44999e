"""What a tool takes: its JSON schema, and the check that arguments are of that kind."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import cached_property
from typing import Any, Protocol, cast

from chatnb.errors import ToolArgumentsError
from chatnb.json_schemas import JsonSchema, schema_of

_LONGEST_PROBLEM = 300
"""A problem quotes what it complains of, which may be a whole file."""


class Arguments(Protocol):
    """What a tool takes."""

    @property
    def parameters(self) -> JsonSchema:
        """The JSON schema of an object with a property for each argument."""
        ...

    def checked(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as the tool takes them.

        Raises:
            ToolArgumentsError: If they do not fit.
        """
        ...


class TypedArguments:
    """Arguments that a type describes, checked by Pydantic.

    Args:
        tool: The tool's name, for errors.
        kind: A Pydantic model, a TypedDict or a dataclass.

    Raises:
        TypeError: If the type cannot be described as JSON.

    Example:
        >>> from pydantic import create_model
        >>> TypedArguments("add", create_model("Add", a=(int, ...))).checked({"a": "1"})
        {'a': 1}
    """

    def __init__(self, tool: str, kind: type[Any]) -> None:
        self._tool = tool
        self.kind = kind
        with warnings.catch_warnings():
            # A default that JSON does not have is left out of the schema, and holds all the same.
            warnings.simplefilter("ignore", UserWarning)
            self.parameters = _without_name(schema_of(kind).schema)

    @cached_property
    def _adapter(self) -> Any:
        from pydantic import TypeAdapter

        return TypeAdapter[Any](self.kind)

    def checked(self, args: Mapping[str, Any]) -> dict[str, Any]:
        from pydantic import ValidationError

        try:
            return _by_name(self._adapter.validate_python(dict(args)))
        except ValidationError as error:
            problems = [_problem(each["loc"], each["msg"]) for each in error.errors()]
            raise ToolArgumentsError(self._tool, problems) from error


class SchemaArguments:
    """Arguments that a JSON schema describes.

    Args:
        tool: The tool's name, for errors.
        schema: The schema.

    Example:
        >>> schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
        >>> SchemaArguments("add", schema).checked({"a": 1})
        {'a': 1}
    """

    def __init__(self, tool: str, schema: JsonSchema) -> None:
        self._tool = tool
        self.parameters = _without_name(schema)

    @cached_property
    def _validator(self) -> Any:
        from jsonschema import Draft202012Validator
        from jsonschema.validators import validator_for  # pyright: ignore[reportUnknownVariableType]
        from referencing import Registry

        # Without a registry of its own it would fetch what a schema refers to from the network.
        here: Any = Registry[Any]()
        validator: Any = validator_for(self.parameters, default=Draft202012Validator)
        validator.check_schema(self.parameters)
        return validator(self.parameters, registry=here)

    def checked(self, args: Mapping[str, Any]) -> dict[str, Any]:
        from jsonschema.exceptions import SchemaError
        from referencing.exceptions import Unresolvable

        try:
            errors: list[Any] = sorted(self._validator.iter_errors(dict(args)), key=_path)
        except (SchemaError, Unresolvable) as error:
            said = error.message if isinstance(error, SchemaError) else str(error)
            raise ToolArgumentsError(self._tool, [_problem((), f"bad schema: {said}")]) from error
        if errors:
            problems = [_problem(error.absolute_path, error.message) for error in errors]
            raise ToolArgumentsError(self._tool, problems)
        return dict(args)


def _without_name(schema: JsonSchema) -> JsonSchema:
    """The schema without what is said beside it."""
    return {key: value for key, value in schema.items() if key not in ("title", "description")}


def _path(error: Any) -> str:
    return str(list(error.absolute_path))


def _problem(place: Iterable[object], message: str) -> str:
    said = message if len(message) <= _LONGEST_PROBLEM else message[:_LONGEST_PROBLEM] + "…"
    where = ".".join(map(str, place))
    return f"{where}: {said}" if where else said


def _by_name(value: Any) -> dict[str, Any]:
    """What was validated, argument by argument, with objects inside it left whole."""
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return {**vars(value), **(value.model_extra or {})}
