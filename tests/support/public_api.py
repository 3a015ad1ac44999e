"""The public names and their parameters: `python -m tests.support.public_api` writes them."""

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
    for name in module.__all__:
        value = getattr(module, name)
        path = f"{module_name}.{name}"
        if not inspect.isclass(value):
            yield f"{path}{parameters(value)}"
            continue
        yield f"class {path}{parameters(value)}"
        for member in sorted(vars(value)):
            # LangChain's attributes that are not here only raise an error that says so.
            if not member.startswith("_") and hasattr(value, member):
                yield f"{path}.{member}{parameters(inspect.getattr_static(value, member))}"


def parameters(value: Any) -> str:
    """Return the names of parameters, with `=...` for defaults; empty for what has none."""
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
            default=parameter.empty if parameter.default is parameter.empty else Default(),
        )
        for parameter in signature.parameters.values()
    ]
    return str(inspect.Signature(bare))


class Default:
    """A default whose value is not pinned."""

    def __repr__(self) -> str:
        return "..."


if __name__ == "__main__":
    PINNED.write_text("\n".join(public_api()) + "\n", "utf-8")
