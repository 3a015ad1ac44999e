"""Notebooks as people write them, recorded with the embedded model, replayed without a network."""

from __future__ import annotations

import os
import resource
import shutil
from pathlib import Path

import pytest

from tests.support.notebook_runs import edit, run_pytest
from tests.support.without_network import without_network

pytestmark = pytest.mark.slow

NOTEBOOKS = Path(__file__).parent / "notebooks"
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
CELLS = 22
_SAID = {
    "interview": "lavender",
    "recipes": "Garlic",
    "reviews": "quite",
    "translations": "Cette cat",
}
"""Words of the recorded replies."""
TIMES = int(os.environ.get("CHATNB_REPLAYS", "2"))
"""Replays of each notebook; the promise is tried with 20."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(NOTEBOOKS, tmp_path / "notebooks")
    return tmp_path / "notebooks"


@pytest.mark.thorough
def test_notebooks_replay_alike_each_time(tmp_path: Path) -> None:
    """Without a network, a key or the model's weights, each in a kernel of its own, equal every
    time; a replay takes less than ten seconds of work, starting the kernel included."""
    if not without_network():
        pytest.skip("this system cannot run a process without a network")
    for number in range(TIMES):
        shutil.copytree(NOTEBOOKS, tmp_path / f"replay-{number}")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = run_pytest(
        tmp_path,
        "--chatnb",
        ".",
        before=without_network(),
        own_kernels=True,
        CHATNB_MODEL_PATH="/nowhere/SmolLM2-135M-Instruct.gguf",
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    assert ran.code == 0, ran.said
    assert f"{TIMES * CELLS} passed" in ran.said
    assert worked / (TIMES * len(NAMES)) < 10


@pytest.mark.parametrize("name", NAMES)
def test_one_character_of_a_recorded_reply_fails_it(name: str, folder: Path) -> None:
    """Replies of models are compared."""
    said = _SAID[name]
    edit(folder / "cassettes" / f"{name}.yaml", said, said[:-1] + "y")
    ran = run_pytest(folder, "--chatnb", f"{name}.ipynb")
    assert ran.code == 1
    assert said[:-1] + "y" in ran.said
