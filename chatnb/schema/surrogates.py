"""Characters that a wire split in two."""

from __future__ import annotations

import re

_LONE_HIGH_AT_END = re.compile("[\ud800-\udbff]\\Z")
_SURROGATE = re.compile("[\ud800-\udfff]")


class SurrogateJoiner:
    """Joins surrogate pairs that arrive in separate pieces of text.

    JSON may write an emoji as two escapes, and a server may send each in a chunk of its own. Half
    a pair cannot be written as UTF-8, so a first half waits here for its second.

    Example:
        >>> joiner = SurrogateJoiner()
        >>> joiner.push("a\\ud83d"), joiner.push("\\ude00b"), joiner.flush()
        ('a', '😀b', '')
    """

    def __init__(self) -> None:
        self._held = ""

    def push(self, text: str) -> str:
        """Take the next piece of text.

        Returns:
            The text that is complete by now, without unpaired halves (those become U+FFFD).
        """
        if not self._held and (text.isascii() or not _SURROGATE.search(text)):
            return text
        text = self._held + text
        self._held = text[-1] if _LONE_HIGH_AT_END.search(text) else ""
        return _joined(text[:-1] if self._held else text)

    def flush(self) -> str:
        """End the text: U+FFFD for a half that is still waiting, else nothing."""
        text, self._held = self._held, ""
        return _joined(text)


def _joined(text: str) -> str:
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
