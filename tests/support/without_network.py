"""A command that runs another one without a network."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache

_LOOPBACK_UP = """\
import fcntl, os, socket, struct, sys
with socket.socket() as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x41))
os.execvp(sys.argv[1], sys.argv[1:])
"""


@cache
def without_network() -> tuple[str, ...]:
    """Return the words that run a command with no network but loopback, if that can be."""
    command = ("unshare", "--map-root-user", "--net", sys.executable, "-c", _LOOPBACK_UP)
    if shutil.which("unshare") is None:
        return ()
    tried = subprocess.run([*command, "true"], capture_output=True)
    return command if tried.returncode == 0 else ()
