"""A parser of replies to objects of a Pydantic model, also while they stream."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, get_type_hints

from chatnb.errors import OutputParserError
from chatnb.lazy_names import names_of_package
from chatnb.loose_json import FoundJson
from chatnb.output_parsers.json import GrowingJsonParser, json_instructions

if TYPE_CHECKING:
    from pydantic import BaseModel, TypeAdapter
Model = TypeVar("Model", bound="BaseModel", covariant=True)


class PydanticOutputParser(GrowingJsonParser[Model]):
    """A parser of JSON to objects of a Pydantic model.

    A stream yields the object so far at each change. Its missing or not yet valid fields have
    their default or None; only the last object is validated.

    Args:
        pydantic_object: The model class.

    Raises:
        TypeError: If it is not a Pydantic model.
        OutputParserError: When it runs, if the reply is not such an object; `text` has the reply.

    Example:
        >>> from pydantic import BaseModel
        >>> class City(BaseModel):
        ...     name: str
        ...     people: int
        >>> PydanticOutputParser(City).invoke('{"name": "Oslo", "people": 700000}')
        City(name='Oslo', people=700000)
    """

    def __init__(self, pydantic_object: type[Model]) -> None:
        from pydantic import BaseModel

        if not (isinstance(pydantic_object, type) and issubclass(pydantic_object, BaseModel)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"PydanticOutputParser takes a Pydantic model, not {pydantic_object!r}")
        self.pydantic_object = pydantic_object

    def __repr__(self) -> str:
        return f"PydanticOutputParser({self.pydantic_object.__name__})"

    def get_format_instructions(self) -> str:
        """Return instructions for a model to reply with such an object."""
        return json_instructions(self.pydantic_object.model_json_schema())

    def _output_type(self) -> type[Model]:
        return self.pydantic_object

    def value(self, found: FoundJson, text: str) -> Model:
        from pydantic import ValidationError

        try:
            return self.pydantic_object.model_validate_json(found.json)
        except ValidationError as error:
            message = f"The reply is not a valid {self.pydantic_object.__name__}: {error}"
            raise OutputParserError(message, text=text) from error

    def partial_value(self, data: Any) -> Model:
        return partial_object(self.pydantic_object, data if isinstance(data, dict) else {})  # pyright: ignore[reportUnknownArgumentType]


def partial_object(object_class: type[Any], data: dict[str, Any]) -> Any:
    """Return an unvalidated object; missing or invalid values are defaults or None."""
    if hasattr(object_class, "model_fields"):
        return _partial_model(object_class, data)
    hints, partial = get_type_hints(object_class), object.__new__(object_class)
    for field in fields(object_class):
        if field.name in data:
            value = _partial_value(hints[field.name], data[field.name])
        elif field.default_factory is not MISSING:
            value = field.default_factory()
        else:
            value = None if field.default is MISSING else field.default
        object.__setattr__(partial, field.name, value)  # A frozen one has no other way.
    return partial


def _partial_model(model: type[Any], data: dict[str, Any]) -> Any:
    values, given = dict[str, Any](), set[str]()
    for name, field in model.model_fields.items():
        key = field.alias if field.alias in data else name
        if key in data:
            values[name] = _partial_value(field.annotation, data[key])
            given.add(name)
        elif field.is_required():
            values[name] = None
        else:
            values[name] = field.get_default(call_default_factory=True)
    partial: Any = model.model_construct(given)
    object.__setattr__(partial, "__dict__", values)  # In the fields' order.
    return partial


def _partial_value(annotation: Any, value: Any) -> Any:
    """Return the value converted to its type; None if that is not possible yet."""
    from pydantic import ValidationError

    try:
        return _adapter(annotation).validate_python(value)
    except ValidationError:
        pass
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(value, dict) and _has_fields(candidate):
            return partial_object(candidate, value)  # pyright: ignore[reportUnknownArgumentType]
        if isinstance(value, list) and get_origin(candidate) is list:
            [item] = get_args(candidate)
            return [_partial_value(item, element) for element in value]  # pyright: ignore[reportUnknownVariableType]
    return None


def _has_fields(candidate: Any) -> bool:
    return hasattr(candidate, "model_fields") or is_dataclass(candidate)


@lru_cache(maxsize=256)
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(annotation)


if not TYPE_CHECKING:  # LangChain's module of this path has the package's other names, too.
    __getattr__ = names_of_package("chatnb.output_parsers")
