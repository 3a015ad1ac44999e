"""Notebooks made for a test, and pytest run on them in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.forked_kernels import NAME, shared_kernels
from tests.support.pytest_runs import OWN_PATHS, pytest_runs

_NOT_NEEDED = (
    "anyio",
    "asyncio",
    "benchmark",
    "codspeed",
    "hypothesispytest",
    "langsmith_plugin",
    "recording",
    "socket",
    "syrupy",
)
"""Plugins that happen to be installed and take seconds to import."""

_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Ran:
    """The exit code of pytest, and its output."""

    code: int
    said: str


def write_notebook(path: Path, *cells: str | tuple[str, list[str]]) -> Path:
    """Write a notebook of code cells that was never run; a cell may come with its tags."""
    written: list[dict[str, Any]] = []
    for place, cell in enumerate(cells):
        source, tags = cell if isinstance(cell, tuple) else (cell, [])
        written.append(
            {
                "cell_type": "code",
                "execution_count": None,
                "id": f"cell-{place}",
                "metadata": {"tags": tags} if tags else {},
                "outputs": [],
                "source": source.splitlines(keepends=True),
            }
        )
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {
        "cells": written,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(notebook, indent=1) + "\n")
    return path


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text in a file, which has it."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def run_pytest(
    folder: Path,
    *options: str,
    before: tuple[str, ...] = (),
    own_kernels: bool = False,
    imported: tuple[str, ...] = (),
    **variables: str,
) -> Ran:
    """Run pytest in a folder, with only the plugins of chatnb, nbval and xdist.

    Args:
        folder: The folder.
        options: Those of pytest.
        before: A command that runs pytest in a new process.
        own_kernels: Start kernels as people do, and not as copies of one that runs.
        imported: Modules that such copies have imported.
        variables: Those of the environment that differ.
    """
    if "--chatnb" in options and not own_kernels:
        options = ("--nbval-kernel-name", NAME, *options)
        variables = {"JUPYTER_PATH": shared_kernels(*imported), **variables}
    given = ["-q", "-p", "no:cacheprovider", *(f"-pno:{name}" for name in _NOT_NEEDED), *options]
    # Under CI, pytest's summary repeats whole messages.
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTEST_") and name not in {"CI", "BUILD_NUMBER"}
    }
    path = os.pathsep.join([*map(str, OWN_PATHS), os.environ.get("PYTHONPATH", "")])
    environment = {**kept, "PYTHONPATH": path, "JUPYTER_PLATFORM_DIRS": "1", **variables}
    (folder / "pytest.ini").write_text("[pytest]\n")
    output = folder / "pytest.out"
    if before:
        command = [*before, sys.executable, "-m", "pytest", *given]
        with output.open("w") as out:
            code = subprocess.run(
                command, cwd=folder, env=environment, stdout=out, stderr=out, timeout=500
            ).returncode
    else:
        code = pytest_runs().run(folder, given, environment)
    return Ran(code, _ESCAPE.sub("", output.read_text()))
