"""Numbers of examples for Hypothesis."""

from __future__ import annotations

from hypothesis import settings

_DEFAULT = 100


def examples(number: int) -> int:
    """Return a number of examples, or a fifth of it where `make test` tries a fifth of them all."""
    return number * settings().max_examples // _DEFAULT
