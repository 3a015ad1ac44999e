"""Files of notebooks: which of them can be run, and what is the matter with the others."""

# pyright: standard
# nbformat and jupytext have no types.

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from chatnb.errors import error_line
from chatnb.pytest_plugin.notebook_files.text_notebooks import SUFFIXES

# In Markdown, a line of seven = is below a heading.
_TEXT_CONFLICT = re.compile(r"^(<{7}|>{7}) ", re.MULTILINE)
# An escape of JSON, which may be one half of a pair, and a half that is left alone.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_HALF = re.compile("[\ud800-\udfff]")
_CONFLICT = re.compile(r"^(<{7}|={7}|>{7})( |$)", re.MULTILINE)
_RESTORE = "Restore it from version control, or save it in Jupyter again."


class BrokenNotebookError(Exception):
    """A file is no notebook that can be read."""


def read_notebook(path: Path, shown_path: str) -> Any:
    """Read a notebook; skip the file if its language is not Python.

    Args:
        path: The file, of Jupyter or jupytext.
        shown_path: Its path, for people.

    Raises:
        BrokenNotebookError: If it is no notebook.
    """
    import nbformat

    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BrokenNotebookError(f"{shown_path} is not UTF-8: {error}. {_RESTORE}") from None
    if path.suffix not in SUFFIXES:
        _check(text, shown_path)
        notebook = _parsed(lambda: nbformat.reads(text, as_version=4), shown_path)
    else:
        notebook = _parsed(_text_reader(text, path, shown_path), shown_path)
    if problem := _cell_problem(notebook):
        raise BrokenNotebookError(f"{shown_path} is no valid notebook: {problem}. {_RESTORE}")
    language = _language(notebook.metadata)
    if not language.lower().startswith(("python", "ipython")):
        reason = f"its kernel runs {language}, and replies are recorded in Python only"
        pytest.skip(f"{shown_path}: {reason}", allow_module_level=True)
    return notebook


def _parsed(read: Callable[[], Any], shown_path: str) -> Any:
    """Return what a library reads, which raises all kinds of exceptions for what is no notebook."""
    try:
        return read()
    except Exception as error:
        problem = error_line(error).partition("\n")[0]
        raise BrokenNotebookError(
            f"{shown_path} is no valid notebook: {problem}. {_RESTORE}"
        ) from None


def _text_reader(text: str, path: Path, shown_path: str) -> Callable[[], Any]:
    if conflict := _conflict(text, shown_path, _TEXT_CONFLICT):
        raise BrokenNotebookError(conflict)
    try:
        import jupytext
    except ImportError:
        raise BrokenNotebookError(
            f"{shown_path} is a notebook of jupytext, which is not installed: pip install jupytext"
        ) from None
    return lambda: jupytext.reads(text, fmt=path.suffix)


def _check(text: str, shown_path: str) -> None:
    notebook: Any
    try:
        notebook = json.loads(text)
    except json.JSONDecodeError as error:
        raise BrokenNotebookError(_problem(shown_path, text, error)) from None
    found = cast("dict[str, Any]", notebook) if isinstance(notebook, dict) else {}
    cells: Any = found.get("cells", found.get("worksheets"))
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise BrokenNotebookError(f"{shown_path} is no notebook: it has no cells. {_RESTORE}")
    if half := _SURROGATE.search(text) and _HALF.search(json.dumps(notebook, ensure_ascii=False)):
        raise BrokenNotebookError(
            f"{shown_path} has half of a character ({half[0]!a}), which no kernel can be sent. "
            "Remove it, or write it as an escape of Python."
        )


def _cell_problem(notebook: Any) -> str:
    """Return what a cell lacks that is needed to run it, or ""; nbformat only logs that."""
    for number, cell in enumerate(notebook.cells):
        needed = {"cell_type": str, "source": str, "metadata": dict}
        if cell.get("cell_type") == "code":
            needed["outputs"] = list
        for name, type_ in needed.items():
            if not isinstance(cell.get(name), type_):
                return f"cell {number} has no {name}"
    return ""


def _problem(shown_path: str, text: str, error: json.JSONDecodeError) -> str:
    if not text.strip():
        return f"{shown_path} is empty. {_RESTORE}"
    if conflict := _conflict(text, shown_path):
        return conflict
    return f"{shown_path} is not JSON, so no notebook: {error}. {_RESTORE}"


def _conflict(text: str, shown_path: str, marks: re.Pattern[str] = _CONFLICT) -> str:
    """Return the sentence about the first mark of a conflict, or "" if there is none."""
    conflict = marks.search(text)
    if conflict is None:
        return ""
    line = text.count("\n", 0, conflict.start()) + 1
    return (
        f"{shown_path} has a conflict of version control in line {line}. Keep the sources of "
        "both sides and the outputs of either, then record it again."
    )


def _language(metadata: Any) -> str:
    """Return the language of a notebook; Python if it does not say."""
    kernel, info = _mapping(metadata, "kernelspec"), _mapping(metadata, "language_info")
    return str(kernel.get("language") or info.get("name") or "python")


def kernel_name(metadata: Any) -> str:
    """Return the name of the kernel of a notebook, or "" if it does not say."""
    return str(_mapping(metadata, "kernelspec").get("name") or "")


def _mapping(data: Any, name: str) -> dict[str, Any]:
    found: Any = data.get(name) if isinstance(data, dict) else None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
