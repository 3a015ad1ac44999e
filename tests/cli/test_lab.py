"""`python -m chatnb lab`, up to the moment JupyterLab takes over."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

import pytest

from chatnb.cli import main
from chatnb.cli.download import install_command, shell_command
from chatnb.cli.lab import copy_notebooks, packaged_notebooks
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


class Replaced(Exception):
    """Raised where another program would have replaced this one."""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would replace this process, of a user on Linux without a display."""
    commands: list[list[str]] = []

    def replace(file: str, command: list[str]) -> NoReturn:
        commands.append([file, *command])
        raise Replaced

    monkeypatch.setattr("os.execv", replace)
    monkeypatch.setattr("os.geteuid", lambda: 1000, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return commands


@pytest.mark.skipif(os.name == "nt", reason="a process is started, and none replaced")
@pytest.mark.parametrize(
    ("arguments", "variables", "expected"),
    [
        ([], {"DISPLAY": ":0"}, []),
        ([], {"WAYLAND_DISPLAY": "wayland-0"}, []),
        ([], {}, ["--no-browser"]),
        (["--no-browser"], {"DISPLAY": ":0"}, ["--no-browser"]),
        (["--", "--port", "8899"], {"DISPLAY": ":0"}, ["--port", "8899"]),
        (["--", "--port", "8899"], {}, ["--no-browser", "--port", "8899"]),
    ],
)
def test_the_arguments_of_jupyterlab(
    tmp_path: Path,
    started: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    variables: dict[str, str],
    expected: list[str],
) -> None:
    """It opens the first notebook, in a browser where there is a display, and gets what follows."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Replaced):
        main(["lab", "--dir", str(tmp_path), *arguments])
    assert started == [
        [
            sys.executable, sys.executable, "-m", "jupyterlab",
            f"--ServerApp.root_dir={tmp_path.resolve()}",
            "--LabApp.default_url=/lab/tree/01_welcome.ipynb", *expected,
        ]
    ]  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="a process is started, and none replaced")
@pytest.mark.parametrize(
    ("platform", "user", "expected"),
    [
        ("darwin", 1000, []),
        ("darwin", 0, ["--allow-root"]),
        ("linux", 0, ["--no-browser", "--allow-root"]),
    ],
)
def test_other_systems_and_users(
    tmp_path: Path,
    started: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    user: int,
    expected: list[str],
) -> None:
    """Linux alone is asked for a display, and JupyterLab must be allowed to run as root."""
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr("os.geteuid", lambda: user)
    with pytest.raises(Replaced):
        main(["lab", "--dir", str(tmp_path)])
    assert started[0][6:] == expected


def test_notebooks_that_are_there_are_kept(tmp_path: Path) -> None:
    """Each by its name; into the folder that they come from, none is copied."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("a.ipynb", "b.ipynb", "c.ipynb", "not_copied.py"):
        (source / name).write_text(f"new {name}")
    target = tmp_path / "some" / "target"
    target.mkdir(parents=True)
    (target / "a.ipynb").write_text("my own")
    assert copy_notebooks(source, source / ".." / "source") == []
    assert copy_notebooks(source, target) == ["a.ipynb"]
    texts = {file.name: file.read_text() for file in target.iterdir()}
    assert texts == {"a.ipynb": "my own", "b.ipynb": "new b.ipynb", "c.ipynb": "new c.ipynb"}
    assert copy_notebooks(source, target) == ["a.ipynb", "b.ipynb", "c.ipynb"]
    assert copy_notebooks(source, tmp_path / "new" / "folder") == []
    assert packaged_notebooks() == CLONE / "notebooks"


@pytest.mark.skipif(os.name == "nt", reason="a process is started, and none replaced")
def test_kept_notebooks_are_named_in_the_folder_as_it_was_typed(
    tmp_path: Path,
    started: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By default it is one in the folder in which the command runs."""
    monkeypatch.chdir(tmp_path)
    for expected in ("", f"Kept as they are in chatnb-notebooks: {', '.join(sorted(NOTEBOOKS))}\n"):
        with pytest.raises(Replaced):
            main(["lab"])
        assert capsys.readouterr().out == expected
        assert names(tmp_path / "chatnb-notebooks") == NOTEBOOKS


def test_what_installs_jupyterlab_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a command for this Python, with a kernel."""
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    with pytest.raises(SystemExit) as ended:
        main(["lab"])
    command = shell_command(install_command("jupyterlab", "ipykernel"))
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        f"JupyterLab is not installed. To install it:\n  {command}\n"
    )
