"""The check that tests which start processes have a mark that says so."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import started_processes

NOTHING = [sys.executable, "-S", "-c", ""]


async def start_as_task() -> None:
    await (await asyncio.create_subprocess_exec(*NOTHING)).wait()


def start_by_multiprocessing(method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    process = context.Process(target=os.getpid)
    process.start()
    process.join()


def fork() -> None:
    if (child := os.fork()) == 0:
        os._exit(0)
    os.waitpid(child, 0)


@pytest.mark.process
@pytest.mark.parametrize(
    "start",
    [
        lambda: subprocess.run(NOTHING, check=True),
        lambda: asyncio.run(start_as_task()),
        lambda: start_by_multiprocessing("spawn"),
        pytest.param(fork, marks=pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")),
    ],
)
def test_a_process_is_noticed_however_it_is_started(start: Callable[[], object]) -> None:
    """Each way of Python to start a process is noted."""
    assert not started_processes.started
    start()
    assert started_processes.started


def test_a_process_needs_a_mark(request: pytest.FixtureRequest) -> None:
    """A test that starts a process and has no mark fails; with a mark, it does not."""
    started_processes.started.append("a process")
    with pytest.raises(pytest.fail.Exception, match="Mark it as `process`, as it started a pro"):
        started_processes.check(request.node)
    request.node.add_marker("process")
    started_processes.check(request.node)
