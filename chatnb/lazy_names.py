"""Names that a package announces and loads when they are first used (PEP 562)."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing itself takes longer to load than all that is loaded here.
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make a package's `__getattr__` and `__dir__`.

    Args:
        package: The package's own `__name__`.
        homes: For each module the names that the package takes from it, with spaces between them.

    Returns:
        The two functions; a name that was loaded becomes an attribute of the package.

    Example:
        >>> load, names = lazy_names("chatnb.lazy_names", {"math": "pi tau"})
        >>> load("pi"), names()
        (3.141592653589793, ['pi', 'tau'])
    """
    home_of = {name: home for home, names in homes.items() for name in names.split()}

    def load(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(home_of[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    def announced() -> list[str]:
        return sorted(home_of)

    return load, announced
