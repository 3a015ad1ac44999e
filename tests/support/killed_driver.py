"""Runs a batch on two processes, until it is killed: a script of its own.

python killed_driver.py FOLDER
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.support.hangs import wait_until
from tests.support.many_workers import Logged

PROMPTS = [f"slow {number}" for number in range(40)]


def note_process(path: Path) -> None:
    """Note this worker, and wait for the other, so that none outlives the test unnoticed."""
    with path.open("a") as file:
        file.write(f"{os.getpid()}\n")
    wait_until(lambda: len(path.read_text().split()) == 2)


def main(folder: Path) -> None:
    spawn, workers = multiprocessing.get_context("spawn"), folder / "workers"
    with ProcessPoolExecutor(2, spawn, initializer=note_process, initargs=(workers,)) as pool:
        Logged(folder / "log").batch(
            PROMPTS,
            {"max_concurrency": 2},
            executor=pool,
            checkpoint=folder / "run.sqlite",
            progress=False,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
