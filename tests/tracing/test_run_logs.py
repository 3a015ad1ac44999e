"""The file of a JSONLHandler, read as run logs: the same trees as those of the runs' own logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chatnb.chat_models import ScriptedChatModel
from chatnb.errors import DamagedFileError, ServerError
from chatnb.notebook.run_tree.tree import RunLogTree
from chatnb.output_parsers import StrOutputParser
from chatnb.prompts import ChatPromptTemplate
from chatnb.runnables import RunnableLambda, RunnableParallel
from chatnb.schema import RunLog
from chatnb.tracing import JSONLHandler, load_run_logs


def chain(*replies: Any) -> Any:
    prompt = ChatPromptTemplate.from_template("Tell of {topic}.")
    told = prompt | ScriptedChatModel(list(replies)) | StrOutputParser()
    return RunnableParallel(story=told, size=RunnableLambda(len)) | RunnableLambda(str)


def outline(log: RunLog) -> dict[str, Any]:
    """The parts of a log that a tree shows, but its times and ids."""
    rows = {
        key: (entry["type"], entry["inputs"], entry["final_output"], entry["streamed_output_str"])
        for key, entry in log.state["logs"].items()
    }
    failed = (log.state.get("error") or {}).get("message")
    return {"rows": rows, "output": log.state["final_output"], "failed": failed}


def test_a_log_is_that_of_its_run(tmp_path: Path) -> None:
    """Rows, inputs, outputs and streamed text are those that the log of the same run has."""
    given = {"topic": "lamps"}
    with JSONLHandler(tmp_path / "runs.jsonl") as handler:
        own = sum(chain("A lamp at sea.").stream_log(given, {"callbacks": [handler]}))
    (log,) = load_run_logs(tmp_path / "runs.jsonl")
    assert outline(log) == outline(own)


def test_a_call_that_does_not_stream_has_the_same_rows(tmp_path: Path) -> None:
    """The rows of a whole call are those of a streamed one, each ended."""
    with JSONLHandler(tmp_path / "runs.jsonl") as handler:
        chain("A lamp.").invoke({"topic": "lamps"}, {"callbacks": [handler]})
    (log,) = load_run_logs(tmp_path / "runs.jsonl")
    own = sum(chain("A lamp.").stream_log({"topic": "lamps"}))
    assert set(log.state["logs"]) == set(own.state["logs"])
    assert all(entry["end_time"] for entry in log.state["logs"].values())


def test_each_run_at_the_top_is_a_log(tmp_path: Path) -> None:
    """A file has the runs of many calls; the tree of the file is that of the last one."""
    with JSONLHandler(tmp_path / "runs.jsonl") as handler:
        config: Any = {"callbacks": [handler]}
        for reply in ("One.", ServerError("Overloaded."), "Three."):
            ScriptedChatModel([reply]).batch(["Hi"], config, return_exceptions=True)
    logs = load_run_logs(tmp_path / "runs.jsonl")
    assert [outline(log)["failed"] for log in logs] == [None, "Overloaded.", None]
    tree = RunLogTree(tmp_path / "runs.jsonl")
    assert tree.log.state["id"] == logs[-1].state["id"]
    assert "ScriptedChatModel · llm" in repr(tree)


def test_a_file_that_is_cut_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """Without its beginning or its end there are fewer runs, and no error."""
    path = tmp_path / "runs.jsonl"
    with JSONLHandler(path) as handler:
        chain("A lamp.").invoke({"topic": "lamps"}, {"callbacks": [handler]})
    lines = path.read_bytes().splitlines(keepends=True)
    for end in range(1, len(lines)):
        path.write_bytes(b"".join(lines[:end]) + lines[end][:20])
        (log,) = load_run_logs(path)
        assert log.state["id"]
    path.write_bytes(b"".join(lines[-1:]))
    assert load_run_logs(path) == []
    with pytest.raises(ValueError, match="of no run the start"):
        RunLogTree(path)


@pytest.mark.parametrize(
    "line",
    [
        '{"event": 3}',
        '{"event": "start", "time": "late", "run": {"id": "r", "parent_id": null, "name": "n", '
        '"type": "llm"}}',
        '{"event": "start", "time": "2026-01-01T00:00:00+00:00", "run": {}}',
        "[]",
        '{"event":',
    ],
)
def test_what_is_no_event_is_one_error_with_its_line(tmp_path: Path, line: str) -> None:
    """A damaged file is named, with the number of the line."""
    path = tmp_path / "runs.jsonl"
    path.write_text(f"{line}\n")
    with pytest.raises(DamagedFileError, match=r"runs\.jsonl .*Line 1"):
        load_run_logs(path)
