from __future__ import annotations

import json
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from chatnb.conversations import Conversation
from chatnb.schema import AIMessage
from chatnb.store import Store


def running() -> dict[str, Any]:
    pid = os.getppid()
    return {"pid": pid, "started": psutil.Process(pid).create_time()}


GONE = {"pid": 2**22 + 1, "started": 1.0}


@pytest.mark.parametrize(
    ("writer", "has_psutil", "silent", "status"),
    [
        (running(), True, 5_000.0, "streaming"),
        (GONE, True, 1.0, "stopped"),
        ({**running(), "started": 1.0}, True, 1.0, "stopped"),  # Another one has its number.
        ({**running(), "machine": "elsewhere"}, True, 29.0, "streaming"),
        ({**running(), "machine": "elsewhere"}, True, 31.0, "stopped"),
        ({**GONE, "started": None}, True, 29.0, "streaming"),
        ({**GONE, "started": None}, True, 31.0, "stopped"),
        (GONE, False, 29.0, "streaming"),
        (running(), False, 31.0, "stopped"),
        ({}, True, 1.0, "stopped"),
    ],
)
def test_a_reply_streams_on_as_long_as_its_writer_lives(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    writer: dict[str, Any],
    has_psutil: bool,
    silent: float,
    status: str,
) -> None:
    """A process of this machine counts as gone at once, any other when its heartbeat stops."""
    path, time = tmp_path / "conversations.db", 1e9
    Store(path, clock=lambda: time).add("boats", AIMessage("Ada"), parent=None, status="streaming")
    with closing(sqlite3.connect(path)) as connection, connection:
        ((ours,),) = connection.execute("SELECT writer FROM nodes")
        other = json.dumps({"machine": json.loads(ours)["machine"], **writer})
        connection.execute("UPDATE nodes SET writer = ?, heartbeat = ?", (other, time))
    if not has_psutil:
        monkeypatch.setitem(sys.modules, "psutil", None)
    store = Store(path, clock=lambda: time + silent)
    assert [node.status for node in Conversation("boats", store=store).path()] == [status]
