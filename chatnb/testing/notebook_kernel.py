"""The kernel of a notebook under test, whose death is noticed."""

# pyright: standard
# nbval has no types.

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from queue import Empty
from typing import Any

from nbval.kernel import RunningKernel

_SLICE_SECONDS = 0.5


class KernelDiedError(Exception):
    """The kernel ended while a cell ran."""


class NotebookKernel(RunningKernel):
    """A kernel that is asked, while it is waited for, whether it is alive.

    Args:
        kernel_name: Which kernel.
        environment: Variables for it, besides those of this process.
        cwd: Its working directory.
        startup_timeout: Seconds in which it has to be there.
    """

    def __init__(
        self, kernel_name: str, environment: Mapping[str, str], cwd: str, startup_timeout: Any
    ) -> None:
        with _environment(environment):
            super().__init__(kernel_name, cwd=cwd, startup_timeout=startup_timeout)

    def await_reply(self, msg_id, timeout=None):
        """Wait for the end of a cell.

        Raises:
            Empty: If it has not ended in time.
            KernelDiedError: If the kernel has.
        """
        ends = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                return super().await_reply(msg_id, timeout=_SLICE_SECONDS)
            except Empty:
                if not self.is_alive():
                    raise KernelDiedError from None
                if ends is not None and time.monotonic() > ends:
                    raise

    def run_quietly(self, code: str) -> None:
        """Run code of our own, which shows nothing."""
        msg_id = self.kc.execute(code, silent=True, store_history=False)
        self.await_reply(msg_id, timeout=30)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """A kernel inherits the environment; nbval does not hand one on."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
