"""Names that a package exports and loads when they are first used (PEP 562)."""

from __future__ import annotations

import sys

_attribute_pointers: dict[str, str] = {}

TYPE_CHECKING = False  # typing itself takes longer to load than all that is loaded here.
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, NoReturn


def lazy_names(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a package's `__getattr__` and `__dir__`.

    Args:
        package: The package's own `__name__`.
        modules: The exported names of each module, with spaces between them.

    Example:
        >>> load, names = lazy_names("chatnb.lazy_names", {"math": "pi tau"})
        >>> load("pi"), names()
        (3.141592653589793, ['pi', 'tau'])
    """
    module_by_name = {name: home for home, names in modules.items() for name in names.split()}

    def load(name: str) -> Any:
        if name not in module_by_name:
            if name.startswith("_"):
                raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name)
            from chatnb.upstream_modules import find_name

            return find_name(package, name)
        from importlib import import_module

        value = getattr(import_module(module_by_name[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted(module_by_name)

    return load, names


def refuse_attribute(owner: object, name: str) -> NoReturn:
    """Raise the AttributeError for a missing attribute, with a pointer if LangChain has it."""
    pointer = _attribute_pointers.get(name)  # Whether an attribute is there is asked often.
    if pointer is None:
        pointer = _attribute_pointers[name] = _attribute_pointer(name)
    raise AttributeError(f"{type(owner).__name__!r} object has no attribute {name!r}{pointer}")


def _attribute_pointer(name: str) -> str:
    if name.startswith("__"):  # IPython and `copy` ask every object for such.
        return ""
    from chatnb.upstream_modules import attribute_pointer

    pointer = attribute_pointer(name)
    return f": {pointer}" if pointer else ""


def refuse_arguments(owner: object, given: Iterable[str]) -> None:
    """Raise a TypeError for the first argument that a class has not, with a pointer to another."""
    for name in given:
        from chatnb.upstream_modules import argument_pointer

        text = f"{type(owner).__name__} has no argument {name}=. {argument_pointer(name)}"
        raise TypeError(text.rstrip())


def names_of_package(package: str) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module that LangChain's users take for its package.

    Example:
        >>> load = names_of_package("chatnb.prompts")
        >>> load("PromptTemplate").__name__
        'PromptTemplate'
    """

    absent, _ = lazy_names(package, {})

    def load(name: str) -> Any:
        from importlib import import_module

        if name.startswith("_") or name not in import_module(package).__all__:
            return absent(name)
        return getattr(import_module(package), name)

    return load
