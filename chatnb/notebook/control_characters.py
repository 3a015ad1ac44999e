"""What a terminal would obey instead of showing it."""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def made_visible(text: str) -> str:
    """Text in which control characters are written out, all but tabs and line ends.

    Example:
        >>> made_visible("a\\x1b]0;owned")
        'a\\\\x1b]0;owned'
    """
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
