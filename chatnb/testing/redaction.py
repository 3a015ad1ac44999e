"""Secrets blotted out of what is written to a cassette."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

BLOT = "***"

_SHORTEST_SECRET = 8
"""Servers that ask for no key are given words such as "none", which a reply may well contain."""
_LOOKS_SECRET = re.compile(
    r"\b(?:sk|rk|pk|gsk|xai|org|proj|sess)[-_](?=[\w-]*\d)[\w-]{16,}|\bBearer\s+[\w.~+/=-]{8,}"
)
_OF_ORGANISATIONS = ("OPENAI_ORG_ID", "OPENAI_ORGANIZATION", "OPENAI_PROJECT_ID")
_OF_THE_ACCOUNT = ("organization", "project")


def secrets_of(model: object) -> list[str]:
    """Collect what must not be written of a model and of this process, the longest first.

    Args:
        model: A chat model; its secrets are the attributes that say they are, and the
            organisation that pays.

    Example:
        >>> secrets_of(object()) == secrets_of(None)
        True
    """
    own = cast("dict[str, Any]", getattr(model, "__dict__", {}))
    found = [value.get_secret_value() for value in own.values() if _is_secret(value)]
    found += [own.get(name) for name in _OF_THE_ACCOUNT]
    found += [v for name, v in os.environ.items() if name.endswith("_API_KEY")]
    found += [os.environ.get(name) for name in _OF_ORGANISATIONS]
    long = {text for text in found if isinstance(text, str) and len(text) >= _SHORTEST_SECRET}
    return sorted(long, key=len, reverse=True)


def redacted(value: Any, secrets: Iterable[str]) -> Any:
    """Blot secrets out of a value, and whatever looks like a key.

    Args:
        value: Text, or lists and dicts of it.
        secrets: The secrets that are known.

    Returns:
        A new value with `***` in their place.

    Example:
        >>> redacted({"said": ["the key is hunter2hunter2"]}, ["hunter2hunter2"])
        {'said': ['the key is ***']}
    """
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, BLOT)
        return _LOOKS_SECRET.sub(BLOT, value)
    if isinstance(value, Mapping):
        pairs = cast("Mapping[Any, Any]", value).items()
        return {redacted(name, secrets): redacted(said, secrets) for name, said in pairs}
    if isinstance(value, list | tuple):
        return [redacted(item, secrets) for item in cast("list[Any]", value)]
    return value


def _is_secret(value: object) -> bool:
    return hasattr(type(value), "get_secret_value")
