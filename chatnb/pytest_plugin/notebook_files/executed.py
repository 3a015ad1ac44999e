"""Notebooks as a run has executed them, written as artefacts."""

# pyright: standard
# nbformat has no types.

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat

from chatnb.files import replace_text
from chatnb.pytest_plugin.notebook_writer import saved_outputs


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
