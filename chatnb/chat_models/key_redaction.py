"""API keys blotted out of errors: some servers repeat the key that they refuse."""

from __future__ import annotations

from typing import Any, cast

_SHORTEST_SECRET = 8
"""Servers that ask for no key are given words such as "none", which errors may well contain."""


def redact(key: str, *errors: Exception) -> None:
    """Blot a key out of errors, in place.

    Args:
        key: The key.
        errors: Errors of an SDK or of chatnb.

    Example:
        >>> error = ValueError("No such key: sk-very-secret")
        >>> redact("sk-very-secret", error)
        >>> error
        ValueError('No such key: ***')
    """
    if len(key) < _SHORTEST_SECRET:
        return
    for error in errors:
        error.args = tuple(_without(key, argument) for argument in error.args)
        for name, said in vars(error).items():
            if isinstance(said, str | dict):
                setattr(error, name, _without(key, said))


def _without(key: str, said: Any) -> Any:
    if isinstance(said, str):
        return said.replace(key, "***")
    if isinstance(said, dict):
        return {name: _without(key, value) for name, value in cast("dict[Any, Any]", said).items()}
    return said
