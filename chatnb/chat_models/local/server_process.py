"""The process of the embedded model: llama.cpp's server on loopback, until its parent ends.

It is a process of its own because llama.cpp holds Python's lock for the second in which it loads a
model, and because its threads survive no fork. `server.py` beside it runs this file, which
imports nothing of chatnb: the first line of its input is JSON, its answer is a line of JSON, and it
ends with the input, also when the parent is killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from importlib import import_module
from typing import Any


def main() -> None:
    """Start the server, tell its address or what went wrong, and wait for the end of the input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # It is meant for the parent.
    start = json.loads(sys.stdin.readline())
    sys.path[:] = start["path"]
    try:
        server = start_server(**start["server"])
        answer = {"address": server.listening_address}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    os.write(1, f"{json.dumps(answer)}\n".encode())  # Whole, as it is shorter than a pipe.
    if "address" in answer:
        sys.stdin.read()
    os._exit(0)  # llama.cpp's destructors take their time.


def start_server(
    weights: str, alias: str, key: str, context_tokens: int, parallel_replies: int, threads: int
) -> Any:
    """Return a running server of xllamacpp."""
    xllamacpp: Any = import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = weights
    params.model_alias = {alias}
    params.n_ctx = context_tokens
    params.n_parallel = parallel_replies
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.warmup = True  # The first reply would wait for it.
    params.verbosity = -1
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
