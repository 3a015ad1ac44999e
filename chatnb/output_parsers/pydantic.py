"""Replies as objects of a Pydantic model, growing while they are streamed."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

from chatnb.errors import OutputParserError
from chatnb.output_parsers.json import GrowingJsonParser, json_body

if TYPE_CHECKING:
    from pydantic import BaseModel, TypeAdapter

Model = TypeVar("Model", bound="BaseModel", covariant=True)

_INSTRUCTIONS = """\
Answer with one JSON object and nothing else. It must be valid under this JSON Schema:

```json
{schema}
```"""


class PydanticOutputParser(GrowingJsonParser[Model]):
    """The JSON of a reply as an object of a Pydantic model.

    A stream gives an object again and again as it grows. In these, what is not there yet, or not
    valid as far as it goes, has its default, or is None; only the last has passed all validation.

    Args:
        pydantic_object: The model, a class.

    Raises:
        TypeError: If it is no class of Pydantic's.
        OutputParserError: When it is run, if the reply is no such object; `text` has the reply.

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
        """What to tell the model, so that it replies with such an object."""
        schema = json.dumps(self.pydantic_object.model_json_schema(), ensure_ascii=False)
        return _INSTRUCTIONS.format(schema=schema)

    def value(self, data: Any, text: str) -> Model:
        from pydantic import ValidationError

        try:
            return self.pydantic_object.model_validate_json(json_body(text))
        except ValidationError as error:
            name = self.pydantic_object.__name__
            raise OutputParserError(f"The reply is no {name}: {error}", text=text) from error

    def partial_value(self, data: Any) -> Model:
        return _partial_object(self.pydantic_object, data if isinstance(data, dict) else {})  # pyright: ignore[reportUnknownArgumentType]


def _partial_object(model: type[Any], data: dict[str, Any]) -> Any:
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
    partial.__dict__.update(values)
    return partial


def _partial_value(annotation: Any, value: Any) -> Any:
    """The value as what it is going to be; None if that cannot be said yet."""
    from pydantic import ValidationError

    try:
        return _adapter(annotation).validate_python(value)
    except ValidationError:
        pass
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(value, dict) and hasattr(candidate, "model_fields"):
            return _partial_object(candidate, value)  # pyright: ignore[reportUnknownArgumentType]
        if isinstance(value, list) and get_origin(candidate) is list:
            [item] = get_args(candidate)
            return [_partial_value(item, each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    return None


@lru_cache(maxsize=256)
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(annotation)
