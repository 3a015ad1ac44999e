"""Kernels that are copies of one process, which has imported what notebooks import.

Importing it takes most of the time of a short notebook.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import NoReturn

NAME = "forked"
_MODULES = ("ipykernel.kernelapp", "ipykernel.debugger", "IPython.core.completerlib",
            "IPython.core.debugger", "IPython.core.oinspect", "IPython.extensions.storemagic",
            "tornado.platform.asyncio", "chatnb.pytest_plugin.in_kernel", "chatnb.notebook.magics",
            "chatnb.evaluation")  # fmt: skip
# Those of notebooks that call models as people do.
CLIENTS = ("anthropic", "httpx", "langchain_openai", "matplotlib.figure", "openai", "pandas",
           "requests", "tqdm.auto")  # fmt: skip
_SECONDS = 300
# Small, as one is started for each kernel: it passes signals on, and ends with the kernel.
_SHIM = """\
import json, os, signal, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
order = [dict(os.environ), os.getcwd(), sys.argv[2]]
s.sendall(json.dumps(order).encode() + b"\\n")
pid = int(s.makefile().readline())
signal.signal(signal.SIGINT, lambda *_: os.kill(pid, signal.SIGINT))
s.recv(1)
"""


@contextmanager
def _forked_kernels(folder: Path, modules: Sequence[str]) -> Iterator[str]:
    """Serve kernels under the name `forked`; yield the JUPYTER_PATH that has them."""
    address = Path(tempfile.mkdtemp(prefix="chatnb-"), "kernels")
    shim = folder / "shim.py"
    shim.write_text(_SHIM)
    spec = folder / "kernels" / NAME / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [sys.executable, "-S", "-E", str(shim), str(address), "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": NAME, "language": "python"}))
    environment = {**os.environ, "PYTHONHASHSEED": "0", "TZ": "UTC",
                   "PYDEVD_DISABLE_FILE_VALIDATION": "1",
                   "MPLBACKEND": "module://matplotlib_inline.backend_inline"}  # fmt: skip
    command = [sys.executable, "-m", "tests.support.forked_kernels", str(address), *modules]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline()
            yield str(folder)
        finally:
            server.kill()


@cache
def shared_kernels(*modules: str) -> str:
    """Serve kernels for as long as this process runs, and return their JUPYTER_PATH.

    They have imported chatnb and the modules.
    """
    folder = Path(tempfile.mkdtemp(prefix="chatnb-kernels-"))
    serving = ExitStack()
    atexit.register(serving.close)
    serving.callback(shutil.rmtree, folder, ignore_errors=True)
    return serving.enter_context(_forked_kernels(folder, modules))


def _serve(address: str, modules: Sequence[str]) -> None:
    for name in (*_MODULES, *modules):
        __import__(name)
    # It ends with the process that started it, also if that is killed.
    threading.Thread(target=lambda: (os.read(0, 1), os._exit(0)), daemon=True).start()
    gc.freeze()  # A collection in a copy would copy all that it looks at.
    signal.signal(signal.SIGCHLD, _reap)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(16)
        print("ready", flush=True)
        # Kernels print how to end them: a pipe that nobody reads is full after some 200 of them.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        while True:
            caller, _ = listening.accept()
            if not os.fork():
                listening.close()
                _run_kernel(caller)
            caller.close()


def _reap(*_: object) -> None:
    """Wait for kernels that have ended, so that their time counts as that of the server."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _run_kernel(caller: socket.socket) -> NoReturn:
    """Run the kernel of a caller, and end with it."""
    from ipykernel.kernelapp import IPKernelApp

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.alarm(_SECONDS)
    variables, folder, connection_file = json.loads(caller.makefile().readline())
    os.environ.clear()
    os.environ.update(variables)
    time.tzset()
    os.chdir(folder)
    sys.path[0] = ""
    caller.sendall(f"{os.getpid()}\n".encode())
    threading.Thread(target=lambda: (caller.recv(1), os._exit(0)), daemon=True).start()
    IPKernelApp.launch_instance(argv=["-f", connection_file])
    os._exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2:])
