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

from chatnb.cli.download import install_command, shell_command
from chatnb.errors import MissingRuntimeError
from chatnb.terminal import print_line

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
    """Copy the notebooks and replace this process by JupyterLab (on Windows: wait for it)."""
    if importlib.util.find_spec("jupyterlab") is None:
        command = shell_command(install_command("jupyterlab", "ipykernel"))
        raise MissingRuntimeError(f"JupyterLab is not installed. To install it:\n  {command}")
    folder = options.dir.resolve()
    _report_kept(copy_notebooks(packaged_notebooks(), folder), options.dir)
    command = _lab_command(folder, no_browser=options.no_browser, extra=options.jupyter)
    sys.stdout.flush()
    if os.name != "nt":
        os.execv(command[0], command)
    # On Windows, exec returns the console before JupyterLab has ended.
    return subprocess.run(command, check=False).returncode


def packaged_notebooks() -> Path:
    """Return the folder of chatnb's notebooks: in the package, or beside it in a clone."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if (folder / _FIRST).is_file():
            return folder
    command = shell_command(install_command("--force-reinstall", "--no-deps", "chatnb"))
    raise MissingRuntimeError(f"The notebooks are missing. To install them again:\n  {command}")


def copy_notebooks(source: Path, target: Path) -> list[str]:
    """Copy notebooks into a folder; return the names of existing files, which are kept."""
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


def _report_kept(kept: list[str], folder: Path) -> None:
    if kept:
        print_line(f"Kept as they are in {folder}: {', '.join(kept)}")


def _lab_command(folder: Path, *, no_browser: bool, extra: list[str]) -> list[str]:
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}"]
    # As the default address, so that the printed link opens the notebook, too.
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
