"""Parts of notebooks, and files that cannot be run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from coverage import CoverageData

from tests.support.notebook_runs import edit, run_pytest, write_notebook

pytestmark = pytest.mark.slow

CELLS = ("a = 1", "b = a + 1", "print(a + b)", "print('end')")


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded notebook whose cells need those before them."""
    folder = tmp_path_factory.mktemp("selected")
    path = write_notebook(folder / "sums.ipynb", *CELLS)
    assert run_pytest(folder, "--chatnb", "--chatnb-record", ".").code == 0
    return path


@pytest.mark.parametrize(
    ("options", "passed"),
    [(["sums.ipynb::Cell 2"], 1), ([".", "-k", "end or 2"], 2)],
)
def test_selected_cells_run_after_those_that_they_need(
    notebook: Path, options: list[str], passed: int
) -> None:
    """One cell by its name, and several; the others are not reported."""
    ran = run_pytest(notebook.parent, "--chatnb", *options)
    assert ran.code == 0, ran.said
    assert f"{passed} passed" in ran.said


def test_last_failed_runs_the_cells_that_failed(notebook: Path, tmp_path: Path) -> None:
    """By their names with labels, after the cells before them."""
    copy = tmp_path / "sums.ipynb"
    copy.write_text(notebook.read_text())
    edit(copy, '"3\\n"', '"4\\n"')
    options = ("--chatnb", "-p", "cacheprovider")
    assert "1 failed, 3 passed" in run_pytest(tmp_path, *options, ".").said
    ran = run_pytest(tmp_path, *options, "--lf", ".")
    assert "1 failed in" in ran.said
    assert "passed" not in ran.said


def test_a_cell_before_that_fails_is_told(notebook: Path, tmp_path: Path) -> None:
    """With its number and its error, as the selected cell is not to blame."""
    copy = tmp_path / "sums.ipynb"
    copy.write_text(notebook.read_text())
    edit(copy, "b = a + 1", "b = a / 0")
    ran = run_pytest(tmp_path, "--chatnb", "sums.ipynb::Cell 2")
    lines = ran.said.splitlines()
    assert "sums.ipynb, code cell 2 was not run, as it comes after a cell that failed." in lines
    assert "Code cell 1: ZeroDivisionError: division by zero" in lines


def test_a_notebook_without_outputs_fails(tmp_path: Path) -> None:
    """Nothing was compared, so that nothing was tested; with the command that saves outputs."""
    write_notebook(tmp_path / "bare.ipynb", "1", "2")
    ran = run_pytest(tmp_path, "--chatnb", ".")
    assert "1 failed, 1 passed" in ran.said
    assert (
        "bare.ipynb, code cell 1: Nothing was compared, as bare.ipynb has no outputs. "
        "To save them: pytest --chatnb --chatnb-record bare.ipynb"
    ) in ran.said.splitlines()


def test_files_that_cannot_be_run_say_why(notebook: Path, tmp_path: Path) -> None:
    """Broken ones in one sentence without a traceback; those of other languages are skipped."""
    text = notebook.read_text()
    conflict = f"{text[:40]}\n<<<<<<< HEAD\n=======\n>>>>>>> theirs\n{text[40:]}"
    other = json.loads(text)
    other["metadata"] = {"kernelspec": {"name": "ir", "language": "R"}}
    for name, written in (
        ("conflict", conflict),
        ("torn", text[:100]),
        ("empty", ""),
        ("list", "[]"),
        ("cells", '{"cells": [3]}'),
        ("version", '{"cells": [], "nbformat": 99, "nbformat_minor": 0, "metadata": {}}'),
        ("source", text.replace('"source": [', '"sources": [')),
        ("half", text.replace("a = 1", "# \\ud83d")),
        ("whole", text.replace("a = 1", "a = 1 # \\ud83d\\ude00")),
        ("r", json.dumps(other)),
    ):
        (tmp_path / f"{name}.ipynb").write_text(written)
    (tmp_path / "latin.ipynb").write_bytes(b'{"cells": "\xe9"}')
    ran = run_pytest(tmp_path, "--chatnb", "-rs", ".")
    for said in (
        "conflict.ipynb has a conflict of version control in line",
        "torn.ipynb is not JSON, so no notebook:",
        "empty.ipynb is empty.",
        "list.ipynb is no notebook: it has no cells. Restore it from version control, or save it",
        "cells.ipynb is no notebook: it has no cells.",
        "version.ipynb is no valid notebook: NBFormatError: Unsupported nbformat version 99.",
        "source.ipynb is no valid notebook: cell 0 has no source.",
        "half.ipynb has half of a character ('\\ud83d'), which no kernel can be sent.",
        "latin.ipynb is not UTF-8:",
        "r.ipynb: its kernel runs R, and replies are recorded in Python only",
    ):
        assert said in ran.said
    assert "Traceback" not in ran.said
    assert "1 skipped, 9 errors" in ran.said


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("ignored = []", "there is no ignored. There are ignore, allow_hosts, outputs."),
        ("ignore = 'a'", "ignore is a list of texts"),
        ("ignore = ['/(/']", "is no regular expression"),
        ("allow_hosts = [1]", "allow_hosts is a list of texts"),
        ("outputs = ", "Invalid value"),
        ("outputs = 'git'", "outputs is one of notebook, cassette, not 'git'."),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, table: str, said: str) -> None:
    """Before anything runs, with the file and what it may have."""
    (tmp_path / "pyproject.toml").write_text(f"[tool.chatnb]\n{table}\n")
    ran = run_pytest(tmp_path, "--chatnb", ".")
    assert ran.code == pytest.ExitCode.USAGE_ERROR
    assert "pyproject.toml" in ran.said
    assert said in ran.said


def test_settings_say_what_is_ignored(tmp_path: Path) -> None:
    """A prompt that differs in an ignored part is replayed."""
    (tmp_path / "pyproject.toml").write_text("[tool.chatnb]\nignore = ['/take [0-9a-f]+/']\n")
    write_notebook(
        tmp_path / "takes.ipynb",
        "import secrets\nfrom chatnb import ScriptedChatModel\n"
        "print(ScriptedChatModel(['Hi.']).invoke(f'Hello, take {secrets.token_hex(4)}').text)",
    )
    assert run_pytest(tmp_path, "--chatnb", "--chatnb-record", ".").code == 0
    ran = run_pytest(tmp_path, "--chatnb", ".")
    assert ran.code == 0, ran.said


AS_PYTEST_COV = """
from types import SimpleNamespace
from coverage import Coverage

def pytest_configure(config):
    cov = Coverage(data_file=".coverage", source=["code"])
    controller = SimpleNamespace(cov_controller=SimpleNamespace(cov=cov))
    config.pluginmanager.register(controller, "_cov")
"""


def test_coverage_is_that_of_code_that_notebooks_call(tmp_path: Path) -> None:
    """By a path relative to where pytest runs, though a kernel runs in the notebook's folder."""
    (tmp_path / "conftest.py").write_text(AS_PYTEST_COV)
    for name in ("code", "notebooks"):
        (tmp_path / name).mkdir()
    (tmp_path / "code" / "counted.py").write_text("def run():\n    return 1\n\n\nleft = 2\n")
    write_notebook(
        tmp_path / "notebooks" / "calls.ipynb",
        "import sys\nsys.path.insert(0, '../code')",
        "from counted import run\nrun()",
    )
    assert run_pytest(tmp_path, "--chatnb", "--chatnb-record", "notebooks").code == 0
    data = CoverageData(str(next(tmp_path.glob(".coverage*"))))
    data.read()
    measured = {Path(file).name: data.lines(file) for file in data.measured_files()}
    assert {name: sorted(lines or []) for name, lines in measured.items()} == {
        "counted.py": [1, 2, 5]
    }


def test_a_report_of_junit_has_no_outputs(notebook: Path, tmp_path: Path) -> None:
    """The page of outputs and the review get them by the reports of tests, as xdist sends them."""
    (tmp_path / "sums.ipynb").write_text(notebook.read_text().replace("'end'", "'END'"))
    for option, said in (("--chatnb-html=page", "1 failed"), ("--chatnb-review=terminal", "END")):
        ran = run_pytest(tmp_path, "--chatnb", option, "--junitxml=cells.xml", ".")
        assert said in ran.said
        written = (tmp_path / "cells.xml").read_text()
        assert written.count("<testcase ") == len(CELLS)
        assert "<property " not in written
    assert "END" in (tmp_path / "page" / "index.html").read_text()
