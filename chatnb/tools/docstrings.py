"""Docstrings in Google's style: what a function does, and what its arguments mean."""

from __future__ import annotations

import re
from typing import NamedTuple

_SECTION = re.compile(
    r"(Args|Arguments|Parameters|Attributes|Returns?|Raises|Yields?|Examples?|Notes?|Warnings?"
    r"|References|See Also|Source|Todo):\s*$"
)
_ARGUMENTS = ("Args", "Arguments", "Parameters")
_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")


class Docstring(NamedTuple):
    """What a docstring says.

    Args:
        description: All before its first section.
        arguments: The meaning of each argument, by name.
    """

    description: str
    arguments: dict[str, str]


def parse_docstring(text: str) -> Docstring:
    """Parse a docstring in Google's style.

    Source: https://google.github.io/styleguide/pyguide.html#383-functions-and-methods

    Args:
        text: The docstring, its indentation cleaned as `inspect.getdoc` does.

    Returns:
        What it says; nothing where it says nothing.

    Example:
        >>> parse_docstring("Add two numbers.\\n\\nArgs:\\n    a: The first,\\n        perhaps 0.")
        Docstring(description='Add two numbers.', arguments={'a': 'The first, perhaps 0.'})
    """
    description, section = list[str](), list[str]()
    heading: str | None = None
    for line in text.splitlines():
        begun = _SECTION.match(line)
        if begun:
            heading = begun[1]
        elif heading is None:
            description.append(line)
        elif heading in _ARGUMENTS:
            section.append(line)
    return Docstring("\n".join(description).strip(), _entries(section))


def _entries(lines: list[str]) -> dict[str, str]:
    """The entries of a section: each begins at the section's own indentation."""
    lines = [line for line in lines if line.strip()]
    margin = min((_indentation(line) for line in lines), default=0)
    entries, current = dict[str, str](), ""
    for line in lines:
        entry = _ENTRY.match(line.strip()) if _indentation(line) == margin else None
        if entry:
            current = entry[1]
            entries[current] = entry[2]
        elif current:
            entries[current] = f"{entries[current]} {line.strip()}".strip()
    return entries


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())
