"""The command that installs a package into the Python that is running."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path


def install_command(*arguments: str) -> list[str]:
    """Make the command that installs into this Python: by pip, or by uv where there is no pip.

    Args:
        *arguments: Requirements and options that pip and uv both know.

    Returns:
        The command, ready to be run.

    Example:
        >>> "six" in install_command("six")
        True
    """
    uv = _uv()
    if importlib.util.find_spec("pip") is None and uv is not None:
        return [uv, "pip", "install", *arguments, "--python", sys.executable]
    return [sys.executable, "-m", "pip", "install", *arguments]


def as_typed(command: list[str]) -> str:
    """Write a command the way it is typed into a shell.

    Example:
        >>> as_typed(["pip", "install", "openai>=3"])  # doctest: +SKIP
        "pip install 'openai>=3'"
    """
    return subprocess.list2cmdline(command) if os.name == "nt" else shlex.join(command)


def _uv() -> str | None:
    if shutil.which("uv"):
        return "uv"
    # One that was installed into this environment is not on PATH unless that is activated.
    return shutil.which("uv", path=str(Path(sys.executable).parent))
