"""Text that stays text in Markdown."""

from __future__ import annotations

import re

_SIGN = re.compile(r"([\\`*_\[\]<>|~$&!#])")


def plain_markdown(text: str) -> str:
    """Write a text as one line of Markdown that says just that, in a cell of a table as well.

    Args:
        text: Any text.

    Example:
        >>> plain_markdown("a | *b*\\n$x$")
        'a \\\\| \\\\*b\\\\* \\\\$x\\\\$'
    """
    return _SIGN.sub(r"\\\1", " ".join(text.split()))
