"""Names of tests that say what a cell or notebook does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chatnb.terminal import replace_control_characters

_MAX_LENGTH = 50
_LABEL = re.compile(r"#\|\s*label:\s*(.+)")
_COMMENT = re.compile(r"#+\s*(?!NBVAL_|%%)(\w.*)")
_HEADING = re.compile(r"#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


def cell_name(number: int, source: str, metadata: Mapping[str, Any]) -> str:
    """Return the name of a cell's test.

    Its number comes first, as pytest also finds `Cell 3` for `Cell 3[...]`.

    Example:
        >>> cell_name(3, "# Ask for a colour\\nchat.invoke('A colour?')", {})
        'Cell 3[Ask for a colour]'
    """
    return _named(f"Cell {number}", _label(source, metadata))


def notebook_name(markdown: Iterable[str]) -> str:
    """Return the name of the one test of a notebook, by its first heading.

    Args:
        markdown: The text of its cells of Markdown.
    """
    headings = (_HEADING.search(text) for text in markdown)
    return _named("Notebook", next((found[1] for found in headings if found), ""))


def _named(name: str, label: str) -> str:
    # pytest and xdist split names at two colons.
    line = " ".join(replace_control_characters(label).replace("::", ":").split())
    if len(line) > _MAX_LENGTH:
        line = line[: _MAX_LENGTH - 3].rsplit(" ", 1)[0] + "..."
    return f"{name}[{line}]" if line else name


def _label(source: str, metadata: Mapping[str, Any]) -> str:
    """Return the name that a cell has, its first comment, or what its first line does."""
    for name in ("name", "title"):
        if isinstance(metadata.get(name), str):
            return metadata[name]
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    if label := next((found[1] for line in lines if (found := _LABEL.match(line))), ""):
        return label
    if lines and (comment := _COMMENT.match(lines[0])):
        return comment[1]
    return _first_step(lines)


def _first_step(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    if lines[0].startswith("%%") and len(lines) > 1:  # The prompt of a %%chat cell says more.
        return lines[1]
    steps = (line for line in lines if not line.startswith(("import ", "from ", "#")))
    return next(steps, lines[0])
