"""How many tokens a text has: exactly with tiktoken, else about."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

_BYTES_PER_TOKEN = 4


def count_tokens(text: str, model_name: str) -> int:
    """Count the tokens of a text.

    With the extra `tokens` (tiktoken) the count is that of the model's own encoding, where
    tiktoken knows the model and has, or can fetch, its tables. Otherwise it is a quarter of the
    bytes, rounded up: about right for English prose, too low for code and for scripts that are
    rare in training data.

    Args:
        text: The text.
        model_name: The model's name, such as `gpt-4o-mini`.

    Example:
        >>> count_tokens("Hello there.", "some-model")
        3
    """
    encoding = _encoding(model_name)
    if encoding is not None:
        return len(encoding.encode(text, disallowed_special=()))
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / _BYTES_PER_TOKEN)


def _encoding(model_name: str) -> Any:
    try:
        return import_module("tiktoken").encoding_for_model(model_name)
    except (ImportError, KeyError, OSError):
        return None
