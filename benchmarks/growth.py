"""Measures whether the cost of a turn, a recorded call, a cached reply and a log's line grows.

`python benchmarks/growth.py`, a part of `make bench`. Process CPU time, best of several.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from itertools import count, islice
from pathlib import Path

from chatnb import AIMessage, ChatPanel, Conversation, HumanMessage, ScriptedChatModel
from chatnb.cassettes.cassette import Cassette
from chatnb.chat_models.cache import SQLiteCache
from chatnb.schema import RunLog
from chatnb.store import shared_store

TURNS = (200, 2_000, 20_000)
CALLS = (200, 2_000)
LINES = 50_000
REPEATS = 20


def milliseconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """The CPU time of one of several repeats, the quickest of three rounds."""
    rounds = list[float]()
    for _ in range(3):
        started = time.process_time()
        for _ in range(repeats):
            work()
        rounds.append((time.process_time() - started) / repeats * 1000)
    return min(rounds)


def print_row(name: str, values: list[float]) -> None:
    growth = values[-1] / values[0]
    print(
        f"| {name} | {' | '.join(f'{value:.2f}' for value in values)} | {growth:.1f} |", flush=True
    )


def long_conversation(turns: int) -> Conversation:
    conversation = Conversation(f"of {turns} turns")
    for turn in range(turns):
        conversation.add(HumanMessage(f"question {turn}"))
        conversation.add(AIMessage(f"answer {turn}"))
    return conversation


def measure_turns() -> None:
    adds, asks = list[float](), list[float]()
    for turns in TURNS:
        conversation = long_conversation(turns)
        adds.append(milliseconds(lambda c=conversation: c.add(HumanMessage("more"))))
        panel = ChatPanel(ScriptedChatModel(["Hello there."]), name=conversation.name)
        asks.append(milliseconds(lambda p=panel: p.ask("more").result(60), 5))
    print(f"| ms, with turns so far: | {' | '.join(map(str, TURNS))} | grows by |")
    print("|---|--:|--:|--:|--:|")
    print_row("Conversation.add", adds)
    print_row("panel.ask", asks)


def measure_files(folder: Path) -> None:
    recorded = [time_recording(folder / f"{calls}.yaml", calls) for calls in CALLS]
    stored = [time_storing(folder / f"{calls}.db", calls) for calls in CALLS]
    print(f"\n| ms, with calls so far: | {' | '.join(map(str, CALLS))} | grows by |")
    print("|---|--:|--:|--:|")
    print_row("record in a cassette", recorded)
    print_row("SQLiteCache.store", stored)


def time_recording(path: Path, calls: int) -> float:
    chat, numbers = ScriptedChatModel(["Hello."]), count()
    with Cassette(path, "record"):
        for number in islice(numbers, calls):
            chat.invoke(f"prompt {number}")
        return milliseconds(lambda: chat.invoke(f"prompt {next(numbers)}"))


def time_storing(path: Path, calls: int) -> float:
    cache, numbers = SQLiteCache(path), count()
    for number in islice(numbers, calls):
        cache.store(str(number), "x" * 500)
    return milliseconds(lambda: cache.store(str(next(numbers)), "x" * 500), 100)


def measure_log(folder: Path) -> None:
    log = RunLog()
    for patch in ScriptedChatModel([["word "] * LINES]).stream_log("Hi"):
        log += patch
    log.save(folder / "run.jsonl")
    seconds = milliseconds(lambda: RunLog.load(folder / "run.jsonl"), 1) / 1000
    print(f"\nRunLog.load: {seconds / len(log.ops) * 1e6:.1f} µs an operation")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CHATNB_STORE"] = str(Path(folder, "conversations.db"))
        measure_turns()
        measure_files(Path(folder))
        measure_log(Path(folder))
        shared_store().close()


if __name__ == "__main__":
    main()
