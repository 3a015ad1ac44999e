"""`python -m chatnb lab`, up to the moment JupyterLab takes over."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.pytest_runs import OWN_PATHS

CLONE = Path(__file__).parents[2]
NOTEBOOKS = {path.name for path in (CLONE / "notebooks").glob("*.ipynb")}


def lab(*arguments: str, flags: tuple[str, ...] = (), **environment: str) -> str:
    """Run the command with an argument that has JupyterLab print its version and end."""
    command = [sys.executable, *flags, "-m", "chatnb", "lab", *arguments, "--", "--version"]
    path = os.pathsep.join(map(str, OWN_PATHS))
    environment = {**os.environ, "PYTHONPATH": path, **environment}
    answer = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, cwd=CLONE
    )
    return answer.stdout + answer.stderr


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.slow
def test_the_notebooks_are_copied(tmp_path: Path) -> None:
    """A folder that does not exist yet gets every notebook, and JupyterLab is started."""
    target = tmp_path / "new" / "mine"
    assert version("jupyterlab") in lab("--dir", str(target))
    assert "01_welcome.ipynb" in NOTEBOOKS
    assert names(target) == NOTEBOOKS


@pytest.mark.slow
def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A notebook that is there already keeps every byte, and is named."""
    mine = tmp_path / "01_welcome.ipynb"
    mine.write_text("my own work")
    answer = lab("--dir", str(tmp_path))
    assert mine.read_text() == "my own work"
    assert f"Kept as they are in {tmp_path}: 01_welcome.ipynb" in answer
    assert names(tmp_path) == NOTEBOOKS


@pytest.mark.slow
def test_the_clone_s_own_folder_is_used_in_place() -> None:
    """On the notebooks themselves, as `make lab` does it, nothing is copied and nothing is said."""
    answer = lab("--dir", "notebooks")
    assert answer.strip() == version("jupyterlab")
    assert {path.name for path in (CLONE / "notebooks").glob("*.ipynb")} == NOTEBOOKS


@pytest.mark.process
def test_without_jupyterlab_the_command_is_given(tmp_path: Path) -> None:
    """Without JupyterLab nothing is copied, and the message is the command that installs it."""
    target = tmp_path / "mine"
    answer = lab("--dir", str(target), flags=("-S",))
    assert "JupyterLab is not installed" in answer
    assert "install jupyterlab ipykernel" in answer
    assert "Traceback" not in answer
    assert not target.exists()
