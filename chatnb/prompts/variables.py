"""The values of a prompt's variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chatnb.errors import MissingVariableError


def refuse_missing(
    needed: Iterable[str], values: Mapping[str, Any], partials: Mapping[str, Any] | None = None
) -> None:
    """Raise a MissingVariableError if values lack a variable; `partials` are given as well."""
    missing = [name for name in needed if name not in values]
    if missing:
        raise MissingVariableError(missing, [*values, *(partials or ())]) from None


def values_for(input: Any, partials: Mapping[str, Any], needed: Iterable[str]) -> Mapping[str, Any]:
    """Return all values of a prompt: those of the input, which win, and its partial values."""
    needed = [*needed]
    if not isinstance(input, Mapping) and input is not None and len(needed) == 1:
        input = {needed[0]: input}
    if not isinstance(input, Mapping):
        raise TypeError(
            "A prompt takes a dict with a value for each variable "
            f"({', '.join(needed) or 'it has none'}), or the value of its only one, "
            f"not {type(input).__name__}: {input!r}"
        )
    refuse_missing(needed, input, partials)  # pyright: ignore[reportUnknownArgumentType]
    if not partials:
        return input  # pyright: ignore[reportUnknownVariableType]
    given = {name: value() if callable(value) else value for name, value in partials.items()}
    return {**given, **input}  # pyright: ignore[reportUnknownVariableType]
