"""Pickles for other processes: objects that only this one can use, and objects found by name."""

from __future__ import annotations

import inspect
import sys
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
