"""Processes that are killed while they write: a script of its own, which forks.

    python -m tests.faults.kills FOLDER KILLS SEED

A process writes versions of a file, says after each that it is there, and is killed; then the file
is read as its reader does. Prints JSON: how many were killed, by kind, and a line for each failure.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from chatnb import Conversation, RunLog, ScriptedChatModel, SQLiteCache
from chatnb.conversations import to_ipynb, to_jsonl
from chatnb.errors import CassetteMissError
from chatnb.files import replace_text
from chatnb.schema import HumanMessage, RunLogPatch
from chatnb.store import Store
from chatnb.testing import cassette
from chatnb.tracing import JSONLHandler

Written = Callable[[int], None]
_FILLING = "word " * 2000


class Writer(NamedTuple):
    """A kind of file: what writes its versions for ever, and what reads the last that is there."""

    write: Callable[[Path, Written], None]
    read: Callable[[Path], int]


def _for_ever(write: Callable[[int], object], written: Written) -> None:
    number = 0
    while True:
        number += 1
        write(number)
        written(number)


def _log(number: int) -> RunLog:
    value = {"id": "1", "streamed_output": [], "final_output": _FILLING, "logs": {}}
    return RunLog(RunLogPatch({"op": "replace", "path": "", "value": value}, root={"n": number}))


def _write_log(path: Path, written: Written) -> None:
    _for_ever(lambda number: _log(number).save(path), written)


def _read_log(path: Path) -> int:
    return RunLog.load(path).root["n"]  # type: ignore[typeddict-item]


def _write_export(path: Path, written: Written) -> None:
    conversation = Conversation("x", store=Store(":memory:"))

    def write(number: int) -> None:
        conversation.add(HumanMessage(f"{number} {_FILLING}"))
        form = to_ipynb if number % 2 else to_jsonl
        replace_text(path, [form(conversation)])

    _for_ever(write, written)


def _read_export(path: Path) -> int:
    text = path.read_text(encoding="utf-8")
    if text.startswith('{\n "cells"'):
        return len(json.loads(text)["cells"]) - 2
    return sum("heron" not in json.loads(line) for line in text.splitlines()) - 1


def _write_conversation(path: Path, written: Written) -> None:
    conversation = Conversation("x", store=Store(path))
    _for_ever(lambda number: conversation.add(HumanMessage(f"{number} {_FILLING}")), written)


def _read_conversation(path: Path) -> int:
    store = Store(path)
    messages = Conversation("x", store=store).messages
    store.close()
    assert [message.text.split()[0] for message in messages] == [
        str(number + 1) for number in range(len(messages))
    ]
    return len(messages)


def _write_cassette(path: Path, written: Written) -> None:
    model = ScriptedChatModel([_FILLING])

    def write(number: int) -> None:
        with cassette(path, "record"):
            model.invoke(f"prompt {number}")

    _for_ever(write, written)


def _read_cassette(path: Path) -> int:
    number, model = 0, ScriptedChatModel([_FILLING])
    with cassette(path, "replay"), suppress(CassetteMissError):
        while model.invoke(f"prompt {number + 1}").text == _FILLING:
            number += 1
    return number


def _write_events(path: Path, written: Written) -> None:
    model = ScriptedChatModel([_FILLING])
    with JSONLHandler(path) as handler:
        _for_ever(lambda _: model.invoke("x", {"callbacks": [handler]}), written)


def _read_events(path: Path) -> int:
    events = [json.loads(line)["event"] for line in path.read_text("utf-8").splitlines()]
    return events.count("end")


def _write_cache(path: Path, written: Written) -> None:
    cache = SQLiteCache(path)
    _for_ever(lambda number: cache.store(f"key {number}", f"{number} {_FILLING}"), written)


def _read_cache(path: Path) -> int:
    cache, number = SQLiteCache(path), 0
    while (text := cache.lookup(f"key {number + 1}")) is not None:
        number += 1
        assert text == f"{number} {_FILLING}"
    return number


WRITERS = {
    "run log": Writer(_write_log, _read_log),
    "export": Writer(_write_export, _read_export),
    "conversation": Writer(_write_conversation, _read_conversation),
    "cassette": Writer(_write_cassette, _read_cassette),
    "events": Writer(_write_events, _read_events),
    "cache": Writer(_write_cache, _read_cache),
}


def _kill_while_writing(writer: Writer, path: Path, seconds: float) -> int:
    """Fork a process that writes, kill it after its first version, and return its last."""
    versions, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(versions)
        try:
            writer.write(path, lambda number: os.write(told, number.to_bytes(4, "big")) and None)
        finally:
            os._exit(1)
    os.close(told)
    with os.fdopen(versions, "rb") as pipe:
        first = pipe.read(4)
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        rest = pipe.read()
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        raise RuntimeError("the writer failed")
    last = (first + rest)[: len(first + rest) // 4 * 4][-4:]
    return int.from_bytes(last, "big")


def main(folder: Path, kills: int, seed: int) -> None:
    """Kill so many processes, and read what each has left."""
    chance, killed, failures = random.Random(seed), Counter[str](), list[str]()
    for number in range(kills):
        name = list(WRITERS)[number % len(WRITERS)]
        path = folder / f"{number}"
        try:
            written = _kill_while_writing(WRITERS[name], path, chance.uniform(0, 0.03))
            killed[name] += 1
            found = WRITERS[name].read(path)
            if not written <= found <= written + 1:
                failures.append(f"{name}: version {written} was written, and {found} is there")
        except Exception as error:
            failures.append(f"{name}: {type(error).__name__}: {error}")
    print(json.dumps({"killed": killed, "failures": failures}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
