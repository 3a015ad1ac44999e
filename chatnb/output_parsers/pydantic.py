"""Replies as objects of a Pydantic model, growing while they are streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from chatnb.errors import OutputParserError
from chatnb.output_parsers.json import GrowingJsonParser, json_body, json_instructions
from chatnb.output_parsers.partial_objects import partial_object

if TYPE_CHECKING:
    from pydantic import BaseModel

Model = TypeVar("Model", bound="BaseModel", covariant=True)


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
        return json_instructions(self.pydantic_object.model_json_schema())

    def value(self, data: Any, text: str) -> Model:
        from pydantic import ValidationError

        try:
            return self.pydantic_object.model_validate_json(json_body(text))
        except ValidationError as error:
            name = self.pydantic_object.__name__
            raise OutputParserError(f"The reply is no {name}: {error}", text=text) from error

    def partial_value(self, data: Any) -> Model:
        return partial_object(self.pydantic_object, data if isinstance(data, dict) else {})  # pyright: ignore[reportUnknownArgumentType]
