"""Answers as values of the type that was asked for, whole or as far as they go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from weakref import WeakSet

from chatnb.errors import OutputParserError, ToolArgumentsError
from chatnb.json_schemas import NamedSchema, adapter_of, schema_of
from chatnb.output_parsers.json import GrowingJsonParser, json_body
from chatnb.output_parsers.partial_objects import partial_object
from chatnb.runnables.verbs import Out
from chatnb.tools.arguments import SchemaArguments
from chatnb.typed_dicts import is_typed_dict

asked_kinds: WeakSet[type] = WeakSet()
"""The types that models were asked for, whose objects a notebook may show in a way of its own."""


class TypedAnswers(GrowingJsonParser[Out]):
    """JSON as an object of a Pydantic model or a dataclass, or as the dict of a TypedDict.

    Args:
        kind: The type.
    """

    def __init__(self, kind: type[Out]) -> None:
        self.kind = kind
        self._adapter = adapter_of(kind)
        asked_kinds.add(kind)

    def value(self, data: Any, text: str) -> Out:
        from pydantic import ValidationError

        try:
            return self._adapter.validate_json(json_body(text))
        except ValidationError as error:
            wrong = "; ".join(_told(each["loc"], each["msg"]) for each in error.errors())
            message = f"The reply is no {self.kind.__name__}: {wrong}."
            raise OutputParserError(message, text=text) from error

    def partial_value(self, data: Any) -> Any:
        fields = _as_dict(data) or {}
        return fields if is_typed_dict(self.kind) else partial_object(self.kind, fields)


class SchemaAnswers(GrowingJsonParser[dict[str, Any]]):
    """JSON as a dict that is valid under a JSON schema.

    Args:
        schema: The schema.
    """

    def __init__(self, schema: NamedSchema) -> None:
        self._name = schema.name
        self._valid = SchemaArguments(schema.name, schema.schema)

    def value(self, data: Any, text: str) -> dict[str, Any]:
        answer = _as_dict(data)
        if answer is None:
            raise OutputParserError("The reply is no JSON object.", text=text)
        try:
            return self._valid.checked(answer)
        except ToolArgumentsError as error:
            wrong = "; ".join(error.problems)
            raise OutputParserError(f"The reply is no {self._name}: {wrong}.", text=text) from error

    def partial_value(self, data: Any) -> dict[str, Any]:
        return _as_dict(data) or {}


def answers_of(kind: Any) -> GrowingJsonParser[Any]:
    """What reads answers of a type.

    Args:
        kind: A Pydantic model, a TypedDict, a dataclass or a JSON schema.

    Example:
        >>> answers_of({"type": "object", "required": ["name"]}).parse('{"name": "Oslo"}')
        {'name': 'Oslo'}
    """
    return SchemaAnswers(schema_of(kind)) if isinstance(kind, Mapping) else TypedAnswers[Any](kind)  # pyright: ignore[reportUnknownArgumentType]


def _as_dict(data: Any) -> dict[str, Any] | None:
    return cast("dict[str, Any]", data) if isinstance(data, dict) else None


def _told(place: tuple[int | str, ...], wrong: str) -> str:
    return ": ".join(part for part in (".".join(map(str, place)), wrong) if part)
