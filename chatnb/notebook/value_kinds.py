"""What a value is, in a few words, without telling what is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import Any

_SCALARS = (bool, int, float, complex, str, bytes, type(None))
_COLLECTIONS = (list, tuple, set, frozenset, dict)
_MOST_CHARACTERS = 40
_MOST_ITEMS = 3
_MOST_COLUMNS = 30


def kind_of(value: Any, *, shown: bool = True) -> str:
    """The type of a value, its size, and its repr if that is short and plain.

    Args:
        value: Anything; no code of its class runs but that of its shape and length.
        shown: Whether its repr may be told.

    Example:
        >>> kind_of(3), kind_of([1, 2, 3, 4]), kind_of("sk-1", shown=False)
        ('int 3', 'list of 4 (int, int, int, ...)', 'str of 4')
        >>> kind_of({"a": [1]})
        "dict of 1 ('a': list)"
    """
    name = type(value).__qualname__
    if type(value) in (str, bytes):
        size = f"{name} of {len(value)}"
        return f"{size} {value!r}" if shown and len(value) <= _MOST_CHARACTERS else size
    if type(value) in _SCALARS:
        return f"{name} {value!r:.{_MOST_CHARACTERS}}" if shown else name
    if type(value) in _COLLECTIONS:
        return f"{name} of {len(value)}{_items(value) if shown else ''}"
    return f"{_full_name(type(value))}{_shape(value)}"


def _items(value: Any) -> str:
    first = [item for item, _ in zip(value, range(_MOST_ITEMS), strict=False)]
    if isinstance(value, Mapping):
        told = [f"{_key(key)}: {type(value[key]).__qualname__}" for key in first]
    else:
        told = [type(item).__qualname__ for item in first]
    more = ["..."] if len(value) > _MOST_ITEMS else []
    return f" ({', '.join([*told, *more])})" if told else ""


def _key(key: Any) -> str:
    is_short = type(key) in _SCALARS and len(repr(key)) <= _MOST_CHARACTERS
    return repr(key) if is_short else type(key).__qualname__


def _full_name(kind: type) -> str:
    plain = kind.__module__ in ("builtins", "__main__")
    return kind.__qualname__ if plain else f"{kind.__module__}.{kind.__qualname__}"


def _shape(value: Any) -> str:
    """The shape of an array or a table, with the names of its columns; else the length."""
    try:
        shape, columns = getattr(value, "shape", None), getattr(value, "columns", None)
        told = f" of shape {tuple(shape)}" if isinstance(shape, tuple) else ""
        if told and columns is not None:
            names = [_key(column) for column, _ in zip(columns, range(_MOST_COLUMNS), strict=False)]
            return f"{told} with columns {', '.join(names)}"
        dtype = getattr(value, "dtype", None)
        if told:
            return f"{told}, {dtype}" if dtype is not None else told
        return f" of {len(value)}" if isinstance(value, Sized) else ""
    except Exception:  # Whatever its class does, there is still its name.
        return ""
