"""`python -m chatnb doctor`, seen from outside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

CLONE = Path(__file__).parents[2]


def doctor(*flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    return subprocess.run(
        [sys.executable, *flags, "-m", "chatnb", "doctor"],
        capture_output=True,
        text=True,
        check=False,
        cwd=CLONE,
        env={**clean, **environment},
    )


def test_the_key_is_never_shown() -> None:
    """Doctor says that a key is set, and no part of it."""
    key = "sk-proj-7hUqXw2LzPa9"
    answer = doctor(OPENAI_API_KEY=key)
    assert "OPENAI_API_KEY  set\n" in answer.stdout
    for part in (key[:12], key[8:]):
        assert part not in answer.stdout + answer.stderr


def test_no_key_is_no_problem() -> None:
    """Without a key the embedded model answers: the exit code stays 0."""
    answer = doctor()
    assert "OPENAI_API_KEY  not set" in answer.stdout
    assert answer.returncode == 0, answer.stdout


def test_every_part_has_a_line() -> None:
    """The table names what a bug report needs: versions, front end, weights, key."""
    parts = [line.split("  ")[0] for line in doctor().stdout.split("\n\n")[0].splitlines()]
    assert parts == [
        "Python", "chatnb", "openai", "pydantic", "ipython", "ipywidgets", "anywidget",
        "ipykernel", "jupyterlab", "xllamacpp", "front end", "model weights", "OPENAI_API_KEY",
    ]  # fmt: skip


def test_versions_are_those_that_are_installed() -> None:
    """A bug report has them, and so the reader need not ask."""
    shown = dict(re.findall(r"^(\S+)  +(\S+)", doctor().stdout, re.M))
    for package in ("chatnb", "openai", "pydantic", "ipython"):
        assert shown[package] == version(package)


def test_missing_packages_come_with_a_command() -> None:
    """In a Python without packages doctor still runs, fails, and says what to type for each."""
    answer = doctor("-S", PYTHONPATH=str(CLONE))
    assert answer.returncode == 1, answer.stderr
    assert re.search(r"^chatnb +not installed, run from its folder$", answer.stdout, re.M)
    for package in ("openai", "pydantic", "ipywidgets", "anywidget"):
        assert f"\n{package}: chatnb needs it\n" in answer.stdout
        assert f" install {package}" in answer.stdout
    assert "jupyterlab (optional): python -m chatnb lab needs it" in answer.stdout


def test_a_wrong_model_path_is_named(tmp_path: Path) -> None:
    """A CHATNB_MODEL_PATH that leads nowhere is said with the path, and how to do without."""
    nowhere = tmp_path / "missing.gguf"
    answer = doctor(CHATNB_MODEL_PATH=str(nowhere))
    assert f"CHATNB_MODEL_PATH says {nowhere}, which is no file" in answer.stdout
    assert "python -m chatnb download smollm2" in answer.stdout


def test_doctor_imports_none_of_what_it_looks_at() -> None:
    """A broken package cannot keep doctor from saying so: none of them is imported."""
    code = (
        "import sys; from chatnb.cli import main; main(['doctor']);"
        "print('loaded:', [n for n in ('openai', 'pydantic', 'IPython', 'ipywidgets', 'anywidget',"
        " 'jupyterlab', 'xllamacpp') if n in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CLONE
    )
    assert answer.stdout.endswith("loaded: []\n")


def test_a_reader_that_leaves_is_no_error() -> None:
    """`python -m chatnb doctor | head -1` prints no traceback."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "chatnb", "doctor"]
    left = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False, cwd=CLONE)
    os.close(write)
    assert (left.returncode, left.stderr) == (1, b"")
