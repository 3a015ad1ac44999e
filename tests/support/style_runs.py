"""The notebooks of tests/testing: eight styles, recorded once from a server on loopback.

python -m tests.support.style_runs record [NAME]   # record what is new, and save the outputs
python -m tests.support.style_runs replay 20       # replay them so often, without a network
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.support.notebook_runs import Ran, run_pytest
from tests.support.style_server import style_server
from tests.support.without_network import without_network

NOTEBOOKS = Path(__file__).parents[1] / "testing" / "notebooks"
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
_COUNT = re.compile(r"(\d+) (passed|failed|skipped|error)")


def copied(folder: Path, name: str = "*") -> Path:
    """Copy the notebooks, or one of them, with their cassettes into a folder."""
    (folder / "cassettes").mkdir(parents=True)
    for path in (*NOTEBOOKS.glob(f"{name}.ipynb"), *NOTEBOOKS.glob(f"cassettes/{name}.yaml")):
        shutil.copy(path, folder / path.relative_to(NOTEBOOKS))
    return folder


def record(folder: Path) -> Ran:
    """Record notebooks from the server, and save their outputs."""
    with style_server() as server:
        root = server.base_url.removesuffix("/v1")
        return run_pytest(
            folder,
            "--chatnb",
            "--chatnb-record",
            ".",
            own_kernels=True,
            OPENAI_API_KEY="sk-none",
            OPENAI_BASE_URL=server.base_url,
            ANTHROPIC_API_KEY="none",
            ANTHROPIC_BASE_URL=root,
        )


def replay(folder: Path) -> Ran:
    """Replay notebooks, without a network where that can be had."""
    return run_pytest(folder, "--chatnb", ".", before=without_network(), own_kernels=True)


def counted(ran: Ran) -> Counter[str]:
    """Return how many cells have passed, failed and so on."""
    last = ran.said.strip().splitlines()[-1]
    return Counter({word: int(number) for number, word in _COUNT.findall(last)})


def _record(name: str) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = copied(Path(made, "notebooks"), name)
        ran = record(folder)
        print(ran.said)
        if ran.code == 0:
            for path in (*folder.glob("*.ipynb"), *folder.glob("cassettes/*.yaml")):
                target = NOTEBOOKS / path.relative_to(folder)
                target.parent.mkdir(exist_ok=True)
                shutil.copy(path, target)


def _replay(times: int) -> None:
    total = Counter[str]()
    for number in range(times):
        with tempfile.TemporaryDirectory() as made:
            ran = replay(copied(Path(made, "notebooks")))
        total += counted(ran)
        print(f"replay {number + 1}: {dict(counted(ran))}", flush=True)
        if ran.code:
            print(ran.said)
    print(f"{times} replays of {len(NAMES)} notebooks: {dict(total)}")


if __name__ == "__main__":
    if sys.argv[1] == "record":
        _record(sys.argv[2] if len(sys.argv) > 2 else "*")
    else:
        _replay(int(sys.argv[2]))
