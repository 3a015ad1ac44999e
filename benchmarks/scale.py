"""Measures batches beyond one process, and writes the figures to docs/scale.md.

    python benchmarks/scale.py [--calls 100000] [--prompts 1000000] [--kills 20] [--only map kills]

`make bench-scale` runs it, for about an hour. Each part has a process of its own. What is known of
parts that were not measured this time stays in benchmarks/scale.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from scale_engines import (
    AT_A_TIME,
    ENGINES,
    MODEL,
    SLICE,
    measure_engine,
    megabytes,
    model_server,
)
from scale_kills import KILLS, measure_kills

from chatnb import ChatOpenAI, ScriptedChatModel

_FOLDER = Path(__file__).parent
_RESULTS = _FOLDER / "scale.json"
_PAGE = _FOLDER.parent / "docs" / "scale.md"
_BEGIN, _END = "<!-- figures of make bench-scale -->", "<!-- end of the figures -->"


def measure_engines(calls: int) -> dict[str, Any]:
    """Measure each engine, in a process of its own."""
    return {"calls": calls, **{name: in_process("engine", name, calls) for name in ENGINES}}


# Memory, throughput and the checkpoint of one process


def measure_map(prompts: int) -> dict[str, float]:
    """Map scripted prompts, beside a batch of a part of them."""
    chat, few = ScriptedChatModel(["Fine."]), min(prompts, 20_000)
    texts = [f"prompt {number}" for number in range(few)]
    chat.batch(texts[:2_000], progress=False)
    started = time.process_time()
    chat.batch(texts, progress=False)
    batch = (time.process_time() - started) / few
    del texts
    for _ in chat.map((f"prompt {n}" for n in range(few // 2)), progress=False):
        pass
    before, most, started = megabytes(), 0.0, time.process_time()
    for number, _ in enumerate(chat.map((f"prompt {n}" for n in range(prompts)), progress=False)):
        if not number % 10_000:
            most = max(most, megabytes() - before)
    each = (time.process_time() - started) / prompts
    return {"prompts": prompts, "memory": most, "batch_us": 1e6 * batch, "map_us": 1e6 * each}


def measure_checkpoint(calls: int) -> dict[str, float]:
    """Make calls in one process, with a checkpoint and without, in turns."""
    seconds = {"without": 0.0, "with": 0.0}
    with model_server() as base_url, tempfile.TemporaryDirectory() as folder:
        chat = ChatOpenAI(MODEL, api_key="k", base_url=base_url)
        chat.batch(["warm"] * 200, progress=False)
        for turn in range(4):
            for way in seconds:
                path = Path(folder, f"{turn}.sqlite") if way == "with" else None
                prompts = [f"{way} {turn} {number}" for number in range(calls // 4)]
                started = time.process_time()
                for _ in chat.map(prompts, checkpoint=path, progress=False):
                    pass
                seconds[way] += time.process_time() - started
    return {"calls": calls, **seconds}


def measure_all_kills(times: int) -> dict[str, Any]:
    """Kill each process that takes part in a batch."""
    return {name: asdict(measure_kills(name, times, seed=23)) for name in KILLS}


# The run and its page


def in_process(part: str, *args: Any) -> Any:
    """Measure a part in a process of its own."""
    command = [sys.executable, __file__, "--part", part, *map(str, args)]
    paths = os.pathsep.join([str(_FOLDER.parent), str(_FOLDER)])
    environment = {**os.environ, "PYTHONPATH": paths}
    found = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(found.stdout.splitlines()[-1])


def engine_lines(data: dict[str, Any]) -> Generator[str]:
    """Yield the table of engines."""
    calls = data.pop("calls")
    yield f"{calls:,} calls of 20 ms by two workers, with {AT_A_TIME} at a time each. By hand, the"
    yield f"engine maps slices of {SLICE} prompts, which the openai SDK asks on threads; chatnb"
    yield "does `chat.map(prompts, executor=...)`; the driver's memory is what it grew by.\n"
    yield "| engine | by hand, a second | chatnb, a second | more for each call | driver's memory |"
    yield "|---|--:|--:|--:|--:|"
    for name, row in data.items():
        more = 1e6 * (row["chatnb"] - row["bare"]) / calls
        rates = f"{calls / row['bare']:,.0f} | {calls / row['chatnb']:,.0f}"
        yield f"| {name} | {rates} | {more:+,.0f} µs | {row['memory']:+.0f} MB |"
    yield ""


def map_lines(data: dict[str, Any]) -> Generator[str]:
    """Yield the sentence on memory."""
    yield (
        f"`map` over {data['prompts']:,} prompts of a scripted model took {data['memory']:.0f} MB "
        f"more than over 10,000, and {data['map_us']:.0f} µs of the processor for each, where "
        f"`batch` takes {data['batch_us']:.0f} µs.\n"
    )


def checkpoint_lines(data: dict[str, Any]) -> Generator[str]:
    """Yield the sentence on checkpoints."""
    share = 100 * (data["with"] / data["without"] - 1)
    yield (
        f"A checkpoint added {share:.1f} % to the processor time of {data['calls']:,} calls of "
        "20 ms with `ChatOpenAI`.\n"
    )


def kill_lines(data: dict[str, Any]) -> Generator[str]:
    """Yield the table of kills."""
    yield "Kills at random moments of batches with a checkpoint. Paid twice are prompts that were"
    yield "requested again, though their reply was in the checkpoint. Unfinished are replies that"
    yield "were made in the moment of the kill, and had not reached it.\n"
    yield "| killed | times | answers lost | paid twice | unfinished |"
    yield "|---|--:|--:|--:|--:|"
    for name, cost in data.items():
        numbers = [cost[key] for key in ("kills", "lost", "paid_twice", "unfinished")]
        yield f"| {name} | {' | '.join(map(str, numbers))} |"
    yield ""


PARTS: dict[str, tuple[Callable[[int], Any], str, Callable[[Any], Generator[str]]]] = {
    "engines": (measure_engines, "calls", engine_lines),
    "map": (measure_map, "prompts", map_lines),
    "checkpoint": (measure_checkpoint, "checkpoint_calls", checkpoint_lines),
    "kills": (measure_all_kills, "kills", kill_lines),
}


def write_page(results: dict[str, Any]) -> None:
    """Replace the figures in the documentation."""
    lines = [_BEGIN, ""]
    for name, (_, _, write) in PARTS.items():
        if name in results:
            lines += write(dict(results[name]))
    cores = f"{psutil.cpu_count()} cores"
    lines += [
        f"Measured on {datetime.now(UTC):%Y-%m-%d} by `make bench-scale`, on {cores}.",
        "",
        _END,
    ]
    before, _, rest = _PAGE.read_text("utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    _PAGE.write_text(before + "\n".join(lines) + after, "utf-8")


def measure_part(part: str, *args: str) -> Any:
    """Measure a part in this process."""
    if part == "engine":
        return measure_engine(args[0], int(args[1]))
    return PARTS[part][0](int(args[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--prompts", type=int, default=1_000_000)
    parser.add_argument("--checkpoint-calls", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(measure_part(*options.part)))
        return
    for name in options.only:
        results = json.loads(_RESULTS.read_text()) if _RESULTS.exists() else {}
        amount = getattr(options, PARTS[name][1])
        results[name] = PARTS[name][0](amount) if name == "engines" else in_process(name, amount)
        _RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        write_page(results)


if __name__ == "__main__":
    main()
