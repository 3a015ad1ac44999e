"""Pickles for other processes: objects that only this one can use, and objects found by name."""

from __future__ import annotations

import inspect
import pickle
import sys
from contextvars import ContextVar
from importlib import import_module
from typing import Any, NoReturn


class OfThisProcess:
    """A value that copies keep, and that pickles refuse with an error that says what to do."""

    def __init__(self, value: Any, problem: str) -> None:
        self.value = value
        self._problem = problem

    def __reduce__(self) -> NoReturn:
        raise TypeError(self._problem)


def name_in_module(item: object, definition: Any) -> tuple[str, str] | None:
    """Return the module and name under which other processes find what a decorator made."""
    module: str = getattr(definition, "__module__", "")
    name: str = getattr(definition, "__qualname__", "")
    if getattr(sys.modules.get(module), name, None) is not item:
        return None
    # cloudpickle sends what `__main__` defines, because its receivers have another `__main__`. Its
    # method is the first Python code above the pickler's.
    if module == "__main__" and "cloudpickle" in inspect.stack(0)[2].frame.f_globals["__name__"]:
        return None
    return module, name


def find_in_module(module: str, name: str) -> Any:
    """Return what a module has under a name."""
    return getattr(import_module(module), name)


def is_class_of_pickle() -> bool:
    """Return whether a class is being made from a pickle, and gets its methods later."""
    # cloudpickle, of which Ray and Spark have copies, makes classes of notebooks so.
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_name == "_make_skeleton_class":
            return True
        frame = frame.f_back
    return False


sending_keys: ContextVar[bool] = ContextVar("chatnb_sending_keys", default=False)


class KeyOfThisProcess:
    """A secret that copies keep, and pickles leave out unless `sending_keys` is set."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __deepcopy__(self, memo: object) -> KeyOfThisProcess:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return KeyOfThisProcess, (self.value if sending_keys.get() else None,)


def dumps(thing: Any, *, send_keys: bool = False) -> bytes:
    """Return a pickle for another process, with functions of a notebook or script by value."""
    token = sending_keys.set(send_keys)
    try:
        return _dumps(thing)
    finally:
        sending_keys.reset(token)


def _dumps(thing: Any) -> bytes:
    if isinstance(thing, str):  # Such as a million prompts.
        return pickle.dumps(thing)
    try:
        cloudpickle: Any = import_module("cloudpickle")
    except ImportError:
        return pickle.dumps(thing)
    return cloudpickle.dumps(thing)
