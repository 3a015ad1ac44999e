"""Packages that chatnb uses where they are installed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from chatnb.errors import MissingRuntimeError


def installed(module: str, method: str) -> Any:
    """Import a module of an optional package."""
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise MissingRuntimeError(
            f"{method} needs the package {package}. Install it with: pip install {package}"
        ) from None
