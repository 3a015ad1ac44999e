"""Parsers of replies to values of a requested type, complete or partial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from weakref import WeakSet

from chatnb.errors import OutputParserError, ToolArgumentsError
from chatnb.json_schemas import NamedSchema, get_type_adapter, is_typed_dict, schema_from_type
from chatnb.loose_json import FoundJson
from chatnb.output_parsers.json import GrowingJsonParser
from chatnb.output_parsers.pydantic import partial_object
from chatnb.runnables.methods import Out
from chatnb.tools.signatures import SchemaArguments

# The types that models were asked for: a notebook displays their objects as tables.
requested_types: WeakSet[type] = WeakSet()


class TypeParser(GrowingJsonParser[Out]):
    """A parser of JSON to objects of a Pydantic model or dataclass, or to TypedDicts."""

    def __init__(self, target: type[Out]) -> None:
        self.target = target
        self._adapter = get_type_adapter(target)
        requested_types.add(target)

    def value(self, found: FoundJson, text: str) -> Out:
        from pydantic import ValidationError

        try:
            return self._adapter.validate_json(found.json)
        except ValidationError as error:
            problems = "; ".join(_problem(item["loc"], item["msg"]) for item in error.errors())
            message = f"The reply is not a valid {self.target.__name__}: {problems}."
            raise OutputParserError(message, text=text) from error

    def partial_value(self, data: Any) -> Any:
        fields = _as_dict(data) or {}
        return fields if is_typed_dict(self.target) else partial_object(self.target, fields)


class SchemaParser(GrowingJsonParser[dict[str, Any]]):
    """A parser of JSON to dicts that are valid under a JSON schema."""

    def __init__(self, schema: NamedSchema) -> None:
        self._name = schema.name
        self._arguments = SchemaArguments(schema.name, schema.schema)

    def value(self, found: FoundJson, text: str) -> dict[str, Any]:
        value = _as_dict(found.value)
        if value is None:
            raise OutputParserError("The reply is not a JSON object.", text=text)
        try:
            return self._arguments.validate(value)
        except ToolArgumentsError as error:
            problems = "; ".join(error.problems)
            raise OutputParserError(
                f"The reply is not a valid {self._name}: {problems}.", text=text
            ) from error

    def partial_value(self, data: Any) -> dict[str, Any]:
        return _as_dict(data) or {}


def parser_from_type(type_: Any) -> GrowingJsonParser[Any]:
    """Return the parser for a Pydantic model, TypedDict, dataclass or JSON schema."""
    if isinstance(type_, Mapping):
        return SchemaParser(schema_from_type(type_))  # pyright: ignore[reportUnknownArgumentType]
    return TypeParser[Any](type_)


def _as_dict(data: Any) -> dict[str, Any] | None:
    return cast("dict[str, Any]", data) if isinstance(data, dict) else None


def _problem(path: tuple[int | str, ...], message: str) -> str:
    return ": ".join(part for part in (".".join(map(str, path)), message) if part)
