"""The wheel and the sdist: what they hold, and that a clean environment can use them."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from uv import find_uv_bin

pytestmark = pytest.mark.packaging
CLONE = Path(__file__).parents[2]
IN_VENV = Path("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    answer = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, env=os.environ | environment
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def build(kind: str, source: Path, folder: Path, **environment: str) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", folder]
    run(*command, cwd=source, **environment)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", CLONE, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", CLONE, tmp_path_factory.mktemp("sdist"))


def in_wheel(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_what_is_not_python(wheel: Path) -> None:
    """The wheel holds the built front end, the notebooks, py.typed and the licence."""
    names = in_wheel(wheel)
    front_end = {
        f"chatnb/static/{path.name}" for path in (CLONE / "chatnb/static").glob("*.[jc]s*")
    }
    notebooks = {f"chatnb/notebooks/{path.name}" for path in (CLONE / "notebooks").glob("*.ipynb")}
    assert "chatnb/static/cell.js" in front_end
    assert "chatnb/notebooks/01_welcome.ipynb" in notebooks
    assert front_end | notebooks | {"chatnb/py.typed"} <= names
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    """No tests, no TypeScript and no leftovers travel with the wheel."""
    tops = {name.split("/")[0] for name in in_wheel(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"chatnb"}
    assert not [name for name in in_wheel(wheel) if "node_modules" in name or "__pycache__" in name]


def test_the_wheel_works_in_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    """Installed alone, with the pinned versions, it imports, and doctor misses nothing required."""
    uv, python = find_uv_bin(), tmp_path / "venv" / IN_VENV
    run(uv, "venv", "--python", sys.executable, "venv", cwd=tmp_path)
    constraints = CLONE / "constraints.txt"
    run(uv, "pip", "install", "--python", python, "--constraint", constraints, wheel, cwd=tmp_path)
    where = run(python, "-c", "import chatnb; print(chatnb.__file__)", cwd=tmp_path, PYTHONPATH="")
    assert Path(where.strip()).is_relative_to(tmp_path)
    report = run(python, "-m", "chatnb", "doctor", cwd=tmp_path, PYTHONPATH="")
    assert "cell.js" in report


@pytest.mark.thorough
def test_the_sdist_needs_no_node(sdist: Path, tmp_path: Path) -> None:
    """The sdist holds js/ and what is built from it: a wheel is made of it where no Node.js is."""
    with tarfile.open(sdist) as archive:
        assert not [name for name in archive.getnames() if "node_modules" in name]
        archive.extractall(tmp_path / "unpacked", filter="data")
    (source,) = (tmp_path / "unpacked").iterdir()
    assert (source / "js" / "package.json").is_file()
    wheel = build("wheel", source, tmp_path / "wheel", PATH="", PYTHONPATH="")
    assert "chatnb/static/cell.js" in in_wheel(wheel)
    assert "chatnb/notebooks/01_welcome.ipynb" in in_wheel(wheel)
