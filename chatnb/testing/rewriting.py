"""New outputs written into a notebook's file, which stays as it is otherwise."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chatnb.testing.cassette_file import replace_text
from chatnb.testing.outputs import WIDGET_VIEW, difference


def rewrite(path: Path, outputs: Sequence[Sequence[Any]]) -> None:
    """Write the outputs of a run into a notebook.

    Outputs that differ from the saved ones in times and ids alone are left as they are, so that a
    diff shows what changed. The state of widgets is not saved.

    Args:
        path: The notebook.
        outputs: The outputs of each code cell.
    """
    text = path.read_text(encoding="utf-8")
    new = rewritten(text, outputs)
    if new != text:
        replace_text(path, new)


def rewritten(text: str, outputs: Sequence[Sequence[Any]]) -> str:
    """The text of a notebook with other outputs.

    Args:
        text: The notebook as JSON.
        outputs: The outputs of each code cell.

    Returns:
        JSON in the same layout; only outputs and execution counts differ.

    Example:
        >>> cell = {"cell_type": "code", "execution_count": None, "outputs": [], "source": "1"}
        >>> new = rewritten(json.dumps({"cells": [cell]}, indent=1), [[]])
        >>> json.loads(new)["cells"][0]["execution_count"]
        1
    """
    notebook = json.loads(text)
    notebook.get("metadata", {}).pop("widgets", None)
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    count = 0
    for cell, shown in zip(cells, outputs, strict=True):
        empty = not "".join(cell["source"]).strip()
        count += not empty
        cell["execution_count"] = None if empty else count
        cell["outputs"] = _outputs(cell["outputs"], shown, count)
    return _in_layout_of(text, notebook)


def _outputs(saved: list[dict[str, Any]], shown: Sequence[Any], count: int) -> list[dict[str, Any]]:
    new = [_output(each) for each in shown]
    unchanged = bool(saved) and not difference(
        [_joined(o) for o in saved], [_joined(o) for o in new]
    )
    kept = saved if unchanged and WIDGET_VIEW not in json.dumps(saved) else new
    for output in kept:
        if output["output_type"] == "execute_result":
            output["execution_count"] = count
    return kept


def _output(shown: Any) -> dict[str, Any]:
    """An output as files hold it: text as a list of lines, keys in order, no widget's view."""
    output: dict[str, Any] = json.loads(json.dumps(shown))
    if "text" in output:
        output["text"] = output["text"].splitlines(keepends=True)
    if "data" in output:
        data = {m: _in_lines(m, said) for m, said in output["data"].items() if m != WIDGET_VIEW}
        output["data"] = dict(sorted(data.items()))
    return dict(sorted(output.items()))


def _in_lines(mime: str, said: Any) -> Any:
    if isinstance(said, str) and (mime.startswith("text/") or mime.endswith(("xml", "javascript"))):
        return said.splitlines(keepends=True)
    return said


def _joined(output: dict[str, Any]) -> dict[str, Any]:
    """An output as kernels send it."""
    joined = {**output}
    if isinstance(joined.get("text"), list):
        joined["text"] = "".join(joined["text"])
    return joined


def _in_layout_of(text: str, notebook: Any) -> str:
    indent = re.search(r"^([ \t]+)\"", text, re.MULTILINE)
    plain_ascii = text.isascii() and "\\u" in text
    written = json.dumps(notebook, indent=indent[1] if indent else None, ensure_ascii=plain_ascii)
    return written + ("\n" if text.endswith("\n") else "")
