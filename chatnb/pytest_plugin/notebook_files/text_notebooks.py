"""Notebooks that are text: Python scripts and Markdown files of jupytext."""

from __future__ import annotations

import re
from pathlib import Path

SUFFIXES = (".py", ".md")
_MAX_HEAD = 20_000
# The header of a script is a comment; that of Markdown is at its very beginning.
_HEADERS = {
    ".py": re.compile(r"(?:#!.*\n|#.*coding.*\n|\s*\n)*# ---\n((?:#.*\n)*?)# ---\n"),
    ".md": re.compile(r"---\n((?:.*\n)*?)---\n"),
}
_JUPYTEXT = re.compile(r"^(?:# )?(?:\s*)(?:jupyter|jupytext|kernelspec):", re.MULTILINE)


def is_text_notebook(path: Path) -> bool:
    """Return whether a file has the header of jupytext, and no notebook that it is paired with.

    Those have the same name, and would have the same cassette: of a script and a page, the script.
    """
    if path.suffix not in SUFFIXES or path.with_suffix(".ipynb").exists():
        return False
    if path.suffix == ".md" and is_text_notebook(path.with_suffix(".py")):
        return False
    try:
        with path.open(encoding="utf-8") as file:
            header = _HEADERS[path.suffix].match(file.read(_MAX_HEAD))
    except (OSError, UnicodeDecodeError):
        return False
    return header is not None and bool(_JUPYTEXT.search(header[1]))
