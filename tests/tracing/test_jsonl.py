from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from chatnb.schema import AIMessageChunk
from chatnb.schema.run_logs.json_values import from_json
from chatnb.tracing import JSONLHandler
from tests.support.traced_runs import QUESTION, at, chain, ended, live, live_at_once, model, replied


def _lines(path: Path) -> list[Any]:
    return [from_json(line) for line in path.read_text().splitlines()]


def test_each_event_is_a_line_in_the_order_of_the_events(tmp_path: Path) -> None:
    """A chain that calls a model leaves its story, each line saying which run it is of."""
    path = tmp_path / "runs.jsonl"
    root = chain(tags=["t"], metadata={"who": "me"})
    with JSONLHandler(path, now=lambda: at(9)) as handler:
        live(handler, root, model(parent=root))
    lines = _lines(path)
    assert [(line["event"], line["run"]["id"]) for line in lines] == [
        ("start", "c1"), ("retry", "c1"), ("start", "m1"), ("token", "m1"), ("token", "m1"),
        ("end", "m1"), ("end", "c1"),
    ]  # fmt: skip
    assert lines[0] == {
        "event": "start",
        "time": "2026-01-02T03:04:05.600001+00:00",
        "run": {
            "id": "c1", "parent_id": None, "name": "pipeline", "type": "chain",
            "tags": ["t"], "metadata": {"who": "me"}, "inputs": {"topic": "secrets"},
        },
    }  # fmt: skip
    assert lines[1]["attempt"] == 1
    assert lines[1]["error"] == {"type": "TimeoutError", "message": "late"}
    assert lines[1]["pause"] == 0.5
    assert lines[3]["time"] == "2026-01-02T03:04:14.600001+00:00"
    assert lines[3]["run"]["parent_id"] == "c1"


def test_messages_and_chunks_come_back_equal(tmp_path: Path) -> None:
    """A model's input, chunks and result are read back equal."""
    path = tmp_path / "runs.jsonl"
    run = model()
    with JSONLHandler(path) as handler:
        handler.on_start(run)
        handler.on_token(run, AIMessageChunk("Hu"))
        handler.on_end(replied(run))
    start, token, end = _lines(path)
    assert start["run"]["inputs"] == QUESTION
    assert token["chunk"] == AIMessageChunk("Hu")
    assert end["run"]["output"] == run.output
    assert end["run"]["usage"] == run.usage_metadata
    assert end["run"]["first_token_time"] == "2026-01-02T03:04:07.100001+00:00"
    assert end["time"] == end["run"]["end_time"] == "2026-01-02T03:04:08.850001+00:00"


@pytest.mark.parametrize(
    ("raised", "stopped"), [(ValueError("no"), False), (GeneratorExit(), True)]
)
def test_a_run_that_breaks_off_says_why(
    tmp_path: Path, raised: BaseException, stopped: bool
) -> None:
    """The error is there with its class, and whether it was only a stop."""
    path = tmp_path / "runs.jsonl"
    run = chain()
    run.fail(raised, at(1))
    with JSONLHandler(path) as handler:
        handler.on_error(run)
    (line,) = _lines(path)
    assert line["event"] == "error"
    assert line["error"]["type"] == type(raised).__name__
    assert line["error"]["stopped"] is stopped


def test_inputs_that_streamed_in_are_told_at_the_end(tmp_path: Path) -> None:
    """A run whose input was not whole at its start has it in its last line, others do not."""
    path = tmp_path / "runs.jsonl"
    late, prompt = chain("late"), chain("prompt")
    late.inputs = None
    with JSONLHandler(path) as handler:
        handler.on_start(late)
        handler.on_start(prompt)
        late.inputs = "whole"
        handler.on_end(ended(late, 1))
        handler.on_end(ended(prompt, 1))
    _, _, of_late, of_prompt = _lines(path)
    assert of_late["run"]["inputs"] == "whole"
    assert "inputs" not in of_prompt["run"]


def test_lines_of_threads_do_not_mix(tmp_path: Path) -> None:
    """Four threads at once write every line of theirs whole, and each run's in order."""
    path = tmp_path / "runs.jsonl"
    with JSONLHandler(path) as handler:
        live_at_once(handler, threads=4, times=50)
    lines = _lines(path)
    assert Counter(line["event"] for line in lines) == {
        "start": 400, "retry": 200, "token": 400, "end": 400,
    }  # fmt: skip
    of_one = [line["event"] for line in lines if line["run"]["id"] == "m3.49"]
    assert of_one == ["start", "token", "token", "end"]


WRITE_LONG_LINES = """
import sys
from chatnb.tracing import JSONLHandler
from tests.support.traced_runs import chain

path, letter = sys.argv[1:]
run = chain(letter)
with JSONLHandler(path) as handler:
    for _ in range(100):
        handler.on_token(run, letter * 50_000)
"""


@pytest.mark.slow
def test_two_processes_may_share_a_file(tmp_path: Path) -> None:
    """Lines of 50,000 characters of two processes at once are all whole."""
    path = tmp_path / "runs.jsonl"
    root = Path(__file__).parents[2]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE_LONG_LINES, path, letter], cwd=root)
        for letter in "ab"
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert Counter(line["chunk"] for line in lines) == {"a" * 50_000: 100, "b" * 50_000: 100}


def test_what_the_file_holds_is_kept_and_each_line_is_there_at_once(tmp_path: Path) -> None:
    """A line can be read before the file is closed, and stands below the older ones."""
    path = tmp_path / "runs.jsonl"
    path.write_text('{"event":"older"}\n')
    handler = JSONLHandler(path)
    handler.on_start(chain())
    assert [line["event"] for line in _lines(path)] == ["older", "start"]
    assert repr(handler) == f"JSONLHandler({str(path)!r})"
    handler.close()
    handler.close()
    with pytest.raises(ValueError, match="closed file"):
        handler.on_start(chain())
