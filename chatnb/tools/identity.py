"""The identity of a function across restarts: its code, and the values that it holds."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any, cast
from uuid import uuid4

_MAX_DEPTH = 20
_PLAIN = (type(None), bool, int, float, str, bytes)
_TOLD_BY_REPR = ("builtins", "datetime", "decimal", "fractions", "pathlib", "re", "uuid")
_PROCESS = uuid4().hex
_object_ids: dict[int, tuple[Callable[[], Any], str]] = {}


def function_digest(function: object, *context: str) -> str:
    """Return a digest that another function, or the same one in another context, does not have.

    The same code with equal plain values has the same digest after a restart; an object that it
    holds is the same as long as it lives. What a function finds by name when it runs, such as other
    functions of its module, is not a part of it.
    """
    digest = hashlib.sha256()
    for part in (*context, *_parts(function, 0)):
        digest.update(f"{len(part)} {part}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _parts(value: Any, depth: int) -> Iterator[str]:
    inner = depth + 1
    if depth > _MAX_DEPTH:  # Such as a function that holds itself.
        yield "..."
    elif isinstance(value, FunctionType):
        yield from ("function", str(value.__module__), value.__qualname__)
        yield from _parts(value.__code__, inner)
        cells = [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
        for held in (value.__defaults__, value.__kwdefaults__, cells):
            yield from _parts(held, inner)
    elif isinstance(value, CodeType):
        yield from (value.co_code.hex(), " ".join((*value.co_names, *value.co_varnames)))
        yield from _parts(value.co_consts, inner)
    elif isinstance(value, partial):
        yield "partial"
        yield from _parts((value.func, value.args, value.keywords), inner)
    elif isinstance(value, MethodType):
        yield "method"
        yield from _parts((value.__func__, value.__self__), inner)
    elif type(value) is dict:
        yield "dict"
        yield from _parts([*cast("dict[Any, Any]", value).items()], inner)
    elif type(value) in (list, tuple):
        yield f"{type(value).__name__} {len(value)}"
        for item in value:
            yield from _parts(item, inner)
    else:
        name = "" if type(value) in _PLAIN else getattr(value, "__qualname__", "")
        yield f"{type(value).__module__} {type(value).__qualname__} {name} {value!r}"
        if not _is_told_by_repr(value):
            yield _object_id(value)


def _is_told_by_repr(value: Any) -> bool:
    """Return whether two values with one repr are equal, also after a restart."""
    if isinstance(value, type):
        return value.__module__ == "builtins"
    is_of_python = type(value).__module__.partition(".")[0] in _TOLD_BY_REPR
    return is_of_python and not isinstance(value, set | frozenset)


def _object_id(value: Any) -> str:
    """Return an id of an object that no other has, of this process or of another."""
    # A class may have a repr of its own, which hides what its objects do, and a class that is
    # defined again has the repr of the one before. An address is that of another object later.
    address = id(value)
    reference, id_ = _object_ids.get(address, (lambda: None, ""))
    if reference() is value:
        return id_
    try:
        reference = weakref.ref(value, lambda _: _object_ids.pop(address, None))
    except TypeError:
        return f"{_PROCESS} {address}"
    known = _object_ids[address] = reference, uuid4().hex
    return known[1]


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False
