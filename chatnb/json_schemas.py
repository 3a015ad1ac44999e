"""JSON schemas: named after the types they describe, and closed for strict mode."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from chatnb.errors import ConfigurationError
from chatnb.typed_dicts import for_pydantic, is_typed_dict

if TYPE_CHECKING:
    from pydantic import TypeAdapter

JsonSchema: TypeAlias = dict[str, Any]

_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_NAME = 64
_UNNAMED = "answer"
_DEFINITIONS = ("$defs", "definitions")
_SAYS_NOTHING_NEW = ("default", "discriminator")
"""With every property required a default never holds; a discriminator repeats the constants."""
_OTHERWISE = {
    "allOf": "Write one schema with all of it.",
    "oneOf": "Write anyOf.",
    "patternProperties": "Use a list of objects with a key and a value.",
    "prefixItems": "Use an object with named properties.",
    "uniqueItems": "Use a list.",
    **dict.fromkeys(("not", "if", "then", "else"), "Check it in the answer instead."),
    **dict.fromkeys(("dependentRequired", "dependentSchemas"), "Check it in the answer instead."),
    **dict.fromkeys(("contains", "minContains", "maxContains"), "Check it in the answer instead."),
    **dict.fromkeys(("minProperties", "maxProperties", "propertyNames"), "Name the properties."),
    **dict.fromkeys(("unevaluatedItems", "unevaluatedProperties"), "Leave it out."),
}
"""What strict mode does not have, and what to do about it."""


@dataclass(frozen=True)
class NamedSchema:
    """A JSON schema with what a model is told of it.

    Args:
        name: At most 64 letters, digits, underscores and hyphens.
        description: What it stands for, or nothing.
        schema: The schema, of an object.
    """

    name: str
    description: str
    schema: JsonSchema


def schema_of(kind: Any) -> NamedSchema:
    """The JSON schema of a type, with the type's name and docstring.

    Args:
        kind: A Pydantic model, a TypedDict, a dataclass, or a JSON schema itself, which is named
            by its title.

    Returns:
        The schema, with the object at its root rather than behind a `$ref`.

    Raises:
        TypeError: If it is nothing of the kind, or its JSON is no object.

    Example:
        >>> @dataclass
        ... class City:
        ...     '''A town of some size.'''
        ...     name: str
        >>> schema_of(City).name, schema_of(City).description
        ('City', 'A town of some size.')
        >>> schema_of(City).schema["properties"]
        {'name': {'title': 'Name', 'type': 'string'}}
    """
    schema = _rooted(dict(kind) if isinstance(kind, Mapping) else _schema_of_type(kind))  # pyright: ignore[reportUnknownArgumentType]
    if schema.get("type", "object") != "object" or not {"type", "properties"} & schema.keys():
        raise TypeError(
            f"{_named(kind)} is no JSON object: {schema!r}. Put it into a field of an object."
        )
    title = str(schema.get("title") or _UNNAMED)
    name = _NOT_IN_A_NAME.sub("_", title)[:_LONGEST_NAME]
    described = str(schema.get("description") or "")
    return NamedSchema(name, described, {"type": "object", **schema})


def strict_schema(schema: Mapping[str, Any]) -> JsonSchema:
    """A schema as OpenAI's strict mode wants it: objects closed, and all their properties required.

    Defaults go, since a model has to write every property; `oneOf` with a discriminator becomes
    `anyOf`, which then means the same.

    Source: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas

    Args:
        schema: The schema, which stays as it is.

    Returns:
        The closed schema.

    Raises:
        ConfigurationError: If it has what strict mode cannot express; the message says where.

    Example:
        >>> strict_schema({"type": "object", "properties": {"name": {"type": "string"}}})
        {'type': 'object', 'properties': {'name': {'type': 'string'}}, 'required': ['name'], \
'additionalProperties': False}
    """
    return _closed(schema, "the schema")


def adapter_of(kind: Any) -> TypeAdapter[Any]:
    """What Pydantic reads and describes a type with.

    Args:
        kind: A Pydantic model, a TypedDict or a dataclass.

    Returns:
        The adapter.

    Raises:
        TypeError: If it is nothing of the kind, or has parts that Pydantic does not know.
    """
    if not _has_fields(kind):
        raise TypeError(
            "What a schema is made of is a Pydantic model, a TypedDict, a dataclass or "
            f"a JSON schema, not {kind!r}"
        )
    from pydantic import PydanticUserError, TypeAdapter

    try:
        return TypeAdapter[Any](for_pydantic(kind))
    except (PydanticUserError, NameError) as error:
        raise TypeError(f"Pydantic cannot read {kind.__name__}: {error}") from error


def _schema_of_type(kind: Any) -> JsonSchema:
    from pydantic import PydanticUserError

    adapter = adapter_of(kind)
    try:
        return adapter.json_schema()
    except PydanticUserError as error:
        raise TypeError(f"{kind.__name__} has no JSON schema: {error}") from error


def _has_fields(kind: Any) -> bool:
    """Whether it is of one of the kinds, told without loading Pydantic."""
    if not isinstance(kind, type):
        return False
    return hasattr(kind, "__pydantic_fields__") or is_dataclass(kind) or is_typed_dict(kind)


def _rooted(schema: JsonSchema) -> JsonSchema:
    """The schema with the object at its root, where a recursive type has only a `$ref`."""
    home, _, name = str(schema.get("$ref", "")).removeprefix("#/").partition("/")
    target = schema.get(home, {}).get(name)
    if home not in _DEFINITIONS or target is None:
        return schema
    return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}


def _closed(schema: object, place: str) -> JsonSchema:
    if not isinstance(schema, Mapping):
        raise _not_strict(place, "a schema that is no object", "Say what type is meant.")
    closed: JsonSchema = _within_strict(schema, place)  # pyright: ignore[reportUnknownArgumentType]
    if "properties" in closed:
        closed["properties"] = _each_closed(closed["properties"], place)
        closed["required"] = list(closed["properties"])
        closed["additionalProperties"] = False
    for home in _DEFINITIONS:
        if home in closed:
            closed[home] = _each_closed(closed[home], home)
    if "items" in closed:
        closed["items"] = _closed(closed["items"], f"{place}[]")
    if "anyOf" in closed:
        closed["anyOf"] = [_closed(each, place) for each in closed["anyOf"]]
    return _with_lone_ref(closed)


def _each_closed(schemas: Mapping[str, Any], place: str) -> JsonSchema:
    return {name: _closed(each, f"{place}.{name}") for name, each in schemas.items()}


def _within_strict(schema: Mapping[str, Any], place: str) -> JsonSchema:
    """The schema in strict mode's words.

    Raises:
        ConfigurationError: If it takes more than these.
    """
    said = {key: value for key, value in schema.items() if key not in _SAYS_NOTHING_NEW}
    if "discriminator" in schema and "oneOf" in said:
        said["anyOf"] = said.pop("oneOf")
    for keyword, advice in _OTHERWISE.items():
        if keyword in said:
            raise _not_strict(place, keyword, advice)
    if said.get("additionalProperties"):
        raise _not_strict(place, "open keys", "Use a list of objects with a key and a value.")
    if said.get("type") == "object" and "properties" not in said:
        raise _not_strict(place, "an object without properties", "Name the properties.")
    if not said.keys() & {"type", "$ref", "anyOf", "enum", "const"}:
        raise _not_strict(place, "a value of any type", "Say what type is meant.")
    return said


def _with_lone_ref(schema: JsonSchema) -> JsonSchema:
    """A `$ref` may have nothing beside it; what describes it goes around it."""
    if "$ref" not in schema or len(schema) == 1:
        return schema
    around = {key: value for key, value in schema.items() if key != "$ref"}
    return {**around, "anyOf": [{"$ref": schema["$ref"]}]}


def _not_strict(place: str, what: str, advice: str) -> ConfigurationError:
    return ConfigurationError(f"Strict mode cannot express {what} (in {place}). {advice}")


def _named(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else "The schema"
