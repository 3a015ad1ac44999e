"""Write new outputs into a notebook file, without any other change, or into a copy of it."""

# pyright: standard
# nbformat has no types.

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat

from chatnb.files import replace_text
from chatnb.pytest_plugin.outputs import EQUAL, WIDGET_VIEW, Comparison, difference


def rewrite(
    path: Path,
    outputs: Sequence[Sequence[Any]],
    rules: Mapping[int, Comparison],
) -> None:
    """Write the outputs of each code cell into a notebook, without the state of widgets.

    Args:
        path: The notebook's file.
        outputs: The outputs of each code cell.
        rules: How outputs are compared, by the number of the cell. Equal ones stay as they are.
    """
    text = path.read_text(encoding="utf-8")
    new = with_outputs(text, outputs, rules)
    if new != text:
        replace_text(path, [new])


def with_outputs(
    text: str, outputs: Sequence[Sequence[Any]], rules: Mapping[int, Comparison]
) -> str:
    """Return the text of a notebook with other outputs."""
    notebook = json.loads(text)
    notebook.get("metadata", {}).pop("widgets", None)
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    count = 0
    for number, (cell, shown) in enumerate(zip(cells, outputs, strict=True)):
        empty = not "".join(cell["source"]).strip()
        count += not empty
        cell["execution_count"] = None if empty else count
        # A diff shows real changes only: how alike a cell has to be does not matter here.
        compared = rules.get(number, EQUAL)._replace(similarity=None)
        cell["outputs"] = _outputs(cell["outputs"], shown, count, compared)
    return _dump_like(text, notebook)


def _outputs(
    saved: list[dict[str, Any]], shown: Sequence[Any], count: int, rules: Comparison
) -> list[dict[str, Any]]:
    new = saved_outputs(shown, count)
    unchanged = bool(saved) and not difference(
        [_joined(o) for o in saved], [_joined(o) for o in new], rules
    )
    kept = saved if unchanged and WIDGET_VIEW not in json.dumps(saved) else new
    for output in kept:
        if output["output_type"] == "execute_result":
            output["execution_count"] = count
    return kept


def saved_outputs(shown: Sequence[Any], count: int) -> list[dict[str, Any]]:
    """Return the outputs of a cell as files store them.

    Args:
        shown: The outputs, as kernels send them.
        count: The number of the cell among those that ran.
    """
    outputs = [_output(output) for output in shown]
    for output in outputs:
        if output["output_type"] == "execute_result":
            output["execution_count"] = count
    return outputs


def _output(shown: Any) -> dict[str, Any]:
    """Return an output as files store it: text as lines, sorted keys, no widget view."""
    output: dict[str, Any] = json.loads(json.dumps(shown))
    if "text" in output:
        output["text"] = output["text"].splitlines(keepends=True)
    if "data" in output:
        data = {
            mime: _as_lines(mime, item)
            for mime, item in output["data"].items()
            if mime != WIDGET_VIEW
        }
        output["data"] = dict(sorted(data.items()))
    return dict(sorted(output.items()))


def _as_lines(mime: str, data: Any) -> Any:
    if isinstance(data, str) and (mime.startswith("text/") or mime.endswith(("xml", "javascript"))):
        return data.splitlines(keepends=True)
    return data


def _joined(output: dict[str, Any]) -> dict[str, Any]:
    """Return an output as kernels send it, with joined text."""
    joined = {**output}
    if isinstance(joined.get("text"), list):
        joined["text"] = "".join(joined["text"])
    return joined


def accept_outputs(path: Path, accepted: Mapping[int, Sequence[Any]]) -> None:
    """Write the outputs of some code cells into a notebook, and leave the others as they are."""
    text = path.read_text(encoding="utf-8")
    notebook = json.loads(text)
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, outputs in accepted.items():
        ran = (cell for cell in cells[: number + 1] if "".join(cell["source"]).strip())
        count = sum(1 for _ in ran)
        cells[number]["execution_count"] = count
        cells[number]["outputs"] = saved_outputs(outputs, count)
    replace_text(path, [_dump_like(text, notebook)])


def _dump_like(text: str, notebook: Any) -> str:
    indent = re.search(r"^([ \t]+)\"", text, re.MULTILINE)
    plain_ascii = text.isascii() and "\\u" in text
    written = json.dumps(notebook, indent=indent[1] if indent else None, ensure_ascii=plain_ascii)
    return written + ("\n" if text.endswith("\n") else "")


def write_executed(path: Path, notebook: Any, outputs: Mapping[int, Sequence[Any]]) -> None:
    """Write a copy of a notebook with the outputs of a run.

    Args:
        path: The file to write.
        notebook: The notebook.
        outputs: The outputs of the code cells that ran, by number; others have none.
    """
    executed = copy.deepcopy(notebook)
    count = 0
    for number, cell in enumerate(c for c in executed.cells if c.cell_type == "code"):
        cell.outputs, cell.execution_count = [], None
        if number in outputs:
            count += 1
            cell.execution_count = count
            cell.outputs = nbformat.from_dict(saved_outputs(outputs[number], count))
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, [nbformat.writes(executed) + "\n"])
