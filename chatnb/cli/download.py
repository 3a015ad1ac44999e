"""`python -m chatnb download MODEL`: install the weights of a small model."""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from chatnb.chat_models.local.weights import (
    WEIGHTS_PACKAGE,
    WEIGHTS_SHA256,
    WEIGHTS_VERSION,
    find_packaged_weights,
)
from chatnb.errors import MissingWeightsError
from chatnb.terminal import print_line

if TYPE_CHECKING:
    from argparse import _SubParsersAction  # pyright: ignore[reportPrivateUsage]


def install_command(*arguments: str) -> list[str]:
    """Return the command that installs into this Python: with pip, or with uv without pip."""
    uv = _uv()
    if importlib.util.find_spec("pip") is None and uv is not None:
        return [uv, "pip", "install", *arguments, "--python", sys.executable]
    return [sys.executable, "-m", "pip", "install", *arguments]


def shell_command(command: list[str]) -> str:
    """Return a command as it is typed into a shell."""
    return subprocess.list2cmdline(command) if os.name == "nt" else shlex.join(command)


def _uv() -> str | None:
    if shutil.which("uv"):
        return "uv"
    # A uv in this environment is on PATH only where the environment is activated.
    return shutil.which("uv", path=str(Path(sys.executable).parent))


def _no_installer_hint() -> str:
    if importlib.util.find_spec("pip") is not None or _uv() is not None:
        return ""
    command = shell_command([sys.executable, "-m", "ensurepip"])
    return f"\nThis Python has no pip, and no uv is on PATH. To install pip, type:\n  {command}"


_MODELS = ("smollm2",)
_REQUIREMENT = f"{WEIGHTS_PACKAGE}=={WEIGHTS_VERSION}"


def add_to(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command to the command line."""
    parser = commands.add_parser(
        "download",
        help="install the weights of a small model (93 MB)",
        description="Install the weights of a small model, and check them. smollm2 is "
        "SmolLM2-135M-Instruct, 93 MB, under the Apache licence 2.0.",
    )
    parser.add_argument("model", choices=_MODELS, help=f"one of: {', '.join(_MODELS)}")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Install the weights unless they are installed, and check them; return 0."""
    if weights := find_packaged_weights():
        check(weights)
        print_line(f"{options.model} is already here: {weights}")
        return 0
    weights = _install()
    check(weights)
    print_line(f"{options.model} is ready: {weights}")
    return 0


def check(weights: Path) -> None:
    """Raise MissingWeightsError, with a remedy, for a file whose SHA-256 is not the model's."""
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != WEIGHTS_SHA256:
        raise MissingWeightsError(
            f"{weights} is damaged or a different model: its SHA-256 is {digest}, "
            f"not {WEIGHTS_SHA256}.\n{_remedy()}"
        )


def _install() -> Path:
    # Without dependencies: they belong to another program, and one of them compiles for minutes.
    command = install_command("--no-deps", _REQUIREMENT)
    print_line(f"Installing {_REQUIREMENT} (93 MB)")
    if subprocess.run(command, check=False).returncode != 0:
        raise MissingWeightsError(
            f"{_REQUIREMENT} could not be installed. The command was:\n  {shell_command(command)}"
            f"{_no_installer_hint()}"
        )
    importlib.invalidate_caches()
    weights = find_packaged_weights()
    if weights is None:
        raise MissingWeightsError(f"{_REQUIREMENT} holds no weights.\n{_remedy()}")
    return weights


def _remedy() -> str:
    again = shell_command(install_command("--no-deps", "--force-reinstall", _REQUIREMENT))
    return f"To install it again:\n  {again}"
