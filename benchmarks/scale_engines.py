"""The engines that `make bench-scale` measures, each beside the calls that one makes by hand."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psutil
from scale_kills import new_pool

from chatnb import ChatOpenAI

MODEL = "reply-20"  # The server answers after 20 ms.
AT_A_TIME = 64  # In each of two workers.
SLICE = 4 * AT_A_TIME  # As many inputs as a part of chatnb's has.
_SERVER = Path(__file__).with_name("server.py")
_MB = 1_000_000


def megabytes() -> float:
    """Return the memory of this process."""
    return psutil.Process().memory_info().rss / _MB


@cache
def _sdk_client(base_url: str) -> Any:
    from openai import OpenAI

    return OpenAI(api_key="k", base_url=base_url), ThreadPoolExecutor(AT_A_TIME)


def bare_calls(base_url: str, prompts: list[str]) -> list[str]:
    """Make calls as one would by hand: the SDK's client, on threads, in a worker."""
    client, threads = _sdk_client(base_url)

    def call(prompt: str) -> str:
        messages = [{"role": "user", "content": prompt}]
        reply = client.chat.completions.create(model=MODEL, messages=messages)
        return reply.choices[0].message.content

    return list(threads.map(call, prompts))


@contextmanager
def processes() -> Iterator[Executor]:
    """Start a process pool."""
    with new_pool() as pool:
        yield pool


@contextmanager
def dask() -> Iterator[Executor]:
    """Start Dask."""
    from distributed import Client, LocalCluster

    options: Any = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        yield client.get_executor()


@contextmanager
def ipyparallel() -> Iterator[Executor]:
    """Start ipyparallel."""
    from ipyparallel import Cluster

    with Cluster(n=2, log_level=40, delay=0) as client:
        client.wait_for_engines(2, timeout=120)
        yield client.executor()


ENGINES: dict[str, Callable[[], Any]] = {
    "ProcessPoolExecutor": processes,
    "Dask": dask,
    "ipyparallel": ipyparallel,
}


@contextmanager
def model_server() -> Iterator[str]:
    """Serve replies on loopback, and give the address."""
    command = [sys.executable, str(_SERVER)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdin is not None
        yield run.stdout.readline().strip()
        run.stdin.close()


def measure_engine(name: str, calls: int) -> dict[str, float]:
    """Return the seconds of calls by hand and by chatnb, and what chatnb's driver grew by."""
    prompts = [f"prompt {number}" for number in range(calls)]
    slices = [prompts[start : start + SLICE] for start in range(0, calls, SLICE)]
    with ExitStack() as stack:
        base_url = stack.enter_context(model_server())
        executor = stack.enter_context(ENGINES[name]())
        chat = ChatOpenAI(MODEL, api_key="k", base_url=base_url)

        def by_hand(some: list[list[str]]) -> int:
            return sum(map(len, executor.map(bare_calls, [base_url] * len(some), some)))

        def by_chatnb(some: list[str]) -> int:
            config: Any = {"max_concurrency": AT_A_TIME}
            replies = chat.map(some, config, executor=executor, send_keys=True, progress=False)
            return sum(1 for _ in replies)

        by_hand(slices[:4])  # The workers import what they need.
        by_chatnb(prompts[: 4 * SLICE])
        before, started = megabytes(), time.perf_counter()
        assert by_chatnb(prompts) == calls
        own, memory, started = (
            time.perf_counter() - started,
            megabytes() - before,
            time.perf_counter(),
        )
        assert by_hand(slices) == calls
        return {"bare": time.perf_counter() - started, "chatnb": own, "memory": memory}
