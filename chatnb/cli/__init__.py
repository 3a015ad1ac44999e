"""The command line: `python -m chatnb lab`, `download`, `doctor`, `plan` and `cassette`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from chatnb.cli import cassette, doctor, download, lab, plan
from chatnb.errors import ChatnbError
from chatnb.terminal import SafeText


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        status = options.run(options)
        sys.stdout.flush()
    except ChatnbError as error:
        parser.exit(1, f"{SafeText(str(error))}\n")
    except BrokenPipeError:  # Of `| head`: nobody reads the rest, not at the exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chatnb",
        description="Chat models in Jupyter notebooks.",
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (lab, download, doctor, plan, cassette):
        command.add_to(commands)
    return parser


def _version() -> str:
    try:
        return f"chatnb {version('chatnb')}"
    except PackageNotFoundError:
        return "chatnb, not installed"
