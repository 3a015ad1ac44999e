"""Requests of child processes, whose entries the cassette of their parent keeps."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chatnb import ScriptedChatModel
from chatnb.cassettes.active import FILE_VARIABLE
from chatnb.cassettes.cassette import MODE_VARIABLE, Cassette, Mode
from chatnb.cassettes.cassette_file import count_child_requests
from chatnb.cassettes.yaml_file import parse_cassette

pytestmark = pytest.mark.slow

_CHILD = """
import sys
from chatnb import ScriptedChatModel
for prompt in sys.argv[2:]:
    ScriptedChatModel([sys.argv[1]]).invoke(prompt)
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cassette that is not recorded yet."""
    monkeypatch.setenv("CHATNB_CASSETTE_REQUESTS", "")
    return tmp_path / "calls.yaml"


def ask(path: Path, mode: Mode, *in_child: str, reply: str = "Fine.") -> list[str]:
    """Request something here and in a child process, and return the unrequested entries."""
    count_child_requests()
    cassette = Cassette(path, mode)
    variables = {FILE_VARIABLE: str(path), MODE_VARIABLE: mode}
    with cassette:
        ScriptedChatModel([reply]).invoke("here")
        command = [sys.executable, "-c", _CHILD, reply, *in_child]
        subprocess.run(command, env={**os.environ, **variables}, check=True, timeout=120)
        ScriptedChatModel([reply]).invoke("here, too")
        unrequested = cassette.unrequested()
        cassette.close(prune=True)
    return unrequested


def prompts(path: Path) -> list[str]:
    calls = parse_cassette(path.read_text(), "calls").calls
    return sorted(call["request"]["messages"][-1]["human"] for call in calls)


def test_recordings_of_children_are_kept_as_long_as_they_are_requested(path: Path) -> None:
    """A replay misses none, and a recording drops what no process has requested any more."""
    ask(path, "record", "a", "a", "b")
    recorded = path.read_text()
    assert prompts(path) == ["a", "a", "b", "here", "here, too"]
    assert ask(path, "replay", "a", "b") == []
    assert path.read_text() == recorded
    assert ask(path, "replay", "b") == ["a", "a"]
    assert prompts(path) == ["b", "here", "here, too"]


def test_children_record_again_and_their_earlier_recordings_go(path: Path) -> None:
    """A request that a child makes again stands once in the file, with its new reply."""
    ask(path, "record", "a", "b")
    ask(path, "refresh", "a", reply="Better.")
    assert prompts(path) == ["a", "here", "here, too"]
    assert path.read_text().count("text: Better.") == 3
    assert "text: Fine." not in path.read_text()
