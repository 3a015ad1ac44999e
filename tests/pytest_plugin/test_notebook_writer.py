"""Notebooks with the outputs of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from chatnb.pytest_plugin.notebook_writer import (
    accept_outputs,
    saved_outputs,
    with_outputs,
    write_executed,
)


def code(source: str, outputs: list[Any] | None = None) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": 7,
        "metadata": {},
        "outputs": outputs or [],
        "source": [source],
    }


def stream(text: Any) -> dict[str, Any]:
    return {"name": "stdout", "output_type": "stream", "text": text}


def result(text: Any, count: int | None = None) -> dict[str, Any]:
    data = {"text/plain": text}
    return {
        "data": data,
        "execution_count": count,
        "metadata": {},
        "output_type": "execute_result",
    }


def notebook(*cells: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"cells": [*cells], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


HEADING = {"cell_type": "markdown", "metadata": {}, "source": ["# A"]}


def test_outputs_of_a_run_take_the_place_of_the_saved_ones() -> None:
    """Cells that ran are numbered; the state of widgets goes, and equal outputs stay."""
    saved = notebook(
        HEADING,
        code("1", [result(["1"], 7)]),
        code("  "),
        code("print()", [stream(["a\n", "b"])]),
        code("2", [stream(["old"])]),
        kernel="k",
        widgets={"state": {}},
    )
    shown = [[result("1")], [], [stream("a\nb")], [result("2"), stream("x\ny\n")]]
    written = json.loads(with_outputs(json.dumps(saved), shown, {}))
    assert written["metadata"] == {"kernel": "k"}
    assert written["cells"][0] == HEADING
    assert [cell["execution_count"] for cell in written["cells"][1:]] == [1, None, 2, 3]
    assert [cell["outputs"] for cell in written["cells"][1:]] == [
        [result(["1"], 1)],
        [],
        [stream(["a\n", "b"])],
        [result(["2"], 3), stream(["x\n", "y\n"])],
    ]
    with pytest.raises(ValueError, match="shorter"):
        with_outputs(json.dumps(saved), shown[:3], {})


@pytest.mark.parametrize("indent", [None, 1, 4, "\t"])
@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("plain_ascii", [False, True])
def test_a_file_keeps_its_form(indent: Any, end: str, plain_ascii: bool) -> None:
    """Its indentation, the end of its last line, and how it writes letters beyond ASCII."""
    saved = notebook(code("'é'", [stream(["é"])]))
    saved["cells"][0]["execution_count"] = 1
    text = json.dumps(saved, indent=indent, ensure_ascii=plain_ascii) + end
    assert with_outputs(text, [[stream("é")]], {}) == text


def test_outputs_are_stored_as_lines() -> None:
    """Texts, markup and scripts; images and data stay whole, and views of widgets are left out."""
    data = {
        "text/html": "a\nb",
        "image/svg+xml": "c\nd",
        "application/javascript": "e\nf",
        "image/png": "QQ\n==",
        "application/json": {"a": "b\nc"},
        "application/vnd.jupyter.widget-view+json": {"model_id": "1"},
    }
    [stored] = saved_outputs([{"output_type": "display_data", "metadata": {}, "data": data}], 3)
    assert stored == {
        "data": {
            "application/javascript": ["e\n", "f"],
            "application/json": {"a": "b\nc"},
            "image/png": "QQ\n==",
            "image/svg+xml": ["c\n", "d"],
            "text/html": ["a\n", "b"],
        },
        "metadata": {},
        "output_type": "display_data",
    }
    assert list(stored["data"]) == sorted(stored["data"])


def test_accepted_outputs_leave_other_cells_as_they_are(tmp_path: Path) -> None:
    """Their cells are numbered among those that have code."""
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(notebook(code("1"), code(""), HEADING, code("2"), code("3"))))
    accept_outputs(path, {2: [result("2")]})
    written = json.loads(path.read_text())["cells"]
    assert [cell.get("execution_count") for cell in written] == [7, 7, None, 2, 7]
    assert [cell.get("outputs") for cell in written] == [[], [], None, [result(["2"], 2)], []]


def test_an_executed_copy_has_the_outputs_of_the_run_alone(tmp_path: Path) -> None:
    """Cells that did not run have none; the notebook that was read is not changed."""
    given = notebook(code("1", [stream(["old"])]), code("2", [stream(["old"])]))
    read = nbformat.from_dict({**given, "nbformat_minor": 4})
    path = tmp_path / "new" / "a.ipynb"
    write_executed(path, read, {1: [stream("new")]})
    cells = json.loads(path.read_text())["cells"]
    assert [(cell["execution_count"], cell["outputs"]) for cell in cells] == [
        (None, []),
        (1, [stream(["new"])]),
    ]
    assert read.cells[0].outputs[0].text == ["old"]
