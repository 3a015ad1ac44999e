"""Changes of notebooks that call models, and which test tools notice them.

python benchmarks/notebook_tests.py     # writes the table of docs/testing.md

Needs nbmake, nbval and pytest-recording in this environment. Each tool runs one of the notebooks of
tests/testing with the server that they were recorded from, first as it is and then with the change.
It has noticed a change if cells or tests fail that did not fail before.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.support import style_server as server_module  # noqa: E402
from tests.support.style_runs import copied  # noqa: E402
from tests.support.style_server import style_server  # noqa: E402

_GUIDE = ROOT / "docs" / "testing.md"
_MARKS = "<!-- peers -->", "<!-- end of peers -->"
_FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)
_NOTED = "that was already used|that nothing requests"
_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")
# pytest-recording works in tests, so that one test runs all cells of the notebook.
_AS_TEST = """\
import json, pytest
from pathlib import Path
from IPython.core.interactiveshell import InteractiveShell

@pytest.mark.vcr(match_on=("method", "scheme", "host", "path", "body"))
def test_notebook():
    shell = InteractiveShell.instance()
    for cell in json.loads(Path("{name}.ipynb").read_text())["cells"]:
        if cell["cell_type"] == "code":
            result = shell.run_cell("".join(cell["source"]))
            if "raises-exception" not in cell["metadata"].get("tags", []):
                result.raise_error()
"""
_LATER = """\
import datetime, os
if days := int(os.environ.get("DAYS_LATER", "0")):
    import time_machine
    time_machine.travel(datetime.datetime.now() + datetime.timedelta(days=days)).start()
"""


class Change(NamedTuple):
    """A change of a notebook or of what is around it.

    Args:
        name: Its name, for the table.
        notebook: The notebook that is changed.
        cells: Changes the cells, where the notebook is changed.
        answer: A word of a prompt and another reply to it, where the model has changed.
        options: What is different around it: `offline`, `no key` or `next day`.
        is_error: False if all should pass.
    """

    name: str
    notebook: str
    cells: Callable[[list[dict[str, Any]]], None] | None = None
    answer: tuple[str, str] | None = None
    options: frozenset[str] = frozenset()
    is_error: bool = True


def _edit(old: str, new: str) -> Callable[[list[dict[str, Any]]], None]:
    def change(cells: list[dict[str, Any]]) -> None:
        cell = next(cell for cell in cells if old in "".join(cell["source"]))
        cell["source"] = "".join(cell["source"]).replace(old, new, 1)

    return change


def _edit_output(old: str, new: str) -> Callable[[list[dict[str, Any]]], None]:
    def change(cells: list[dict[str, Any]]) -> None:
        text = json.dumps(cells)
        assert old in text
        cells[:] = json.loads(text.replace(old, new))

    return change


def _swap(cells: list[dict[str, Any]]) -> None:
    cells[2], cells[3] = cells[3], cells[2]


CHANGES = (
    Change("nothing", "openai_quickstart", is_error=False),
    Change("another reply", "openai_quickstart", answer=("soup", "Boil it for an hour.")),
    Change(
        "a character of a reply", "openai_quickstart", answer=("colours", "Red, green and blve.")
    ),
    Change("a character of a prompt", "openai_quickstart", _edit("How long does", "How lomg does")),
    Change("a parameter of a call", "openai_quickstart", _edit("temperature=0)", "temperature=1)")),
    Change("a saved output", "openai_quickstart", _edit_output("717710", "717711")),
    Change(
        "the data of a figure",
        "data_analysis",
        _edit("plot(scores, marker", "plot(scores[::-1], marker"),
    ),
    Change("an exception", "openai_quickstart", _edit("call.function.name,", "call.function.nam,")),
    Change("a call less", "benchmark", _edit("    model.invoke(word)", "    pass")),
    Change("two cells in another order", "data_analysis", _swap),
    Change("no network", "openai_quickstart", options=frozenset({"offline"}), is_error=False),
    Change("no key", "openai_quickstart", options=frozenset({"no key"}), is_error=False),
    Change("the next day", "anthropic_tools", options=frozenset({"next day"}), is_error=False),
)


class Tool(NamedTuple):
    """A test tool.

    Args:
        name: Its name.
        record: The options with which it records, if it does.
        run: The options with which it tests.
    """

    name: str
    record: tuple[str, ...]
    run: tuple[str, ...]


TOOLS = (
    Tool("chatnb", ("--chatnb", "--chatnb-record"), ("--chatnb",)),
    Tool("nbval", (), ("--nbval",)),
    Tool("nbmake", (), ("--nbmake",)),
    Tool("pytest-recording", ("--record-mode=rewrite",), ("--record-mode=none", "--block-network")),
)


def verdict(tool: Tool, change: Change) -> str:
    """Return what a tool says of a change, for a cell of the table."""
    with tempfile.TemporaryDirectory() as made:
        folder = _prepared(Path(made, "notebooks"), change.notebook)
        with style_server() as server:
            variables = _variables(server.base_url)
            before = _failures(_pytest(folder, tool, tool.run if not tool.record else tool.record,
                                       change.notebook, variables))  # fmt: skip
            if change.cells is not None:
                _change_cells(folder / f"{change.notebook}.ipynb", change.cells)
            if change.answer is not None and tool.record:
                # A recording of the changed model, compared with the outputs of before.
                saved = (folder / f"{change.notebook}.ipynb").read_text()
                with _answering(*change.answer):
                    _pytest(folder, tool, _again(tool), change.notebook, variables)
                (folder / f"{change.notebook}.ipynb").write_text(saved)
            if "offline" not in change.options:
                with _answering(*(change.answer or ("", ""))):
                    return _result(folder, tool, change, variables, before)
        return _result(folder, tool, change, variables, before)


def _again(tool: Tool) -> tuple[str, ...]:
    return ("--chatnb", "--chatnb-refresh") if tool.name == "chatnb" else tool.record


def _result(
    folder: Path, tool: Tool, change: Change, variables: Mapping[str, str], before: set[str]
) -> str:
    given = dict(variables)
    if "no key" in change.options:
        given = {name: value for name, value in given.items() if name not in _KEYS}
    if "next day" in change.options:
        given["DAYS_LATER"] = "1"
    output = _pytest(folder, tool, tool.run, change.notebook, given)
    new = _failures(output) - before
    if not change.is_error:
        shown = _failures(output)
        return f"{len(shown)} fail" if shown else "passes"
    if new:
        return "caught"
    return "a note" if re.search(_NOTED, output) else "**missed**"


def _prepared(folder: Path, name: str) -> Path:
    copied(folder, name)
    (folder / "test_notebook.py").write_text(_AS_TEST.format(name=name))
    (folder / "sitecustomize.py").write_text(_LATER)
    (folder / "pytest.ini").write_text("[pytest]\n")
    return folder


def _variables(base_url: str) -> dict[str, str]:
    return {
        **dict.fromkeys(_KEYS, "sk-none"),
        "OPENAI_BASE_URL": base_url,
        "ANTHROPIC_BASE_URL": base_url.removesuffix("/v1"),
    }


def _pytest(
    folder: Path, tool: Tool, options: tuple[str, ...], name: str, variables: Mapping[str, str]
) -> str:
    """Run pytest with a tool, and return its output."""
    file = "test_notebook.py" if tool.name == "pytest-recording" else f"{name}.ipynb"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-rfE",
        *options,
        file,
    ]
    path = os.pathsep.join([str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")])
    inherited = {name: value for name, value in os.environ.items() if name not in _KEYS}
    environment = {**inherited, "PYTHONPATH": path, "COLUMNS": "200", **variables}
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return ran.stdout


def _failures(output: str) -> set[str]:
    return {name.strip() for name in _FAILED.findall(output)}


def _answering(word: str, reply: str) -> Any:
    return patch.dict(server_module._ANSWERS, {word: reply} if word else {})  # pyright: ignore


def _change_cells(path: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    notebook = json.loads(path.read_text())
    change(notebook["cells"])
    path.write_text(json.dumps(notebook))


def main() -> None:
    """Try all tools with all changes, print the table and write it."""
    lines = [f"| what is changed | {' | '.join(tool.name for tool in TOOLS)} |", "|---" * 5 + "|"]
    for change in CHANGES:
        found = [verdict(tool, change) for tool in TOOLS]
        lines.append(f"| {change.name} | {' | '.join(found)} |")
        print(lines[-1], flush=True)
    text = _GUIDE.read_text()
    start, end = text.index(_MARKS[0]) + len(_MARKS[0]), text.index(_MARKS[1])
    _GUIDE.write_text(text[:start] + "\n\n" + "\n".join(lines) + "\n\n" + text[end:])


if __name__ == "__main__":
    main()
