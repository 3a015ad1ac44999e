"""The public names, parameters and defaults: `python -m tests.support.public_api` writes them."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.test_exports import MODULES

PINNED = Path(__file__).parents[1] / "public_api.txt"


def public_api() -> list[str]:
    """Return a line for each public name, and for each public method of public classes."""
    return sorted({line for module in MODULES for line in lines_of(module)})


def lines_of(module_name: str) -> Iterator[str]:
    module = importlib.import_module(module_name)
    for name in names(module_name):
        value = getattr(module, name)
        path = f"{module_name}.{name}"
        if not inspect.isclass(value):
            yield f"{path}{parameters(value)}"
            continue
        yield f"class {path}{parameters(value)}"
        for member in members(value):
            # LangChain's attributes that are not here only raise an error that says so.
            if not member.startswith("_") and hasattr(value, member):
                yield f"{path}.{member}{parameters(inspect.getattr_static(value, member))}"


def members(value: type) -> list[str]:
    """Return the members of a class and of its private bases, but not those of public ones."""
    public = {id(getattr(importlib.import_module(m), name)) for m in MODULES for name in names(m)}
    bases = [base for base in value.__mro__[1:] if base.__module__.startswith("chatnb")]
    inherited = {name for base in bases if id(base) in public for name in dir(base)}
    private = {name for base in bases if id(base) not in public for name in vars(base)}
    documented = {name for name in private if is_documented(getattr(value, name, None))}
    twins = {f"a{name}" for name in documented} & private
    return sorted({*vars(value), *((documented | twins) - inherited)})


def is_documented(member: object) -> bool:
    """Return whether a member is a method for users; internal ones have a docstring of one line."""
    text = inspect.getdoc(member) or ""
    return inspect.isroutine(member) and ("Args:" in text or "Example:" in text)


def names(module_name: str) -> list[str]:
    return importlib.import_module(module_name).__all__


def parameters(value: Any) -> str:
    """Return the names of parameters and their defaults; empty for what has none."""
    called = value.__func__ if isinstance(value, classmethod | staticmethod) else value
    if not callable(called) or (inspect.isclass(called) and issubclass(called, dict)):
        return ""  # The parameters of a TypedDict are Python's.
    try:
        signature = inspect.signature(called)
    except (TypeError, ValueError):
        return ""
    bare = [
        parameter.replace(
            annotation=parameter.empty,
            default=Default(parameter.default) if has_default(parameter) else parameter.empty,
        )
        for parameter in signature.parameters.values()
    ]
    return str(inspect.Signature(bare))


def has_default(parameter: inspect.Parameter) -> bool:
    return parameter.default is not parameter.empty


class Default:
    """A default; its value is pinned if its repr is the same everywhere."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __repr__(self) -> str:
        is_plain = self._value is None or isinstance(self._value, bool | int | float | str)
        return repr(self._value) if is_plain else "..."


if __name__ == "__main__":
    PINNED.write_text("\n".join(public_api()) + "\n", "utf-8")
