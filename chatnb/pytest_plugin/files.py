"""Files of notebooks: which of them can be run, and what is the matter with the others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

import pytest

_CONFLICT = re.compile(r"^(<{7}|={7}|>{7})( |$)", re.MULTILINE)


class BrokenNotebookError(Exception):
    """A file is no notebook that can be read."""


def check_notebook(path: Path, shown_path: str) -> None:
    """Raise BrokenNotebookError for a broken file, and skip a notebook of another language."""
    notebook: Any
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        notebook = json.loads(text)
    except UnicodeDecodeError as error:
        raise BrokenNotebookError(f"{shown_path} is not UTF-8: {error}") from None
    except json.JSONDecodeError as error:
        raise BrokenNotebookError(_problem(shown_path, text, error)) from None
    found = cast("dict[str, Any]", notebook) if isinstance(notebook, dict) else {}
    if found.keys().isdisjoint({"cells", "worksheets"}):
        raise BrokenNotebookError(f"{shown_path} is no notebook: it has no cells.")
    language = _language(found.get("metadata"))
    if not language.lower().startswith(("python", "ipython")):
        reason = f"its kernel runs {language}, and replies are recorded in Python only"
        pytest.skip(f"{shown_path}: {reason}", allow_module_level=True)


def _problem(shown_path: str, text: str, error: json.JSONDecodeError) -> str:
    if not text.strip():
        return f"{shown_path} is empty."
    if conflict := _CONFLICT.search(text):
        line = text.count("\n", 0, conflict.start()) + 1
        return (
            f"{shown_path} has a conflict of version control in line {line}. Keep the sources of "
            "both sides and the outputs of either, then record it again."
        )
    return f"{shown_path} is not JSON, so no notebook: {error}"


def _language(metadata: Any) -> str:
    """Return the language of a notebook; Python if it does not say."""
    found = cast("dict[str, Any]", metadata) if isinstance(metadata, dict) else {}
    kernel: Any = found.get("kernelspec") or {}
    info: Any = found.get("language_info") or {}
    return str(kernel.get("language") or info.get("name") or "python")
