"""Kernels that are copies of one process, which has imported what notebooks import.

Importing it takes most of the time of a short notebook.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

NAME = "forked"
_MODULES = ("anthropic", "httpx", "ipykernel.kernelapp", "langchain_openai", "matplotlib.figure",
            "openai", "pandas", "requests", "tqdm.auto", "chatnb.pytest_plugin.in_kernel",
            "chatnb.notebook.magics", "chatnb.evaluation")  # fmt: skip
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
def forked_kernels(folder: Path) -> Iterator[str]:
    """Serve kernels under the name `forked`; yield the JUPYTER_PATH that has them."""
    address = Path(tempfile.mkdtemp(prefix="chatnb-"), "kernels")
    shim = folder / "shim.py"
    shim.write_text(_SHIM)
    spec = folder / "kernels" / NAME / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [sys.executable, "-S", "-E", str(shim), str(address), "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": NAME, "language": "python"}))
    environment = {**os.environ, "PYTHONHASHSEED": "0", "TZ": "UTC",
                   "MPLBACKEND": "module://matplotlib_inline.backend_inline"}  # fmt: skip
    command = [sys.executable, "-m", "tests.support.forked_kernels", str(address)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline()
            yield str(folder)
        finally:
            server.kill()


def _serve(address: str) -> None:
    for name in _MODULES:
        __import__(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(16)
        print("ready", flush=True)
        while True:
            caller, _ = listening.accept()
            if not os.fork():
                listening.close()
                _run_kernel(caller)
            caller.close()


def _run_kernel(caller: socket.socket) -> NoReturn:
    """Run the kernel of a caller, and end with it."""
    from ipykernel.kernelapp import IPKernelApp

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.alarm(_SECONDS)
    variables, folder, connection_file = json.loads(caller.makefile().readline())
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    sys.path[0] = ""
    caller.sendall(f"{os.getpid()}\n".encode())
    threading.Thread(target=lambda: (caller.recv(1), os._exit(0)), daemon=True).start()
    IPKernelApp.launch_instance(argv=["-f", connection_file])
    os._exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1])
