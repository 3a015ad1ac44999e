"""`python -m chatnb doctor`: list what is installed or missing, with commands to install it."""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from chatnb.chat_models.local.weights import find_weights
from chatnb.cli.download import install_command, shell_command
from chatnb.errors import MissingWeightsError
from chatnb.terminal import print_line

if TYPE_CHECKING:
    from argparse import _SubParsersAction  # pyright: ignore[reportPrivateUsage]

_REQUIRED = ("openai", "pydantic", "ipython", "ipywidgets", "anywidget")
_OPTIONAL = {
    "ipykernel": "notebooks need it",
    "jupyterlab": "python -m chatnb lab needs it",
    "xllamacpp": "the embedded model needs it",
}
_KEY = "OPENAI_API_KEY"


class Finding(NamedTuple):
    """One line of the table, with its problem and the remedy if there is one."""

    part: str
    state: str
    problem: str = ""
    remedy: str = ""
    required: bool = True


def add_to(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command to the command line."""
    parser = commands.add_parser(
        "doctor",
        help="list what is installed or missing, and how to install it",
        description="List what is installed or missing, and how to install it. Exits with 1 if "
        "something is missing that chatnb needs. Never prints a key.",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the table and each problem with its remedy; return 1 if a requirement is missing."""
    findings = list(examine())
    width = max(len(finding.part) for finding in findings) + 2
    for finding in findings:
        print_line(f"{finding.part:<{width}}{finding.state}")
    problems = [finding for finding in findings if finding.problem]
    for finding in problems:
        needed = "" if finding.required else " (optional)"
        print_line(f"\n{finding.part}{needed}: {finding.problem}")
        if finding.remedy:
            print_line(f"  {finding.remedy}")
    if not problems:
        print_line("\nNothing is missing.")
    return int(any(finding.required for finding in problems))


def examine() -> Iterator[Finding]:
    """Examine everything that chatnb needs, without importing any of it."""
    yield Finding("Python", f"{platform.python_version()}  {sys.executable}")
    yield _chatnb()
    oldest = _oldest_versions()
    for name in _REQUIRED:
        yield _package(name, oldest.get(name, ""))
    for name, reason in _OPTIONAL.items():
        yield _package(name, oldest.get(name, ""), reason)
    yield _front_end()
    yield _weights()
    yield _key()


def _chatnb() -> Finding:
    found = _version("chatnb")
    return Finding("chatnb", found or "not installed, run from its folder")


def _package(name: str, oldest: str, reason: str = "") -> Finding:
    required = not reason
    found = _version(name)
    if found and _numbers(found) >= _numbers(oldest):
        return Finding(name, found)
    requirement = f"{name}>={oldest}" if oldest else name
    state = found or "not installed"
    problem = f"{oldest} or newer is needed" if found else reason or "chatnb needs it"
    return Finding(name, state, problem, shell_command(install_command(requirement)), required)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _oldest_versions() -> dict[str, str]:
    """Return the lowest versions that chatnb's metadata allows."""
    try:
        requirements = requires("chatnb") or []
    except PackageNotFoundError:
        return {}
    found = (re.match(r"([\w-]+)>=([\d.]+)", requirement) for requirement in requirements)
    return {match[1]: match[2] for match in found if match}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _front_end() -> Finding:
    package = Path(__file__).resolve().parents[1]
    built = sorted(path.name for path in (package / "static").glob("*.[jc]s*"))
    if any(name.endswith(".js") for name in built):
        return Finding("front end", f"{len(built)} files: {', '.join(built)}")
    is_clone = (package.parent / "js").is_dir()
    again = shell_command(install_command("--force-reinstall", "--no-deps", "chatnb"))
    return Finding(
        "front end", "not built", "the widgets need it", "make js" if is_clone else again
    )


def _weights() -> Finding:
    try:
        return Finding("model weights", str(find_weights()))
    except MissingWeightsError as error:
        return Finding("model weights", "not found", str(error), required=False)


def _key() -> Finding:
    if os.environ.get(_KEY):
        return Finding(_KEY, "set")
    return Finding(_KEY, "not set (without one, the embedded model answers)")
