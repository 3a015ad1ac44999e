"""Kills workers, drivers and schedulers of batches at random moments, and counts what it cost.

`make bench-scale` runs it. A batch has a checkpoint, and a model that notes each reply as it is
made. What counts is the end of the batch, or of a second attempt where the first was killed:

- lost: prompts without their reply;
- paid twice: prompts that were requested again, though their reply was in the checkpoint;
- unfinished: replies that were made as the process was killed, and not kept.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chatnb.chat_models import BaseChatModel
from chatnb.errors import ChatnbError
from chatnb.schema import AIMessage, BaseMessage

PROMPTS = [f"prompt {number}" for number in range(160)]
CALL_SECONDS = 0.02
AT_A_TIME = 4  # In each of two workers, so that a batch takes 0.4 seconds.
_TIMEOUT_SECONDS = 120
_RECONNECT_SECONDS = 2


class NotingModel(BaseChatModel):
    """Notes each reply as it is made, and has other words for each."""

    model_name = "noting"
    _not_in_cache_key = BaseChatModel._not_in_cache_key | {"log"}

    def __init__(self, log: Path) -> None:
        self.log = log

    def _generate(self, messages: list[BaseMessage], **_: Any) -> AIMessage:
        time.sleep(CALL_SECONDS)
        reply = f"{messages[-1].text}, reply {random.SystemRandom().getrandbits(64):x}"
        with self.log.open("a") as log:
            log.write(f"{reply}\n")
        return AIMessage(reply)


@dataclass
class Cost:
    """The cost of kills: replies that were lost, and those that were paid for twice."""

    kills: int = 0
    lost: int = 0
    paid_twice: int = 0
    unfinished: int = 0

    def add(self, folder: Path, replies: list[AIMessage]) -> None:
        """Count one batch, whose last attempt had these replies."""
        texts = [reply.text for reply in replies]
        right = sum(t.startswith(f"{p}, reply") for p, t in zip(PROMPTS, texts, strict=True))
        with closing(sqlite3.connect(folder / "run.sqlite")) as database:
            [(kept, keys)] = database.execute("SELECT count(*), count(DISTINCT key) FROM answers")
        self.kills += 1
        self.lost += len(PROMPTS) - right
        self.paid_twice += kept - keys
        self.unfinished += len(made(folder)) - kept


def made(folder: Path) -> list[str]:
    """Return the replies that were made."""
    log = folder / "log"
    return log.read_text().splitlines() if log.exists() else []


def run_batch(folder: Path, executor: Executor) -> list[AIMessage]:
    """Run the batch, or what an earlier attempt left of it."""
    return NotingModel(folder / "log").batch(
        PROMPTS,
        {"max_concurrency": AT_A_TIME},
        executor=executor,
        checkpoint=folder / "run.sqlite",
        progress=False,
    )


def new_pool() -> ProcessPoolExecutor:
    """Return two processes."""
    return ProcessPoolExecutor(2, get_context("spawn"))


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("The processes of a batch did not go on.")
        time.sleep(0.005)


def wait_for_a_moment(folder: Path, moments: random.Random) -> None:
    """Wait until a random moment of a batch that has begun."""
    wait_for(lambda: made(folder))
    time.sleep(moments.uniform(0, CALL_SECONDS * len(PROMPTS) / (2 * AT_A_TIME)))


def kill_worker(folder: Path, moments: random.Random) -> list[AIMessage]:
    """Kill one of two processes; the batch goes on."""
    with new_pool() as pool:

        def kill() -> None:
            wait_for_a_moment(folder, moments)
            process = moments.choice([*pool._processes.values()])
            process.kill()

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        replies = run_batch(folder, pool)
        killer.join()
    return replies


def kill_driver(folder: Path, moments: random.Random) -> list[AIMessage]:
    """Kill the process that hands out the inputs, and run the batch again."""
    command = [sys.executable, __file__, str(folder)]
    with subprocess.Popen(command, start_new_session=True) as driver:
        wait_for_a_moment(folder, moments)
        driver.kill()
    wait_for(lambda: _has_settled(folder))
    with suppress(ProcessLookupError):  # Its workers.
        os.killpg(driver.pid, signal.SIGKILL)
    with new_pool() as pool:
        return run_batch(folder, pool)


def _has_settled(folder: Path) -> bool:
    """Return whether the workers, which keep replies of calls under way, make no more."""
    before = len(made(folder))
    time.sleep(10 * CALL_SECONDS)
    return len(made(folder)) == before


def kill_scheduler(folder: Path, moments: random.Random) -> list[AIMessage]:
    """Kill the scheduler of Dask, and run the batch again with another one."""
    with dask_cluster(folder) as (executor, scheduler):

        def kill() -> None:
            wait_for_a_moment(folder, moments)
            scheduler.kill()

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        with suppress(ChatnbError):  # Unless it ended before.
            run_batch(folder, executor)
        killer.join()
    with dask_cluster(folder) as (executor, _):
        return run_batch(folder, executor)


@contextmanager
def dask_cluster(folder: Path) -> Iterator[tuple[Executor, subprocess.Popen[bytes]]]:
    """Start a scheduler and two workers of Dask, each a process."""
    from distributed import Client

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address, local = f"tcp://127.0.0.1:{port}", ["--host", "127.0.0.1", "--no-dashboard"]
    worker = [address, "--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
    commands = [["scheduler", "--port", str(port), *local], *[["worker", *worker, *local]] * 2]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "dask", *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]
    try:
        with Client(address, timeout=_TIMEOUT_SECONDS) as client:
            client._timeout = _RECONNECT_SECONDS  # The scheduler does not come back.
            client.wait_for_workers(2, timeout=_TIMEOUT_SECONDS)
            yield client.get_executor(), processes[0]
    finally:
        for process in processes:
            process.kill()
            process.wait()


KILLS: dict[str, Callable[[Path, random.Random], list[AIMessage]]] = {
    "a worker": kill_worker,
    "the driver": kill_driver,
    "the scheduler (Dask)": kill_scheduler,
}


def measure_kills(name: str, times: int, seed: int) -> Cost:
    """Kill a process at so many random moments, one in each batch."""
    moments, cost = random.Random(seed), Cost()
    for _ in range(times):
        with TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
            folder = Path(temporary)
            cost.add(folder, KILLS[name](folder, moments))
    return cost


def _drive(folder: Path) -> None:
    with new_pool() as pool:
        run_batch(folder, pool)


if __name__ == "__main__":
    _drive(Path(sys.argv[1]))
