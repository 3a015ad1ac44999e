"""The identity of a function across restarts: its code, and the values that it holds."""

from __future__ import annotations

import builtins
import hashlib
import re
import sys
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from types import (
    BuiltinFunctionType,
    CodeType,
    EllipsisType,
    FunctionType,
    MethodType,
    ModuleType,
)
from typing import Any, cast
from uuid import UUID, uuid4

_MAX_DEPTH = 100
_MAX_KEPT_ALIVE = 100
# Values of exactly these types are equal if their reprs are.
_TOLD_BY_REPR = frozenset(
    {
        *(type(None), bool, float, complex, str, bytes, range, EllipsisType),
        *(date, timedelta, timezone, Decimal, Fraction, UUID),
        *(PosixPath, PurePosixPath, PureWindowsPath, WindowsPath),
    }
)
_object_ids: dict[int, tuple[Callable[[], Any], str]] = {}
# Objects without weak references, kept so that no other one gets their address.
_kept_alive: OrderedDict[int, tuple[Any, str]] = OrderedDict()


def function_digest(function: object, *context: str) -> str:
    """Return a digest that another function, or the same one in another context, does not have.

    The same code with equal plain values has the same digest after a restart; an object that it
    holds is the same as long as it lives. What a function finds by name when it runs, such as other
    functions of its module, is not a part of it.
    """
    digest = hashlib.sha256()
    for part in (*context, *_Parts().of(function)):
        digest.update(f"{len(part)} {part}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


class _Parts:
    """The texts that tell a value from all others; each object within is described once."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[int, Any]] = {}  # With the object, whose address stays its own.
        self._depth = 0

    def of(self, value: Any) -> Iterator[str]:
        """Yield the parts of a value."""
        # By its exact type: a subclass may do anything, and `__class__` may tell a lie.
        type_ = cast("type[Any]", type(value))
        if type_ in _TOLD_BY_REPR:
            yield f"{type_.__name__} {value!r}"
        elif type_ is int:
            yield f"int {value:x}"
        elif type_ not in _PARTS or self._depth >= _MAX_DEPTH:
            yield from (type_.__qualname__, _object_id(value))
        elif id(value) in self._seen:
            yield f"seen {self._seen[id(value)][0]}"
        else:
            self._seen[id(value)] = len(self._seen), value
            self._depth += 1
            yield type_.__name__
            yield from _PARTS[type_](self, value)
            self._depth -= 1

    def of_items(self, items: Any) -> Iterator[str]:
        """Yield the number of items and the parts of each."""
        given = [*items]
        yield str(len(given))
        for item in given:
            yield from self.of(item)

    def of_function(self, function: FunctionType) -> Iterator[str]:
        """Yield the parts of a function: its place, its code, and the values that it holds."""
        yield from (str(function.__module__), function.__qualname__)
        cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
        held = (function.__code__, function.__defaults__, function.__kwdefaults__, cells)
        yield from self.of_items(held)

    def of_code(self, code: CodeType) -> Iterator[str]:
        """Yield the parts of code."""
        yield from (code.co_code.hex(), code.co_exceptiontable.hex(), str(code.co_flags))
        counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
        yield from self.of_items((*counts, code.co_names, code.co_varnames, code.co_consts))

    def of_builtin(self, function: BuiltinFunctionType) -> Iterator[str]:
        """Yield the parts of a function of C; the method of an object belongs to that object."""
        owner: Any = function.__self__
        yield from (function.__name__, str(function.__module__))
        yield from self.of(owner) if isinstance(owner, ModuleType) else (_object_id(owner),)

    def of_set(self, items: Any) -> Iterator[str]:
        """Yield the parts of a set, whose items have no order."""
        yield from sorted("\n".join(self.of(item)) for item in items)


_PARTS: dict[type, Callable[[_Parts, Any], Iterator[str]]] = {
    FunctionType: _Parts.of_function,
    CodeType: _Parts.of_code,
    BuiltinFunctionType: _Parts.of_builtin,
    MethodType: lambda parts, method: parts.of_items((method.__func__, method.__self__)),
    partial: lambda parts, part: parts.of_items((part.func, part.args, part.keywords)),
    list: _Parts.of_items,
    tuple: _Parts.of_items,
    dict: lambda parts, value: parts.of_items(value.items()),
    set: _Parts.of_set,
    frozenset: _Parts.of_set,
    type: lambda parts, class_: _named(class_, getattr(builtins, class_.__name__, None)),
    ModuleType: lambda parts, module: _named(module, sys.modules.get(module.__name__)),
    re.Pattern: lambda parts, pattern: parts.of_items((pattern.pattern, pattern.flags)),
    time: lambda parts, value: parts.of_items((str(value.replace(tzinfo=None)), value.tzinfo)),
    datetime: lambda parts, value: parts.of_items((str(value.replace(tzinfo=None)), value.tzinfo)),
}


def _named(value: Any, known: object) -> Iterator[str]:
    """Yield the name of a class of Python or of a module, or else what tells it from the others."""
    yield value.__name__ if known is value else _object_id(value)


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
        return _id_kept_alive(value)
    known = _object_ids[address] = reference, uuid4().hex
    return known[1]


def _id_kept_alive(value: Any) -> str:
    found = _kept_alive.setdefault(id(value), (value, uuid4().hex))
    _kept_alive.move_to_end(id(value))
    if len(_kept_alive) > _MAX_KEPT_ALIVE:
        _kept_alive.popitem(last=False)
    return found[1]


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False
