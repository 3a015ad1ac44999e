"""Names that a package exports and loads when they are first used (PEP 562)."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing itself takes longer to load than all that is loaded here.
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


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
