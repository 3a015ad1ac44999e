"""Runs what it is asked to, in a process and an environment of its own.

    python benchmarks/worker.py MODULE SERVER

MODULE is one of `clients/`. Each line of standard input is a JSON list of a method and its number;
each line of standard output the seconds it took, or null if the client has no such method.
"""

from __future__ import annotations

import gc
import json
import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


def main(module: str, server: str) -> None:
    client = import_module(f"clients.{module}").Client(server)
    for line in sys.stdin:
        work, number = json.loads(line)
        method = getattr(client, work, None)
        # A collection in the middle would walk through all that earlier works have loaded.
        gc.collect()
        gc.freeze()
        print(json.dumps(method and method(number)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
