"""Surrogates: halves of characters, which cannot be written as UTF-8."""

from __future__ import annotations

import json
import re
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")
_HIGH_SURROGATE_AT_END = re.compile("[\ud800-\udbff]\\Z")


class SurrogateJoiner:
    """Joins surrogate pairs that arrive in separate chunks of text."""

    # JSON may write an emoji as two escapes, and a server may send each in a chunk of its own.
    # Half a pair cannot be encoded as UTF-8, so the first half is held until the second comes.

    def __init__(self) -> None:
        self._held = ""

    def push(self, text: str) -> str:
        """Return the text that is complete by now, with U+FFFD for unpaired halves."""
        if not self._held and (text.isascii() or not _SURROGATE.search(text)):
            return text
        text = self._held + text
        self._held = text[-1] if _HIGH_SURROGATE_AT_END.search(text) else ""
        return replace_surrogates(text[:-1] if self._held else text)

    def flush(self) -> str:
        """End the text: return U+FFFD for a half that is still held, else nothing."""
        text, self._held = self._held, ""
        return replace_surrogates(text)


def replace_surrogates(text: str) -> str:
    """Join surrogate pairs and replace unpaired halves by U+FFFD."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def encodable_json(value: Any) -> Any:
    """Return data of JSON without unpaired surrogates, which models and servers write at times.

    Example:
        >>> encodable_json({"title": "a\\ud83d"})["title"] == "a\\ufffd"
        True
    """
    return json.loads(replace_surrogates(json.dumps(value, ensure_ascii=False)))
