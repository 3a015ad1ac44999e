"""The steps that Binder would take with binder/, without Docker, in a fresh venv."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from uv import find_uv_bin

pytestmark = pytest.mark.packaging
CLONE = Path(__file__).parents[2]
GIGABYTE = 2**30
QUIET = {"OPENAI_API_KEY": "", "CHATNB_MODEL_PATH": "", "PYTHONPATH": ""}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the repository, as they are now, and nothing that was built."""
    folder = tmp_path_factory.mktemp("binder") / "clone"
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=CLONE, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (CLONE / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CLONE / name, folder / name)
    return folder


def test_the_image_installs_the_requirements_and_runs_the_post_build(clone: Path) -> None:
    """repo2docker's own Dockerfile takes both files of binder/, and the Python of runtime.txt."""
    command = [find_uv_bin(), "tool", "run", "--from", "jupyter-repo2docker==2026.4.0"]
    command += ["jupyter-repo2docker", "--no-build", "--debug", "."]
    made = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=True)
    dockerfile = made.stdout + made.stderr
    assert 'install --no-cache-dir -r "binder/requirements.txt"' in dockerfile
    assert "RUN ./binder/postBuild" in dockerfile
    assert "3.11" in dockerfile


@pytest.mark.thorough
def test_the_welcome_notebook_runs_in_two_gigabytes(clone: Path, tmp_path: Path) -> None:
    """Installed and built as the image is, with no key, JupyterLab opens on the welcome notebook,
    and what runs it takes less memory than Binder gives."""
    uv, venv = find_uv_bin(), tmp_path / "venv"
    environment = {**os.environ, **QUIET, "HOME": str(tmp_path), "VIRTUAL_ENV": str(venv)}
    environment["PATH"] = os.pathsep.join([str(venv / "bin"), os.environ["PATH"]])
    made: Any = {"cwd": clone, "env": environment, "check": True}
    subprocess.run([uv, "venv", "--seed", "--python", sys.executable, venv], **made)
    subprocess.run([uv, "pip", "install", "-r", "binder/requirements.txt"], **made)
    subprocess.run(["bash", "binder/postBuild"], **made)
    config = tmp_path / ".jupyter" / "jupyter_server_config.py"
    assert "/lab/tree/notebooks/01_welcome.ipynb" in config.read_text()
    _shorten_replies(clone / "notebooks" / "01_welcome.ipynb")
    command = ["python", "-m", "nbconvert", "--to", "notebook", "--execute", "01_welcome.ipynb"]
    command += ["--output-dir", str(tmp_path)]
    with subprocess.Popen(command, cwd=clone / "notebooks", env=environment) as run:
        most = _most_memory(run)
    assert run.returncode == 0
    assert "smollm2-135m-instruct" in (tmp_path / "01_welcome.ipynb").read_text(encoding="utf-8")
    assert most < 2 * GIGABYTE, f"{most / GIGABYTE:.2f} GB"
    print(f"At most {most / GIGABYTE:.2f} GB")


def _shorten_replies(notebook: Path) -> None:
    """End the replies to its cells early: the runtime takes its memory before the first token."""
    document = json.loads(notebook.read_text(encoding="utf-8"))
    chats = [cell["source"] for cell in document["cells"] if cell["source"][0].startswith("%%chat")]
    for source in chats:
        options = re.sub(r" --max-tokens \d+", "", source[0].rstrip("\n"))
        source[0] = f"{options} --max-tokens 16\n"
    assert len(chats) > 3
    notebook.write_text(json.dumps(document), encoding="utf-8")


def _most_memory(run: subprocess.Popen[bytes]) -> int:
    """The most that a process and its children ever took together, in bytes."""
    most, parent = 0, psutil.Process(run.pid)
    while True:
        try:
            run.wait(0.2)
        except subprocess.TimeoutExpired:
            most = max(most, _memory(parent))
        else:
            return most


def _memory(parent: psutil.Process) -> int:
    taken = 0
    for process in (parent, *parent.children(recursive=True)):
        try:
            taken += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return taken
