"""The times of runs whose calls a cassette answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chatnb.cassettes.cassette import Cassette
from chatnb.chat_models import ScriptedChatModel
from chatnb.output_parsers import StrOutputParser
from chatnb.runnables import RunnableLambda, RunnableParallel
from chatnb.runnables.tracing import origin
from chatnb.tracing.run import ClockAndIds
from tests.support.recording_handler import Recorder

CHAT = ScriptedChatModel(["One two three."])
SHORT = CHAT | StrOutputParser()
ASK_AGAIN = RunnableLambda(lambda _: CHAT.invoke("again").text, name="again")
CHAIN: Any = RunnableParallel(short=SHORT, long=SHORT | ASK_AGAIN) | ASK_AGAIN

Call = Callable[[Any], object]
TICK = 2.0


def replayed(folder: Path, call: Call) -> list[tuple[str, float, float]]:
    """Record calls, replay them as if each chunk had taken two seconds, by a clock that stands
    still, and return when each run has begun and for how long it has lasted."""
    path = folder / "calls.yaml"
    with Cassette(path, "record"):
        call({})
    times = re.compile(r"(after_ms: \[)(\d+)(, \d+)*(?=\])")
    path.write_text(times.sub(lambda match: re.sub(r"\d+", "2000", match[0]), path.read_text()))
    moment, recorder = datetime(2026, 1, 2, tzinfo=UTC), Recorder()
    token = origin.set(ClockAndIds(now=lambda: moment))
    try:
        with Cassette(path, "replay"):
            call({"callbacks": [recorder]})
    finally:
        origin.reset(token)
    found = list[tuple[str, float, float]]()
    for run in recorder.runs():
        assert run.end_time is not None
        start, end = run.start_time - moment, run.end_time - moment
        found.append((run.name, start.total_seconds(), (end - start).total_seconds()))
    return sorted(found)


@pytest.mark.parametrize(
    "call",
    [
        lambda config: CHAIN.invoke("first", config),
        lambda config: asyncio.run(CHAIN.ainvoke("first", config)),
    ],
    ids=["invoke", "ainvoke"],
)
def test_steps_last_as_recorded_one_after_another_and_branches_side_by_side(
    call: Call, tmp_path: Path
) -> None:
    """Calls, and the runs above them, on any thread."""
    assert replayed(tmp_path, call) == [
        ("RunnableParallel", 0.0, 2 * TICK),
        ("RunnableSequence", 0.0, TICK),
        ("RunnableSequence", 0.0, 2 * TICK),
        ("RunnableSequence", 0.0, 3 * TICK),
        ("ScriptedChatModel", 0.0, TICK),
        ("ScriptedChatModel", 0.0, TICK),
        ("ScriptedChatModel", TICK, TICK),
        ("ScriptedChatModel", 2 * TICK, TICK),
        ("StrOutputParser", TICK, 0.0),
        ("StrOutputParser", TICK, 0.0),
        ("again", TICK, TICK),
        ("again", 2 * TICK, TICK),
    ]


def test_a_stream_and_what_reads_it_last_as_recorded(tmp_path: Path) -> None:
    """A chunk takes two seconds, and the parser begins with the first of three."""
    assert replayed(tmp_path, lambda config: list(SHORT.stream("first", config))) == [
        ("RunnableSequence", 0.0, 3 * TICK),
        ("ScriptedChatModel", 0.0, 3 * TICK),
        ("StrOutputParser", TICK, 2 * TICK),
    ]


def test_models_that_are_called_by_themselves_last_as_recorded(tmp_path: Path) -> None:
    """Also by their first methods, which take the config as keywords."""
    assert replayed(tmp_path, lambda config: CHAT("first", **config)) == [
        ("ScriptedChatModel", 0.0, TICK)
    ]
