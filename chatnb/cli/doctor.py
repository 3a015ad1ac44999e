"""`python -m chatnb doctor`: what is installed, what is missing, and the command that mends it."""

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

from chatnb.chat_models.weights import find_weights
from chatnb.cli.installer import as_typed, install_command
from chatnb.errors import MissingWeightsError

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
    """One line of the table, and what to do if something is wrong with it.

    Example:
        >>> Finding("openai", "3.54.0").problem
        ''
    """

    part: str
    state: str
    problem: str = ""
    cure: str = ""
    required: bool = True


def add_to(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command to the command line."""
    parser = commands.add_parser(
        "doctor",
        help="say what is installed, what is missing and how to mend it",
        description="Say what is installed, what is missing and how to mend it. Exits with 1 if "
        "something is missing that chatnb cannot do without. Never prints a key.",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the table of what is installed, then each problem with its cure.

    Args:
        options: What was typed.

    Returns:
        1 if something required is missing, else 0.

    Example:
        >>> run(argparse.Namespace())  # doctest: +SKIP
        Python          3.11.7
        ...
        0
    """
    findings = list(examine())
    width = max(len(finding.part) for finding in findings) + 2
    for finding in findings:
        print(f"{finding.part:<{width}}{finding.state}")
    problems = [finding for finding in findings if finding.problem]
    for finding in problems:
        needed = "" if finding.required else " (optional)"
        print(f"\n{finding.part}{needed}: {finding.problem}")
        if finding.cure:
            print(f"  {finding.cure}")
    if not problems:
        print("\nNothing is missing.")
    return int(any(finding.required for finding in problems))


def examine() -> Iterator[Finding]:
    """Look at everything chatnb builds on, without importing any of it.

    Returns:
        What was found, in the order of the table.

    Example:
        >>> next(examine()).part
        'Python'
    """
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
    return Finding(name, state, problem, as_typed(install_command(requirement)), required)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _oldest_versions() -> dict[str, str]:
    """Read from chatnb's own metadata which versions it asks for."""
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
    again = as_typed(install_command("--force-reinstall", "--no-deps", "chatnb"))
    return Finding("front end", "not built", "the views need it", "make js" if is_clone else again)


def _weights() -> Finding:
    try:
        return Finding("model weights", str(find_weights()))
    except MissingWeightsError as error:
        return Finding("model weights", "not found", str(error), required=False)


def _key() -> Finding:
    if os.environ.get(_KEY):
        return Finding(_KEY, "set")
    return Finding(_KEY, "not set (without one, the embedded model answers)")
