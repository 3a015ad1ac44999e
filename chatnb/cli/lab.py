"""`python -m chatnb lab`: JupyterLab on a copy of the notebooks."""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from chatnb.cli.installer import as_typed, install_command
from chatnb.errors import MissingRuntimeError

if TYPE_CHECKING:
    from argparse import _SubParsersAction  # pyright: ignore[reportPrivateUsage]

_FIRST = "01_welcome.ipynb"


def add_to(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command to the command line."""
    parser = commands.add_parser(
        "lab",
        help="open JupyterLab on a copy of the notebooks",
        description="Copy the notebooks into a folder, without overwriting anything there, and "
        "open JupyterLab on the first one.",
    )
    parser.add_argument(
        "--dir",
        type=Path,
        default=Path("chatnb-notebooks"),
        help="the folder for the notebooks (default: %(default)s)",
    )
    parser.add_argument("--no-browser", action="store_true", help="only print the address to open")
    parser.add_argument(
        "jupyter",
        nargs="*",
        metavar="-- ARGUMENT",
        help="arguments for JupyterLab, after --, such as -- --port 8899",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Copy the notebooks and turn into JupyterLab.

    Args:
        options: What was typed.

    Returns:
        JupyterLab's exit code, where this process does not become JupyterLab.

    Raises:
        MissingRuntimeError: If JupyterLab is not installed.

    Example:
        >>> run(argparse.Namespace(dir=Path("mine"), no_browser=True, jupyter=[]))  # doctest: +SKIP
    """
    if importlib.util.find_spec("jupyterlab") is None:
        command = as_typed(install_command("jupyterlab", "ipykernel"))
        raise MissingRuntimeError(f"JupyterLab is not installed. To install it:\n  {command}")
    folder = options.dir.resolve()
    _say_what_was_kept(copy_notebooks(packaged_notebooks(), folder), options.dir)
    command = _lab_command(folder, no_browser=options.no_browser, extra=options.jupyter)
    sys.stdout.flush()
    if os.name != "nt":
        os.execv(command[0], command)
    # There, exec gives the console back before JupyterLab has ended.
    return subprocess.run(command, check=False).returncode


def packaged_notebooks() -> Path:
    """Find the notebooks that came with chatnb: in the package, or beside it in a clone.

    Returns:
        The folder that holds them.

    Raises:
        MissingRuntimeError: If they are in neither place.

    Example:
        >>> packaged_notebooks().name
        'notebooks'
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if (folder / _FIRST).is_file():
            return folder
    command = as_typed(install_command("--force-reinstall", "--no-deps", "chatnb"))
    raise MissingRuntimeError(f"The notebooks are missing. To install them again:\n  {command}")


def copy_notebooks(source: Path, target: Path) -> list[str]:
    """Copy notebooks into a folder, and leave alone what is there.

    Args:
        source: The folder that holds the notebooks.
        target: The folder to copy them to; it is made if it does not exist.

    Returns:
        The names that were there already and were kept.

    Example:
        >>> copy_notebooks(packaged_notebooks(), Path("mine"))  # doctest: +SKIP
        []
    """
    if source.resolve() == target.resolve():
        return []
    target.mkdir(parents=True, exist_ok=True)
    kept: list[str] = []
    for notebook in sorted(source.glob("*.ipynb")):
        if (target / notebook.name).exists():
            kept.append(notebook.name)
            continue
        shutil.copyfile(notebook, target / notebook.name)
    return kept


def _say_what_was_kept(kept: list[str], folder: Path) -> None:
    if kept:
        print(f"Kept as they are in {folder}: {', '.join(kept)}")


def _lab_command(folder: Path, *, no_browser: bool, extra: list[str]) -> list[str]:
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}"]
    # In the address, so that the one that is printed opens the notebook as well.
    command.append(f"--LabApp.default_url=/lab/tree/{_FIRST}")
    if no_browser or not _has_display():
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    return [*command, *extra]


def _has_display() -> bool:
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
