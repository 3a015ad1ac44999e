"""JSON schemas of types, and in OpenAI's strict mode."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from functools import cached_property
from importlib import import_module
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    NamedTuple,
    NotRequired,
    Required,
    TypeAlias,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from chatnb.errors import ConfigurationError, MissingRuntimeError
from chatnb.schema.characters import replace_surrogates

if TYPE_CHECKING:
    from pydantic import TypeAdapter


def is_typed_dict(type_: Any) -> bool:
    """Return whether a value is a TypedDict, of `typing` or of `typing_extensions`."""
    return (
        isinstance(type_, type) and dict in type_.__bases__ and hasattr(type_, "__required_keys__")
    )


def to_pydantic_type(type_: Any) -> Any:
    """Return the type with its TypedDicts in a form that Pydantic can read."""
    # Before Python 3.12, Pydantic rejects TypedDicts of `typing`, which lack metadata; they are
    # recreated with `typing_extensions`. A recursive TypedDict stays as it is.
    return _converted(type_, ()) if sys.version_info < (3, 12) else type_


def _converted(type_: Any, outer: tuple[Any, ...]) -> Any:
    if is_typed_dict(type_):
        own = type(type_).__module__ == "typing" and type_ not in outer
        return _extensions_typed_dict(type_, (*outer, type_)) if own else type_
    origin, arguments = get_origin(type_), get_args(type_)
    if origin in (None, Literal):
        return type_
    converted = tuple(_converted(argument, outer) for argument in arguments)
    if converted == arguments:
        return type_
    generic: Any = Union if origin is UnionType else origin
    return generic[converted]


def _extensions_typed_dict(type_: Any, outer: tuple[Any, ...]) -> Any:
    import typing_extensions

    fields = dict[str, Any]()
    for name, hint in get_type_hints(type_, include_extras=True).items():
        qualifier = get_origin(hint)
        bare = get_args(hint)[0] if qualifier in (Required, NotRequired) else hint
        required = name in type_.__required_keys__ if bare is hint else qualifier is Required
        wrapper: Any = Required if required else NotRequired
        fields[name] = wrapper[_converted(bare, outer)]
    typed_dict = cast("Callable[..., Any]", typing_extensions.TypedDict)(type_.__name__, fields)
    typed_dict.__doc__, typed_dict.__module__ = type_.__doc__, type_.__module__
    return typed_dict


JsonSchema: TypeAlias = dict[str, Any]

_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_MAX_NAME = 64
_DEFAULT_NAME = "answer"
_DEFINITIONS = ("$defs", "definitions")
# With every property required a default never applies; a discriminator repeats the constants.
_REDUNDANT_KEYWORDS = ("default", "discriminator")
# The keywords that strict mode lacks, and the remedies.
_REMEDIES = {
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


@dataclass(frozen=True)
class NamedSchema:
    """The JSON schema of an object, with its name (at most 64 characters) and description."""

    name: str
    description: str
    schema: JsonSchema


def schema_from_type(type_: Any) -> NamedSchema:
    """Return the JSON schema of a Pydantic model, TypedDict, dataclass or JSON schema."""
    schema = _rooted(dict(type_) if isinstance(type_, Mapping) else _schema_of_type(type_))  # pyright: ignore[reportUnknownArgumentType]
    if schema.get("type", "object") != "object" or not {"type", "properties"} & schema.keys():
        raise TypeError(
            f"{_named(type_)} is not a JSON object: {schema!r}. Put it into a field of an object."
        )
    title = str(schema.get("title") or _DEFAULT_NAME)
    name = _NOT_IN_A_NAME.sub("_", title)[:_MAX_NAME]
    description = str(schema.get("description") or "")
    return NamedSchema(name, description, {"type": "object", **schema})


class SchemaProblem(NamedTuple):
    """A reason why a JSON value does not fit a schema, and where in the value."""

    message: str
    instance_path: tuple[str | int, ...]


class SchemaValidator:
    """Validates JSON values by a JSON schema, without fetching what the schema refers to."""

    def __init__(self, schema: JsonSchema) -> None:
        self._schema = schema

    @cached_property
    def _problems_of(self) -> Callable[[Any], Iterator[SchemaProblem]]:
        try:
            from jsonschema_rs import validator_for
        except ImportError:  # As in browsers, for which there is none.
            return _slow_validator(self._schema)
        validator = validator_for(self._schema, offline=True)
        return lambda value: (
            SchemaProblem(error.message, tuple(error.instance_path))
            for error in validator.iter_errors(value)
        )

    def problems(self, value: Any) -> list[SchemaProblem]:
        """Return the problems of a value, ordered by path; ValueError if the schema is invalid."""
        try:
            return self._sorted_problems(value)
        except UnicodeEncodeError:
            # Models write half a surrogate pair now and then, which JSON allows and UTF-8 does not.
            text = json.dumps(value, ensure_ascii=False)
            return self._sorted_problems(json.loads(replace_surrogates(text)))

    def _sorted_problems(self, value: Any) -> list[SchemaProblem]:
        return sorted(self._problems_of(value), key=lambda problem: str([*problem.instance_path]))


def _slow_validator(schema: JsonSchema) -> Callable[[Any], Iterator[SchemaProblem]]:
    """Return a function that yields the problems of a value, by the package jsonschema."""
    try:
        jsonschema: Any = import_module("jsonschema")
        registry: Any = import_module("referencing").Registry()
    except ImportError:
        raise MissingRuntimeError(
            "Validating JSON needs a package that is not installed. Install it with: "
            'pip install jsonschema, or in JupyterLite: await piplite.install("jsonschema").'
        ) from None
    cls = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)
    try:
        cls.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise ValueError(error.message) from error
    # With a registry of its own, it fetches nothing.
    validator = cls(schema, registry=registry)
    return lambda value: (
        SchemaProblem(error.message, tuple(error.absolute_path))
        for error in validator.iter_errors(value)
    )


def problem_text(error: ValueError) -> str:
    """Return the first line of an error in a schema or in JSON."""
    return str(error).partition("\n")[0]


def strict_schema(schema: Mapping[str, Any]) -> JsonSchema:
    """Return a schema in OpenAI's strict mode: objects are closed and all properties required."""
    # Source: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
    return _closed(schema, "the schema")


def get_type_adapter(type_: Any) -> TypeAdapter[Any]:
    """Return Pydantic's adapter of a model, TypedDict or dataclass, or raise a TypeError."""
    if not _has_fields(type_):
        raise TypeError(
            "A schema is made from a Pydantic model, a TypedDict, a dataclass or "
            f"a JSON schema, not {type_!r}"
        )
    from pydantic import PydanticUserError, TypeAdapter

    try:
        return TypeAdapter[Any](to_pydantic_type(type_))
    except (PydanticUserError, NameError) as error:
        raise TypeError(f"Pydantic cannot read {type_.__name__}: {error}") from error


def _schema_of_type(type_: Any) -> JsonSchema:
    from pydantic import PydanticUserError

    adapter = get_type_adapter(type_)
    try:
        return adapter.json_schema()
    except PydanticUserError as error:
        raise TypeError(f"{type_.__name__} has no JSON schema: {error}") from error


def _has_fields(type_: Any) -> bool:
    """Return whether it is a class with fields, without loading Pydantic."""
    if not isinstance(type_, type):
        return False
    return hasattr(type_, "__pydantic_fields__") or is_dataclass(type_) or is_typed_dict(type_)


def _rooted(schema: JsonSchema) -> JsonSchema:
    """Return the schema with the object at its root, where a recursive type has only a `$ref`."""
    definitions, _, name = str(schema.get("$ref", "")).removeprefix("#/").partition("/")
    target = schema.get(definitions, {}).get(name)
    if definitions not in _DEFINITIONS or target is None:
        return schema
    return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}


def _closed(schema: object, path: str) -> JsonSchema:
    if not isinstance(schema, Mapping):
        raise _not_strict(path, "a schema that is not an object", "Say what type is meant.")
    closed: JsonSchema = _within_strict(schema, path)  # pyright: ignore[reportUnknownArgumentType]
    if "properties" in closed:
        closed["properties"] = _closed_values(closed["properties"], path)
        closed["required"] = list(closed["properties"])
        closed["additionalProperties"] = False
    for definitions in _DEFINITIONS:
        if definitions in closed:
            closed[definitions] = _closed_values(closed[definitions], definitions)
    if "items" in closed:
        closed["items"] = _closed(closed["items"], f"{path}[]")
    if "anyOf" in closed:
        closed["anyOf"] = [_closed(option, path) for option in closed["anyOf"]]
    return _with_lone_ref(closed)


def _closed_values(schemas: Mapping[str, Any], path: str) -> JsonSchema:
    return {name: _closed(schema, f"{path}.{name}") for name, schema in schemas.items()}


def _within_strict(schema: Mapping[str, Any], path: str) -> JsonSchema:
    """Return the schema with the keywords of strict mode, or raise a ConfigurationError."""
    allowed = {key: value for key, value in schema.items() if key not in _REDUNDANT_KEYWORDS}
    if "discriminator" in schema and "oneOf" in allowed:
        allowed["anyOf"] = allowed.pop("oneOf")
    for keyword, remedy in _REMEDIES.items():
        if keyword in allowed:
            raise _not_strict(path, keyword, remedy)
    if allowed.get("additionalProperties"):
        raise _not_strict(path, "open keys", "Use a list of objects with a key and a value.")
    if allowed.get("type") == "object" and "properties" not in allowed:
        raise _not_strict(path, "an object without properties", "Name the properties.")
    if not allowed.keys() & {"type", "$ref", "anyOf", "enum", "const"}:
        raise _not_strict(path, "a value of any type", "Say what type is meant.")
    return allowed


def _with_lone_ref(schema: JsonSchema) -> JsonSchema:
    """Return the schema with `$ref` alone, as strict mode requires, its description around it."""
    if "$ref" not in schema or len(schema) == 1:
        return schema
    siblings = {key: value for key, value in schema.items() if key != "$ref"}
    return {**siblings, "anyOf": [{"$ref": schema["$ref"]}]}


def _not_strict(path: str, what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"Strict mode cannot express {what} (in {path}). {remedy}")


def _named(type_: Any) -> str:
    return type_.__name__ if isinstance(type_, type) else "The schema"
