"""Jobs of batch APIs whose process is killed at every step."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.batch_server import BatchServer, batch_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.thorough,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked"),
]
TEXTS = [f"reply to {prompt}" for prompt in "abc"]


class Attempts:
    """A process that runs a job in processes of its own, one after another."""

    def __init__(self, run: subprocess.Popen[str], folder: Path, server: BatchServer) -> None:
        self.folder = folder
        self.server = server
        self._run = run

    def attempt(self) -> str:
        """Run the job, or go on with it, and return what became of it."""
        assert self._run.stdin is not None
        assert self._run.stdout is not None
        self._run.stdin.write("attempt\n")
        self._run.stdin.flush()
        return self._run.stdout.readline().strip()

    def kill(self) -> None:
        """Kill the process that runs the job."""
        with suppress(FileNotFoundError, ValueError, ProcessLookupError):  # It has not begun.
            os.kill(int((self.folder / "process").read_text()), signal.SIGKILL)

    def go_on(self) -> None:
        """Run the job to its end, and check that it is there, and paid for once."""
        assert json.loads(self.attempt()) == TEXTS
        assert len(self.server.batches) == 1

    def forget(self) -> None:
        """Begin with another job."""
        for path in self.folder.iterdir():
            path.unlink()
        for known in (self.server.batches, self.server.files, self.server.lines):
            known.clear()


@contextmanager
def attempts(provider: str, folder: Path) -> Iterator[Attempts]:
    with batch_server() as server:
        server.finishes_when_asked = True
        script = [sys.executable, "-m", "tests.support.killed_jobs"]
        with subprocess.Popen(
            [*script, server.base_url, str(folder), provider],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as run:
            yield Attempts(run, folder, server)


each_provider = pytest.mark.parametrize("provider", ["openai", "anthropic"])


@each_provider
def test_a_kill_at_any_request_costs_nothing(provider: str, tmp_path: Path) -> None:
    """Before the work of the server, and after: one batch is paid for, and all replies come."""
    with attempts(provider, tmp_path) as job:
        killed, number = 2, 0
        while killed == 2:
            number, killed = number + 1, 0
            for done in (False, True):
                job.server.at_request(number, job.kill, done=done)
                ended = job.attempt()
                killed += ended == "killed"
                job.server.at_request(0, job.kill, done=done)
                job.go_on()
                job.forget()
        assert number > (5 if provider == "openai" else 3)


@each_provider
def test_a_kill_at_any_moment_costs_nothing(provider: str, tmp_path: Path) -> None:
    """Also between the requests, as the files of the job are written."""
    moments = random.Random(23)
    with attempts(provider, tmp_path) as job:
        for _ in range(10):
            killer = threading.Timer(moments.uniform(0.0, 0.1), job.kill)
            killer.start()
            job.attempt()
            killer.join()
            job.go_on()
            job.forget()
