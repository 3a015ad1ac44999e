"""Runs a batch with a checkpoint again and again and kills it each time: a script of its own.

    python killed_batches.py FOLDER KILLS SEED

Prints a line of JSON a batch: for each of its runs, which replies the model made and which calls
had returned, in order. The last run of a batch is the one that came to its end.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

from chatnb.chat_models import BaseChatModel
from chatnb.schema import AIMessage, BaseMessage

PROMPTS = [f"prompt {n // 2}" for n in range(120)]
_CALL_SECONDS = 0.004


class Noting(BaseChatModel):
    """Writes down what it was asked, and answers each time in other words."""

    model_name = "noting"
    _not_in_cache_key = BaseChatModel._not_in_cache_key | {"log"}

    def __init__(self, log: int) -> None:
        self.log = log

    def _generate(self, messages: list[BaseMessage], **_: Any) -> AIMessage:
        reply = f"{messages[-1].text}, reply {random.SystemRandom().getrandbits(64):x}"
        note(self.log, "made", reply)
        time.sleep(_CALL_SECONDS)
        return AIMessage(reply)


def note(log: int, what: str, reply: str) -> None:
    os.write(log, f"{json.dumps([what, reply])}\n".encode())


def batch(folder: Path, log_path: Path) -> None:
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    chat = Noting(log)
    checkpoint, few = folder / "run.sqlite", {"max_concurrency": 8}
    for _, reply in chat.batch_as_completed(PROMPTS, few, checkpoint=checkpoint, progress=False):
        note(log, "returned", reply.text)


def run_and_kill(folder: Path, log_path: Path, seconds: float) -> bool:
    """True if the batch was killed before its end."""
    child = os.fork()
    if child == 0:
        batch(folder, log_path)
        os._exit(0)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if os.waitpid(child, os.WNOHANG) != (0, 0):
            return False
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def job(folder: Path, moments: random.Random) -> list[list[list[str]]]:
    """Run one batch until it comes to its end, and tell what each run noted."""
    notes, was_killed = [], True
    folder.mkdir()
    while was_killed:
        log_path = folder / f"{len(notes)}.jsonl"
        was_killed = run_and_kill(folder, log_path, moments.uniform(0.002, 0.1))
        lines = log_path.read_text().splitlines() if log_path.exists() else []
        notes.append([json.loads(line) for line in lines])
    return notes


def main(folder: Path, kills: int, seed: int) -> None:
    moments, killed = random.Random(seed), 0
    for number in count():
        if killed >= kills:
            return
        runs = job(folder / str(number), moments)
        killed += len(runs) - 1
        print(json.dumps(runs), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
