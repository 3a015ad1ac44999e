from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Generic, Literal, NotRequired, TypedDict, TypeVar

import pytest
import typing_extensions
from pydantic import BaseModel, Field, RootModel, TypeAdapter

from chatnb.errors import ConfigurationError
from chatnb.json_schemas import get_type_adapter, schema_from_type, strict_schema

T = TypeVar("T")


class Mood(Enum):
    GOOD = "good"
    BAD = "bad"


class Person(BaseModel):
    """Somebody."""

    name: str = Field(description="The full name.")
    mood: Mood = Mood.GOOD
    friends: list[Person] = []


class Book(BaseModel):
    title: str
    author: Annotated[Person, Field(description="Who wrote it.")]
    kind: Literal["novel", "poem"] = "novel"
    year: int | None = None


@dataclass
class Point:
    """A place on the plane."""

    x: float
    y: float = 0.0
    tags: list[str] = field(default_factory=list)


@dataclass
class Plain:
    x: int


class Town(TypedDict):
    """A town of some size."""

    name: str
    people: NotRequired[int]
    rivers: list[River]


class River(TypedDict, total=False):
    name: typing_extensions.Required[str]
    length: int


class Square(typing_extensions.TypedDict):
    side: int


class Box(BaseModel, Generic[T]):
    inside: T


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Owner(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]


def test_a_type_of_any_kind_has_a_schema() -> None:
    """Name and description are the type's own; a dataclass's made-up docstring is none."""
    described = [schema_from_type(kind) for kind in (Person, Point, Town, Square, Plain)]
    names = [(each.name, each.description) for each in described]
    assert names == [
        ("Person", "Somebody."),
        ("Point", "A place on the plane."),
        ("Town", "A town of some size."),
        ("Square", ""),
        ("Plain", ""),
    ]
    assert all(each.schema["type"] == "object" for each in described)


def test_typed_dicts_say_what_they_require() -> None:
    """TypedDicts of `typing` count on every Python, nested ones and their docstrings included."""
    schema = schema_from_type(Town).schema
    assert schema["required"] == ["name", "rivers"]
    assert schema["$defs"]["River"]["required"] == ["name"]
    valid = {"name": "Oslo", "rivers": [{"name": "Akerselva"}]}
    assert get_type_adapter(Town).validate_python(valid) == valid


def test_a_recursive_type_has_its_object_at_the_root() -> None:
    """Providers want an object there, not a reference to one."""
    schema = schema_from_type(Person).schema
    assert (schema["type"], schema["required"]) == ("object", ["name"])
    assert schema["properties"]["friends"]["items"] == {"$ref": "#/$defs/Person"}


def test_a_json_schema_is_named_by_its_title() -> None:
    """It is taken as it is; without a title it is called answer."""
    schema = {"title": "a joke!", "description": "To laugh at.", "properties": {"text": {}}}
    named = schema_from_type(schema)
    assert (named.name, named.description) == ("a_joke_", "To laugh at.")
    assert named.schema == {"type": "object", **schema}
    assert schema_from_type({"type": "object"}).name == "answer"


def test_names_are_such_as_providers_take() -> None:
    """Letters, digits, underscores and hyphens, at most 64."""
    assert schema_from_type(Box[int]).name == "Box_int_"
    assert schema_from_type({"title": "x" * 99, "type": "object"}).name == "x" * 64


@pytest.mark.parametrize("kind", ["text", 3, None, int, dict, Person(name="Ann"), list[Person]])
def test_what_is_no_schema_is_refused(kind: Any) -> None:
    """A TypeError names what can be given instead."""
    with pytest.raises(TypeError, match="a Pydantic model, a TypedDict, a dataclass or a JSON sch"):
        schema_from_type(kind)


@pytest.mark.parametrize("kind", [RootModel[list[int]], {"type": "string"}, {}])
def test_only_objects_are_answers(kind: Any) -> None:
    """Lists and texts belong into a field."""
    with pytest.raises(TypeError, match="Put it into a field"):
        schema_from_type(kind)


def test_a_type_that_json_cannot_express_is_refused() -> None:
    """The error names the type and what is wrong with it."""

    @dataclass
    class Odd:
        thing: slice

    with pytest.raises(TypeError, match=r"Pydantic cannot read Odd: .*slice"):
        schema_from_type(Odd)


def objects_in(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [found for each in schema for found in objects_in(each)]
    if not isinstance(schema, dict):
        return []
    inner = [found for each in schema.values() for found in objects_in(each)]
    return [schema, *inner] if "properties" in schema else inner


@pytest.mark.parametrize("kind", [Person, Book, Point, Town, Square, Box[int], Owner])
def test_strict_schemas_close_every_object(kind: Any) -> None:
    """Every property required, no other allowed, no default; the given schema is left alone."""
    schema = schema_from_type(kind).schema
    before = json.dumps(schema)
    strict = strict_schema(schema)
    objects = objects_in(strict)
    assert objects
    for each in objects:
        assert each["required"] == list(each["properties"])
        assert each["additionalProperties"] is False
    assert '"default"' not in json.dumps(strict)
    assert json.dumps(schema) == before
    assert strict_schema(strict) == strict


def test_nothing_stands_beside_a_reference() -> None:
    """A description of a nested object goes around it, so that it is not lost."""
    author = strict_schema(schema_from_type(Book).schema)["properties"]["author"]
    assert author == {"description": "Who wrote it.", "anyOf": [{"$ref": "#/$defs/Person"}]}


def test_a_union_with_a_tag_is_a_plain_union() -> None:
    """`oneOf` with a discriminator means the same as `anyOf`, which strict mode has."""
    pet = strict_schema(schema_from_type(Owner).schema)["properties"]["pet"]
    assert pet["anyOf"] == [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]
    assert not {"oneOf", "discriminator"} & pet.keys()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (
            dict[str, int],
            r"cannot express open keys \(in the schema.field\). Use a list of objects",
        ),
        (set[int], r"cannot express uniqueItems \(in the schema.field\). Use a list"),
        (tuple[int, str], "cannot express prefixItems"),
        (list[Any], r"a value of any type \(in the schema.field\[\]\)"),
        (Any, "cannot express a value of any type"),
        (object, "cannot express a value of any type"),
    ],
)
def test_what_strict_mode_cannot_express_is_refused(kind: Any, said: str) -> None:
    """The error names the construct, its place and what to use instead."""
    field = TypeAdapter(kind).json_schema()
    with pytest.raises(ConfigurationError, match=said):
        strict_schema({"type": "object", "properties": {"field": field}})


@pytest.mark.parametrize(
    "schema", [{"allOf": []}, {"not": {}}, {"oneOf": []}, {"type": "object"}, {"items": True}]
)
def test_json_schemas_beyond_strict_mode_are_refused(schema: dict[str, Any]) -> None:
    """Handwritten ones as well, within lists and definitions too."""
    with pytest.raises(ConfigurationError, match=r"in the schema\.deep\[\]"):
        strict_schema(
            {"properties": {"deep": {"type": "array", "items": schema}}, "type": "object"}
        )
    with pytest.raises(ConfigurationError, match=r"in \$defs\.Deep"):
        strict_schema({"type": "object", "properties": {}, "$defs": {"Deep": schema}})
