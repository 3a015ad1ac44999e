"""The decorator and the base class of messages: dataclasses with methods of Pydantic models."""

from __future__ import annotations

import builtins
import inspect
from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from functools import wraps
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Literal,
    Self,
    TypeVar,
    cast,
    dataclass_transform,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Message = TypeVar("_Message")
_BESIDE_FIELDS = frozenset({"content_blocks", "example", "type"})
_BLOCKS = inspect.Parameter(
    "content_blocks",
    inspect.Parameter.KEYWORD_ONLY,
    default=None,
    annotation="list[dict[str, Any]] | None",
)


@dataclass_transform(field_specifiers=(field,))
def message_class(cls: type[_Message]) -> type[_Message]:
    """Make a dataclass of a message's class, whose content may be given as `content_blocks=`.

    It also takes its own `type`, which is no field, so that `model_dump` gives its arguments.
    """
    made = dataclass(repr=False)(cls)
    init = cast("Callable[..., None]", made.__init__)
    # A field would be copied by `dataclasses.replace`, over the content that it was read from.
    made.__init__ = _with_blocks(made.__name__, init)
    return made


def _with_blocks(name: str, init: Callable[..., None]) -> Callable[..., None]:
    @wraps(init)
    def __init__(self: Any, *args: Any, **fields: Any) -> None:
        if _BESIDE_FIELDS.isdisjoint(fields):
            init(self, *args, **fields)
            return
        content_blocks = fields.pop("content_blocks", None)
        if "type" in fields and fields.pop("type") != self.type:
            raise TypeError(f"The type of a {name} is {self.type!r}")
        fields.pop("example", None)  # LangChain's, which has no effect there either.
        if content_blocks is None:
            init(self, *args, **fields)
        elif args or "content" in fields:
            raise TypeError(f"{name} takes content or content_blocks=, not both")
        else:
            init(self, list(content_blocks), **fields)
            self._take_blocks()

    known = inspect.signature(init)
    parameters = [*known.parameters.values(), _BLOCKS]
    cast("Any", __init__).__signature__ = known.replace(parameters=parameters)
    return __init__


def is_default(instance: object, field: Field[Any]) -> bool:
    """Return whether a dataclass's field has its default, so that a repr may leave it out."""
    value = getattr(instance, field.name)
    if field.default_factory is not MISSING:
        return bool(value == field.default_factory())
    return field.default is not MISSING and bool(value == field.default)


class LazyField:
    """A field that is computed when first read and then stored in the chunk."""

    def __init__(self, name: str, compute: Callable[[Any], None]) -> None:
        self._name = name
        self._compute = compute

    def __get__(self, chunk: object, owner: type | None = None) -> Any:
        if chunk is None:
            return self
        self._compute(chunk)
        try:
            return vars(chunk)[self._name]
        except KeyError:
            raise AttributeError(f"{type(chunk).__name__} has no {self._name}") from None


class PydanticMethods:
    """The methods of a Pydantic model, for a dataclass that has a `type`."""

    type: ClassVar[str]

    def model_dump(
        self,
        *,
        mode: Literal["python", "json"] = "python",
        include: Collection[str] | None = None,
        exclude: Collection[str] = (),
        exclude_none: bool = False,
        exclude_defaults: bool = False,
    ) -> builtins.dict[str, Any]:
        """Return the fields and the type, as of a Pydantic model.

        Args:
            mode: `json` for values that JSON can express; what it cannot is there as its repr.
            include: The fields to return, by default all.
            exclude: The fields to leave out.
            exclude_none: True to leave out those that are None.
            exclude_defaults: True to leave out those that have their default.

        Returns:
            A new dict.

        Example:
            >>> from chatnb.schema import HumanMessage
            >>> HumanMessage("Hi").model_dump(exclude_defaults=True)
            {'content': 'Hi', 'type': 'human'}
        """
        own = fields(cast("DataclassInstance", self))
        given = [f.name for f in own if not (exclude_defaults and is_default(self, f))]
        dumped = {
            name: deepcopy(value)
            for name in (*given, "type")
            if (include is None or name in include) and name not in exclude
            if (value := getattr(self, name)) is not None or not exclude_none
        }
        if mode == "python":
            return dumped
        from pydantic_core import to_jsonable_python

        return to_jsonable_python(dumped, fallback=repr)

    def model_dump_json(self, *, indent: int | None = None, **options: Any) -> str:
        """Return the fields and the type as JSON, as of a Pydantic model.

        Args:
            indent: The spaces of a level; by default all is on one line.
            options: Those of `model_dump`.

        Returns:
            A text that `model_validate_json` reads.

        Example:
            >>> from chatnb.schema import HumanMessage
            >>> HumanMessage("Hi").model_dump_json(exclude_defaults=True)
            '{"content":"Hi","type":"human"}'
        """
        from pydantic_core import to_json

        return to_json(self.model_dump(**options), indent=indent, fallback=repr).decode()

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, as of a Pydantic model, whose new fields are validated.

        Args:
            update: Fields that differ.
            deep: True to copy the values, too.

        Returns:
            A new message of the same class.

        Raises:
            TypeError: If the message has no such field, or its value is of a wrong type.

        Example:
            >>> from chatnb.schema import HumanMessage
            >>> HumanMessage("Hi").model_copy(update={"name": "ada"})
            HumanMessage(content='Hi', name='ada')
        """
        copied = deepcopy(self) if deep else self
        return replace(cast("Any", copied), **(update or {}))

    @classmethod
    def model_validate(cls, obj: Any) -> Self:
        """Return an instance of the fields that `model_dump` returned, as of a Pydantic model.

        Args:
            obj: The fields by their names, or an instance, which is returned.

        Returns:
            An instance of this class.

        Raises:
            TypeError: If it is neither, or a field is unknown, missing or of a wrong type.
            ValueError: If the type is another class's.

        Example:
            >>> from chatnb.schema import HumanMessage
            >>> HumanMessage.model_validate({"content": "Hi", "type": "human"})
            HumanMessage(content='Hi')
        """
        if isinstance(obj, cls):
            return obj
        if not isinstance(obj, Mapping):
            raise TypeError(f"{cls.__name__} is made of a dict of its fields, not {obj!r}")
        given = dict(cast("Mapping[str, Any]", obj))
        if given.pop("type", cls.type) != cls.type:
            raise ValueError(f"{cls.__name__} is of type {cls.type!r}, not {obj['type']!r}")
        return cls(**given)

    @classmethod
    def model_validate_json(cls, json_data: str | bytes) -> Self:
        """Return an instance of the JSON that `model_dump_json` returned.

        Args:
            json_data: A JSON object of the fields.

        Returns:
            An instance of this class.

        Raises:
            TypeError: If a field is unknown, missing or of a wrong type.
            ValueError: If it is not JSON, or of another class.

        Example:
            >>> from chatnb.schema import HumanMessage
            >>> HumanMessage.model_validate_json('{"content":"Hi"}')
            HumanMessage(content='Hi')
        """
        from pydantic_core import from_json

        return cls.model_validate(from_json(json_data))

    def dict(self, **options: Any) -> builtins.dict[str, Any]:
        """Return `model_dump(...)`, by its name in Pydantic 1."""
        return self.model_dump(**options)

    def json(self, **options: Any) -> str:
        """Return `model_dump_json(...)`, by its name in Pydantic 1."""
        return self.model_dump_json(**options)

    def copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return `model_copy(...)`, by its name in Pydantic 1."""
        return self.model_copy(update=update, deep=deep)
