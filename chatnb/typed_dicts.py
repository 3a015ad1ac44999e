"""TypedDicts as Pydantic reads them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import UnionType
from typing import (
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)


def is_typed_dict(kind: Any) -> bool:
    """Tell whether something is a TypedDict, of `typing` or of `typing_extensions`.

    Args:
        kind: What may be a class.

    Example:
        >>> from typing import TypedDict
        >>> class City(TypedDict):
        ...     name: str
        >>> is_typed_dict(City), is_typed_dict(dict)
        (True, False)
    """
    return isinstance(kind, type) and dict in kind.__bases__ and hasattr(kind, "__required_keys__")


def for_pydantic(kind: Any) -> Any:
    """A type whose TypedDicts Pydantic can read.

    Before Python 3.12, TypedDicts of `typing` do not say enough of themselves for it, and it
    refuses them; so they are made anew with `typing_extensions`.

    Args:
        kind: Any type; one that a TypedDict of its own contains again stays as it is.

    Returns:
        The type, or one that means the same.

    Example:
        >>> from typing import TypedDict
        >>> class City(TypedDict, total=False):
        ...     name: Required[str]
        ...     people: int
        >>> sorted(for_pydantic(City).__required_keys__)
        ['name']
    """
    return _made_anew(kind, ()) if sys.version_info < (3, 12) else kind


def _made_anew(kind: Any, outer: tuple[Any, ...]) -> Any:
    if is_typed_dict(kind):
        own = type(kind).__module__ == "typing" and kind not in outer
        return _of_extensions(kind, (*outer, kind)) if own else kind
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (None, Literal):
        return kind
    anew = tuple(_made_anew(each, outer) for each in arguments)
    if anew == arguments:
        return kind
    made_of: Any = Union if origin is UnionType else origin
    return made_of[anew]


def _of_extensions(kind: Any, outer: tuple[Any, ...]) -> Any:
    import typing_extensions

    fields = dict[str, Any]()
    for name, hint in get_type_hints(kind, include_extras=True).items():
        said = get_origin(hint)
        bare = get_args(hint)[0] if said in (Required, NotRequired) else hint
        needed = name in kind.__required_keys__ if bare is hint else said is Required
        wrapper: Any = Required if needed else NotRequired
        fields[name] = wrapper[_made_anew(bare, outer)]
    anew = cast("Callable[..., Any]", typing_extensions.TypedDict)(kind.__name__, fields)
    anew.__doc__, anew.__module__ = kind.__doc__, kind.__module__
    return anew
