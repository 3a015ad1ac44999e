"""Text of outputs without what differs from run to run."""

from __future__ import annotations

import re

_CHANGES: tuple[tuple[str, str], ...] = (
    (r"\x1b\[[0-9;?]*[A-Za-z]", ""),
    (r"\b0x[0-9a-fA-F]{6,}\b", "<address>"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<id>"),
    (r"\b[0-9a-f]{32}\b", "<id>"),
    (
        r"\b(chatcmpl|resp|msg|call|run|req|rs|fc|toolu)([-_])(?=\w*\d)[A-Za-z0-9]{8,}\b",
        r"\1\2<id>",
    ),
    (r" ?\(request [\w-]+\)", ""),
    (
        r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?",
        "<time>",
    ),
    (r"\b\d{1,2}:\d\d:\d\d(?:[.,]\d+)?\b", "<time>"),
    (r"\b[\d.,]*\d\s?(?:tokens|tok|it|chunks|[kM]?B)/s\b", "<rate>"),
    (
        r"(?:(?:<|&lt;) ?)?(?<![\w.])\d+(?:[.,]\d+)?"
        r"(?:\s|&nbsp;)?(?:ns|[\u00b5\u03bc]s|us|ms|s|min)\b",
        "<duration>",
    ),
    (r"<duration>(?: <duration>)+", "<duration>"),
    (r"(?<=\b127\.0\.0\.1:)\d+|(?<=\blocalhost:)\d+", "<port>"),
    (r"(?:/private)?(?:/tmp|/var/folders|/var/tmp)(?:/[\w.+@-]+)+", "<temporary>"),
    (r"[A-Za-z]:\\[^\s\"']*\\Temp\\[^\s\"']+", "<temporary>"),
    (r"(?<=<ipython-input-)[\w-]+(?=>)", "<id>"),
    (r"[ \t]+$", ""),
)
_PATTERNS = tuple((re.compile(pattern, re.MULTILINE), new) for pattern, new in _CHANGES)


def normalised(text: str) -> str:
    """Take ids, times, durations, rates, addresses, ports and temporary paths out of a text.

    Args:
        text: What an output shows.

    Returns:
        The text with a word in brackets in the place of each.

    Example:
        >>> normalised("answered in 0.31 s at 12:00:01, 55.2 tokens/s, <W object at 0x7f0a12cd>")
        'answered in <duration> at <time>, <rate>, <W object at <address>>'
    """
    for pattern, new in _PATTERNS:
        text = pattern.sub(new, text)
    return text
