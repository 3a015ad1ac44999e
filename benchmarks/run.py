"""Measures chatnb beside its peers, in one run: `make bench`, or `make bench-quick` for a look.

Every peer runs in a process of its own and takes its turn in each round, so that what disturbs one
disturbs all; the median of the rounds counts. Only ratios within one run mean anything.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

import psutil
from jupyter_client.manager import start_new_kernel
from report import Report, Row, write_report
from works import WORKS, Work

HERE = Path(__file__).parent
OURS = sys.executable
CLIENTS = ("floor", "sdk", "langchain", "chatnb")
ROUNDS = 7
QUICK_ROUNDS = 3
BUSY_SECONDS = 0.5
TOLD = ("chatnb", "openai", "httpx2", "jiter", "pydantic")


@dataclass
class Process:
    """A client in a process of its own."""

    running: subprocess.Popen[str]
    log: list[str] = field(default_factory=list)

    def ask(self, *asked: object) -> float | None:
        assert self.running.stdin is not None
        assert self.running.stdout is not None
        self.running.stdin.write(json.dumps(asked) + "\n")
        self.running.stdin.flush()
        return json.loads(self.running.stdout.readline())


def start(stack: ExitStack, *command: str | Path) -> subprocess.Popen[str]:
    running = subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    stack.callback(running.wait, timeout=30)
    stack.callback(running.communicate)
    return running


def start_clients(
    stack: ExitStack, peers: str, names: Sequence[str] = CLIENTS
) -> dict[str, Process]:
    server = start(stack, OURS, HERE / "server.py")
    assert server.stdout is not None
    address = server.stdout.readline().strip()
    return {name: Process(start(stack, *_client(name, peers), address)) for name in names}


def _client(name: str, peers: str) -> tuple[str | Path, ...]:
    return (OURS if name == "chatnb" else peers, HERE / "worker.py", f"{name}_client")


def measure(work: Work, clients: dict[str, Process], rounds: int, number: int) -> Row:
    """The median of each client that can do the work."""
    seconds: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, client in clients.items():
            took = client.ask(work.name, number)
            if took is not None:
                seconds.setdefault(name, []).append(took)
        if work.beside:
            took = clients["chatnb"].ask(work.beside, number)
            assert took is not None
            seconds.setdefault(work.beside, []).append(took)
    return Row(work, {name: median(each) for name, each in seconds.items()})


def measure_processes(work: Work, peers: str, rounds: int) -> Row:
    """The median time of a fresh process, or a fresh kernel, for each statement."""
    seconds: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, statement in work.statements:
            if work.name == "load_ext":
                took = time_kernel(statement)
            else:
                took = time_process(peers if name == "langchain" else OURS, statement)
            seconds.setdefault(name, []).append(took)
    return Row(work, {name: median(each) for name, each in seconds.items()})


def time_process(python: str, statement: str) -> float:
    started = time.perf_counter()
    subprocess.run([python, "-c", statement], check=True)
    return time.perf_counter() - started


def time_kernel(statement: str) -> float:
    started = time.perf_counter()
    kernel, client = start_new_kernel(stderr=subprocess.DEVNULL)
    try:
        reply = client.execute_interactive(statement, timeout=60, allow_stdin=False)
        assert reply["content"]["status"] == "ok", reply
        return time.perf_counter() - started
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)


def peer_versions(peers: str) -> dict[str, str]:
    code = "import json; from importlib.metadata import version as v; "
    code += "print(json.dumps({n: v(n) for n in ('openai', 'langchain-core', 'langchain-openai')}))"
    found = subprocess.run([peers, "-c", code], check=True, capture_output=True, text=True)
    return {f"{name} (peers)": number for name, number in json.loads(found.stdout).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", required=True, help="the Python that has the peers")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and no files")
    parser.add_argument("--only", nargs="*", default=[], help="the works to measure")
    asked = parser.parse_args()
    rounds = QUICK_ROUNDS if asked.quick else ROUNDS
    report = Report(
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}",
        rounds=rounds,
        versions={
            "Python": platform.python_version(),
            **{name: version(name) for name in TOLD},
            **peer_versions(asked.peers),
        },
        rows=[],
    )
    print(report.machine, flush=True)
    with ExitStack() as stack:
        clients = start_clients(stack, asked.peers)
        for client in clients.values():
            client.ask("ready", 0)  # It has imported all it needs, which others would wait for.
        for work in WORKS:
            if asked.only and work.name not in asked.only:
                continue
            number = work.quick if asked.quick else work.number
            busy = psutil.cpu_percent(BUSY_SECONDS)  # Meanwhile all clients wait.
            row = (
                measure_processes(work, asked.peers, rounds)
                if work.statements
                else measure(work, clients, work.rounds or rounds, number)
            )
            row = replace(row, busy=busy)
            report.rows.append(row)
            print(row, flush=True)
    if not asked.quick and not asked.only:
        write_report(report, HERE)


if __name__ == "__main__":
    main()
