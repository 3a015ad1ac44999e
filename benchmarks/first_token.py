"""The wait for the first token of the first cell after `%load_ext chatnb`: `make bench`.

Each row starts a real kernel, loads the extension, waits until the kernel is idle, and runs two
cells. The second one is warm: what the first one takes longer is what a person waits for at the
beginning. The first import comes right after the extension, and must not wait for anything.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.kernel.driver import Kernel, Message
from tests.support.loopback import LoopbackServer, delta, event, head, saying

ROUNDS = 5
IDLE_SECONDS = 8.0
KINDS = ("local", "openai")
PROMPT = "%%chat --max-tokens 8\nHi"


def main(rounds: int) -> None:
    print("| model | load_ext s | first import s | first token s | warm s | MB after load |")
    print("|---|--:|--:|--:|--:|--:|")
    server = LoopbackServer()
    reply = saying(head(), delta("Fine."), delta(None, "stop"), event("[DONE]"))
    server.plays(reply)
    for kind in KINDS:
        address = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.base_url}
        environment = address if kind == "openai" else {"OPENAI_API_KEY": ""}
        rows = [_row({"CHATNB_STORE": ":memory:", **environment}) for _ in range(rounds)]
        columns = [f"{median(column):.2f}" for column in zip(*rows, strict=True)]
        print(f"| {kind} | {' | '.join(columns)} |", flush=True)
    server.close()


def _row(environment: dict[str, str]) -> tuple[float, ...]:
    kernel = Kernel(environment={"CHATNB_WARM_UP": "1", **environment})
    try:
        kernel.run("pass")
        loading = _timed(kernel, "%load_ext chatnb")
        importing = _timed(kernel, "import statistics")
        time.sleep(IDLE_SECONDS)
        process = psutil.Process(int(kernel.run("import os; print(os.getpid())").printed))
        memory = process.memory_info().rss / 1e6
        return loading, importing, _first_token(kernel), _first_token(kernel), memory
    finally:
        kernel.close()


def _timed(kernel: Kernel, cell: str) -> float:
    started = time.perf_counter()
    kernel.run(cell)
    return time.perf_counter() - started


def _first_token(kernel: Kernel) -> float:
    seen: list[float] = []

    def look(message: Message) -> None:
        content = message["content"].get("data", {}).get("content", {})
        if isinstance(content, dict) and content.get("type") == "delta":
            seen.append(time.perf_counter())

    started = time.perf_counter()
    kernel.run(PROMPT, on_message=look)
    return seen[0] - started


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
