"""The findings of `python -m chatnb doctor` in other versions and in incomplete copies."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import chatnb
from chatnb.cli import main
from chatnb.cli.download import install_command, shell_command

PACKAGE = Path(chatnb.__file__).parent
PARTS = ("chatnb", "openai", "pydantic", "ipython", "ipywidgets", "anywidget", "ipykernel",
         "jupyterlab", "xllamacpp")  # fmt: skip


def install(folder: Path, name: str, number: str, *requirements: str) -> None:
    """Write what a folder of packages has of one that is installed."""
    info = folder / f"{name}-{number}.dist-info"
    info.mkdir()
    fields = [f"Requires-Dist: {requirement}" for requirement in requirements]
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {number}", *fields]
    (info / "METADATA").write_text("\n".join(lines) + "\n")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes before all others, and weights that need not be the packaged ones."""
    weights = tmp_path / "weights.gguf"
    weights.write_bytes(b"GGUF")
    monkeypatch.setenv("CHATNB_MODEL_PATH", str(weights))
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def doctor(capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Return the exit code, the table and the problems."""
    code = main(["doctor"])
    table, _, problems = capsys.readouterr().out.partition("\n\n")
    return code, table, problems


def test_the_whole_table(
    packages: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all that is needed: each part below the other, and a last sentence that says so."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    code, table, problems = doctor(capsys)
    built = sorted(
        file.name for file in (PACKAGE / "static").glob("*.*s*") if "LICENSES" not in str(file)
    )
    assert table.splitlines() == [
        f"Python          {platform.python_version()}  {sys.executable}",
        *(f"{part:16}{version(part)}" for part in PARTS),
        f"front end       {len(built)} files: {', '.join(built)}",
        f"model weights   {packages.parent / 'weights.gguf'}",
        "OPENAI_API_KEY  set",
    ]
    assert (code, problems) == (0, "Nothing is missing.\n")


@pytest.mark.parametrize(
    ("number", "is_enough"),
    [
        ("2.5", True),
        ("2.5.9", True),
        ("2.10", True),
        ("3.0", True),
        ("2.4.9", False),
        ("1.9", False),
    ],
)
@pytest.mark.parametrize(("name", "code"), [("openai", 1), ("jupyterlab", 0)])
def test_versions_are_compared_with_those_of_the_metadata(
    packages: Path,
    capsys: pytest.CaptureFixture[str],
    number: str,
    is_enough: bool,
    name: str,
    code: int,
) -> None:
    """The two first numbers decide; too old a package is named with what installs a newer one."""
    install(packages, "chatnb", "9.9", "pydantic>=2", f"{name}>=2.5; extra == 'all'", "numpy")
    install(packages, name, number)
    found, table, problems = doctor(capsys)
    assert f"\n{name:16}{number}\n" in table
    assert "\nchatnb          9.9\n" in table
    if is_enough:
        assert (found, problems) == (0, "Nothing is missing.\n")
        return
    optional = "" if code else " (optional)"
    remedy = shell_command(install_command(f"{name}>=2.5"))
    assert found == code
    assert problems == f"{name}{optional}: 2.5 or newer is needed\n  {remedy}\n"


def test_missing_weights_are_no_requirement(
    packages: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The problem is told as optional, and the exit code stays 0."""
    monkeypatch.setenv("CHATNB_MODEL_PATH", str(packages / "nowhere.gguf"))
    code, table, problems = doctor(capsys)
    assert "\nmodel weights   not found\n" in table
    assert table.endswith("\nOPENAI_API_KEY  not set (without one, the embedded model answers)")
    start = f"model weights (optional): CHATNB_MODEL_PATH says {packages / 'nowhere.gguf'}, "
    assert code == 0
    assert problems.startswith(start)
    assert problems.count("\n") == 1


@pytest.mark.process
@pytest.mark.parametrize("is_clone", [True, False])
def test_a_front_end_that_is_not_built(tmp_path: Path, is_clone: bool) -> None:
    """A clone builds it, and a package is installed again, as are its notebooks."""
    shutil.copytree(PACKAGE, tmp_path / "chatnb", ignore=shutil.ignore_patterns("*.js"))
    if is_clone:
        (tmp_path / "js").mkdir()
    again = shell_command(install_command("--force-reinstall", "--no-deps", "chatnb"))

    def run(command: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        return subprocess.run(
            [sys.executable, "-m", "chatnb", command],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    ran = run("doctor")
    remedy = "make js" if is_clone else again
    assert "\nfront end       not built\n" in ran.stdout
    assert f"\nfront end: the widgets need it\n  {remedy}\n" in ran.stdout
    assert ran.returncode == 1
    if not is_clone:
        ran = run("lab")
        assert ran.stderr == f"The notebooks are missing. To install them again:\n  {again}\n"
        assert ran.returncode == 1
