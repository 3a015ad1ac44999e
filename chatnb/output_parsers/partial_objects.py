"""Objects of which not all is there yet."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from pydantic import TypeAdapter


def partial_object(kind: type[Any], data: dict[str, Any]) -> Any:
    """An object with what is there of its data, made without validation.

    Args:
        kind: A Pydantic model or a dataclass.
        data: The values that there are; texts and lists may be short of their end.

    Returns:
        The object. What is not there, or not valid as far as it goes, has its default or is None.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass
        ... class City:
        ...     name: str
        ...     people: int
        >>> partial_object(City, {"name": "Os"})
        City(name='Os', people=None)
    """
    if hasattr(kind, "model_fields"):
        return _partial_model(kind, data)
    hints, partial = get_type_hints(kind), object.__new__(kind)
    for field in fields(kind):
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
    """The value as what it is going to be; None if that cannot be said yet."""
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
            return [_partial_value(item, each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    return None


def _has_fields(candidate: Any) -> bool:
    return hasattr(candidate, "model_fields") or is_dataclass(candidate)


@lru_cache(maxsize=256)
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(annotation)
