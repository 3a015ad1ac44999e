"""A process that has imported pytest and its plugins, and runs it in copies of itself."""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NoReturn

_SECONDS = 500
_MODULES = ("IPython.display", "nbval.plugin", "pytest", "yaml", "chatnb.pytest_plugin.notebook",
            "chatnb.pytest_plugin.only_once", "chatnb.pytest_plugin.outputs",
            "chatnb.pytest_plugin.settings")  # fmt: skip
OWN_PATHS = (Path(__file__).parents[2], Path(__file__).with_name("stubs"))
"""The folders in which processes of tests look for modules before all else."""


class PytestRuns:
    """Runs pytest as often as it is asked to, each time in a new process."""

    # Importing pytest, nbval and what they need takes longer than most runs.

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__))]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def run(self, folder: Path, options: list[str], environment: Mapping[str, str]) -> int:
        """Return the exit code; the output is in the folder's `pytest.out`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = json.dumps([str(folder), options, dict(environment)])
        print(order, file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End the process, by the end of its input."""
        self._process.communicate()


@cache
def pytest_runs() -> PytestRuns:
    """Return the process that all tests of this worker share."""
    runs = PytestRuns()
    atexit.register(runs.close)
    return runs


def _serve() -> None:
    sys.path[:0] = map(str, OWN_PATHS)
    for name in _MODULES:
        import_module(name)
    gc.freeze()  # A collection in a copy would copy all that it looks at.
    for line in sys.stdin:
        folder, options, environment = json.loads(line)
        child = os.fork()
        if not child:
            _run(folder, options, environment)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _run(folder: str, options: list[str], environment: Mapping[str, str]) -> NoReturn:
    import pytest

    signal.alarm(_SECONDS)
    os.chdir(folder)
    written = os.open("pytest.out", os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    for stream, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, written), (2, written)):
        os.dup2(file, stream)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = [folder, *environment["PYTHONPATH"].split(os.pathsep)]
    sys.argv = ["pytest", *options]
    code = pytest.main([*options, "-W", "ignore::pytest.PytestAssertRewriteWarning"])
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve()
