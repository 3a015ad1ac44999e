"""API keys that models need, except where a cassette answers in their place."""

from __future__ import annotations

from typing import TypeVar

from chatnb.errors import MissingKeyError
from chatnb.testing.active import is_replaying

K = TypeVar("K")

_STAND_IN = "(none: a cassette answers)"


def key_or_stand_in(key: K | None, refusal: str) -> K | str:
    """Give a model its key; one that is made for a replay is made without.

    Args:
        key: The key that was found, if any.
        refusal: What to say if there is none.

    Raises:
        MissingKeyError: If there is none, and no cassette is replayed.

    Example:
        >>> key_or_stand_in("sk-1", "Set a key.")
        'sk-1'
    """
    if key:
        return key
    if is_replaying():
        return _STAND_IN
    raise MissingKeyError(refusal)


def real_key(key: str, variable: str) -> str:
    """The key of a model that is about to call its provider.

    Args:
        key: The model's key.
        variable: Where such a key comes from.

    Raises:
        MissingKeyError: If the model was made for a replay, without a key.

    Example:
        >>> real_key("sk-1", "OPENAI_API_KEY")
        'sk-1'
    """
    if key != _STAND_IN:
        return key
    raise MissingKeyError(
        "This chat model was made without an API key, while a cassette was replayed. "
        f"To call the provider, set {variable} and make the model again."
    )
