"""Notebooks that are text, have no outputs of their own, or take parameters."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support.notebook_runs import edit, run_pytest, write_notebook

pytestmark = pytest.mark.slow

ASK = "from chatnb import ScriptedChatModel\nprint(ScriptedChatModel(['Teal.']).invoke('?').text)"
HEADER = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% Ask
"""
KERNEL = "    display_name: Python 3\n    language: python\n    name: python3\n"
MARKDOWN = f"---\njupyter:\n  kernelspec:\n{KERNEL}---\n\n# Asking\n\n```python\n{{}}\n```\n"


def test_a_script_is_compared_with_its_cassette(tmp_path: Path) -> None:
    """A script of jupytext stays as it is, and one changed reply is caught."""
    script = tmp_path / "script.py"
    script.write_text(f"{HEADER}{ASK}\n")
    assert run_pytest(tmp_path, "--chatnb", "--chatnb-record", "script.py").code == 0
    assert script.read_text() == f"{HEADER}{ASK}\n"
    edit(tmp_path / "cassettes" / "script.yaml", "- text: Teal.", "- text: Tea1.")
    ran = run_pytest(tmp_path, "--chatnb", "script.py")
    assert "1 failed" in ran.said
    assert "+ Tea1." in ran.said


@pytest.mark.thorough
def test_text_and_stripped_notebooks_are_compared_with_their_cassettes(tmp_path: Path) -> None:
    """Files that jupytext or nbstripout leaves without outputs stay as they are, and one changed
    reply is caught; recording again changes nothing. Other scripts and pages are no notebooks."""
    written = [
        write_notebook(tmp_path / "stripped.ipynb", ASK),
        tmp_path / "script.py",
        tmp_path / "page.md",
    ]
    written[1].write_text(f"{HEADER}{ASK}\n")
    written[2].write_text(MARKDOWN.format(ASK))
    write_notebook(tmp_path / "paired.ipynb", "# NBVAL_IGNORE_OUTPUT\n1")
    (tmp_path / "paired.py").write_text(HEADER + "raise SystemExit")
    (tmp_path / "script.md").write_text(MARKDOWN.format("raise SystemExit"))
    (tmp_path / "module.py").write_text("raise SystemExit")
    (tmp_path / "README.md").write_text("# Nothing\n")
    (tmp_path / ".pre-commit-config.yaml").write_text("repos: [{repo: nbstripout}]\n")
    before = [path.read_text() for path in written]
    ran = run_pytest(tmp_path, "--chatnb", "--chatnb-record", ".", "script.py")
    assert "4 passed" in ran.said
    assert [path.read_text() for path in written] == before
    cassettes = [tmp_path / "cassettes" / f"{path.stem}.yaml" for path in written]
    recorded = [path.read_text() for path in cassettes]
    assert all("text: |\n      Teal.\n" in text for text in recorded)
    for cassette in cassettes[:2]:
        edit(cassette, "- text: Teal.", "- text: Tea1.")
    ran = run_pytest(tmp_path, "--chatnb", "-n1", ".")
    assert "2 failed, 2 passed" in ran.said
    assert ran.said.count("+ Tea1.") == 2
    for cassette, text in zip(cassettes, recorded, strict=True):
        cassette.write_text(text)
    names = [path.name for path in written]
    assert run_pytest(tmp_path, "--chatnb", "--chatnb-record", *names).code == 0
    assert [path.read_text() for path in cassettes] == recorded


def test_parameters_have_a_cassette_of_their_own(tmp_path: Path) -> None:
    """Also for their outputs, and the notebook stays as it is; a name that it does not have is
    refused, with those that it has."""
    notebook = write_notebook(
        tmp_path / "trip.ipynb",
        ("city = 'Oslo'\ndays: int = 2", ["parameters"]),
        f"{ASK}\nprint(city, days + 1)",
    )
    before = notebook.read_text()
    rome = ("--chatnb-parameter", "city=Rome", "--chatnb-parameter", "days=4")
    assert run_pytest(tmp_path, "--chatnb", "--chatnb-record", *rome, ".").code == 0
    assert notebook.read_text() == before
    cassette = tmp_path / "cassettes" / "trip.city=Rome.days=4.yaml"
    edit(cassette, "Rome 5", "Rome 4")
    ran = run_pytest(tmp_path, "--chatnb", *rome, ".")
    assert "+ Rome 5" in ran.said.splitlines()
    command = f"pytest --chatnb --chatnb-record {' '.join(rome)} trip.ipynb"
    assert f"To accept: {command}" in ran.said.splitlines()
    ran = run_pytest(tmp_path, "--chatnb", "--chatnb-parameter", "town=Rome", ".")
    assert (
        "trip.ipynb: there is no parameter town in the cell that is tagged 'parameters'. "
        "It has city, days."
    ) in ran.said.splitlines()
    ran = run_pytest(tmp_path, "--chatnb", "--chatnb-parameter", "Rome", ".")
    assert "a parameter is NAME=VALUE, not 'Rome'" in ran.said


def test_a_notebook_is_one_test_where_that_is_wanted(tmp_path: Path) -> None:
    """It fails with all of its cells that fail, and the page and the executed notebook have each
    of them; an unknown tag is one of the failures. A skipped cell keeps its outputs in a recording,
    and what earlier runs have executed is not collected."""
    write_notebook(
        tmp_path / "one.ipynb",
        "print(1)",
        ("print(2)", ["chatnb-aprox"]),
        "print(3)",
        ("print(4)", ["chatnb-skip-replay"]),
        ("1 / 0", ["nbval-skip"]),
    )
    kept = '"outputs": [{"output_type": "stream", "name": "stdout", "text": ["kept"]}],'
    edit(tmp_path / "one.ipynb", '"outputs": [],\n   "source": [\n    "1', f'{kept}"source": ["1')
    edit(tmp_path / "one.ipynb", "chatnb-aprox", "chatnb-approx")
    assert run_pytest(tmp_path, "--chatnb", "--chatnb-record", ".").code == 0
    assert '"kept"' in (tmp_path / "one.ipynb").read_text()
    edit(tmp_path / "one.ipynb", "chatnb-approx", "chatnb-aprox")
    edit(tmp_path / "one.ipynb", '"3\\n"', '"5\\n"')
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "earlier.ipynb").write_text("This is left alone.")
    options = ("--chatnb-one-test", "--chatnb-executed=out", "--chatnb-html=out", "-n1")
    ran = run_pytest(tmp_path, "--chatnb", *options, ".")
    assert "1 failed" in ran.said
    lines = ran.said.splitlines()
    assert "+ 3" in lines
    assert (
        "one.ipynb, code cell 1: there is no tag 'chatnb-aprox'. There are chatnb-approx, "
        "chatnb-exact, chatnb-skip-replay, chatnb-timeout."
    ) in lines
    assert "1 of 2 cells failed" in (tmp_path / "out" / "index.html").read_text()
    cells = json.loads((tmp_path / "out" / "one.ipynb").read_text())["cells"]
    texts = [[output["text"] for output in cell["outputs"]] for cell in cells]
    assert texts == [[["1\n"]], [], [["3\n"]], [], []]


def test_replies_that_nothing_requests_are_named_and_can_be_dropped(tmp_path: Path) -> None:
    """After a whole replay that passes, and not after one of some cells; the notebook and the
    other replies stay as they are."""
    old = "ScriptedChatModel(['Old.']).invoke('older')\nprint(2)"
    notebook = write_notebook(tmp_path / "less.ipynb", "print(1)", ASK, old)
    assert run_pytest(tmp_path, "--chatnb", "--chatnb-record", ".").code == 0
    cassette = tmp_path / "cassettes" / "less.yaml"
    edit(notebook, ".invoke('older')", "")
    ran = run_pytest(tmp_path, "--chatnb", ".", "-n1")
    assert ran.code == 0, ran.said
    lines = ran.said.splitlines()
    first = lines.index("cassettes/less.yaml has 1 reply that nothing requests:")
    assert lines[first + 1 : first + 3] == [
        "  older",
        "To drop it: python -m chatnb cassette prune cassettes/less.yaml",
    ]
    ran = run_pytest(tmp_path, "--chatnb", "less.ipynb::Cell 0")
    assert "nothing requests" not in ran.said
    before = notebook.read_text()
    ran = run_pytest(tmp_path, "--chatnb", "--chatnb-prune", ".")
    assert "Dropped from cassettes/less.yaml, as nothing requests it: 1 reply" in ran.said
    assert "older" not in cassette.read_text()
    assert "human: '?'" in cassette.read_text()
    assert notebook.read_text() == before


@pytest.mark.thorough
def test_a_notebook_runs_in_its_own_kernel_where_that_is_installed(tmp_path: Path) -> None:
    """Elsewhere in this environment; a kernel that cannot record says what to install."""
    start = "import sys; {}; from ipykernel.kernelapp import launch_new_instance as run; run()"
    for name, before in (("mine", "0"), ("bare", "sys.modules['chatnb'] = None")):
        folder = tmp_path / "share" / "kernels" / name
        folder.mkdir(parents=True)
        argv = [sys.executable, "-c", start.format(before), "-f", "{connection_file}"]
        spec = {"argv": argv, "display_name": name, "language": "python", "env": {"MINE": name}}
        (folder / "kernel.json").write_text(json.dumps(spec))
    for name in ("mine", "bare", "gone"):
        notebook = write_notebook(tmp_path / f"{name}.ipynb", "import os; print(os.getenv('MINE'))")
        edit(notebook, '"name": "python3"', f'"name": "{name}"')
    jupyter = str(tmp_path / "share")
    ran = run_pytest(
        tmp_path, "--chatnb", "--chatnb-record", ".", own_kernels=True, JUPYTER_PATH=jupyter
    )
    assert "2 passed, 1 error" in ran.said
    assert "The kernel 'bare' of bare.ipynb cannot record" in ran.said
    assert 'Install "chatnb[testing]" in its environment' in ran.said
    assert '"mine\\n"' in (tmp_path / "mine.ipynb").read_text()
    assert '"None\\n"' in (tmp_path / "gone.ipynb").read_text()
