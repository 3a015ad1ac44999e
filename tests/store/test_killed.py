from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chatnb import AIMessageChunk, Conversation, HumanMessage
from chatnb.store import Store
from tests.support.hangs import wait_until

pytestmark = pytest.mark.process

STREAMING = Path(__file__).parents[1] / "support" / "streaming_writer.py"
KILLED = 20
AT_ONCE = 4


def start(
    name: str, seconds_a_chunk: float, store: str | Path | None = None
) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    if store is not None:
        environment["CHATNB_STORE"] = str(store)
    command = [sys.executable, str(STREAMING), name, str(seconds_a_chunk)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def whole(chunks: int) -> str:
    return "".join(f"{chunk} " for chunk in range(chunks))


def is_partial_of_a_killed_process(path: Path, seconds: float) -> bool:
    """Kill a process that streams into the store at `path` after so many seconds, and check what
    it left; return whether a reply was cut off."""
    process = start("killed", 0.03, path)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(seconds)
    process.kill()
    killed_at = time.monotonic()
    told = [line.split() for line in process.stdout.read().splitlines()]
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()

    store = Store(path)
    nodes = Conversation("killed", store=store).path()
    store.close()
    finished = sum(event == "done" for event, *_ in told)
    replies = [node for node in nodes if node.message.type == "ai"]
    assert [node.message.text for node in replies[:finished]] == [whole(40)] * finished
    assert {node.status for node in replies[:finished]} <= {"done"}
    old = [
        int(chunk)
        for event, turn, chunk, at in told
        if event == "chunk" and int(turn) == finished and float(at) < killed_at - 1
    ]
    if len(replies) == finished:
        assert not old
        return False
    (last,) = replies[finished:]
    assert last.message.text.startswith(whole(max(old, default=-1) + 1))
    assert whole(40).startswith(last.message.text)
    if last.status == "done":
        return False
    assert last.status == "stopped"
    assert last.message.response_metadata["finish_reason"] == "stopped"
    return True


@pytest.mark.slow
@pytest.mark.thorough
def test_sigkill_costs_no_finished_turn_and_at_most_a_second_of_the_last(tmp_path: Path) -> None:
    """Killed 20 times at random moments: every turn that was finished is there, in order, and of
    the reply that streamed all that came a second before; it is marked as stopped."""
    moments = random.Random(8)
    paths = [tmp_path / f"{number}.db" for number in range(KILLED)]
    seconds = [moments.uniform(0, 2.6) for _ in paths]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        partials = sum(threads.map(is_partial_of_a_killed_process, paths, seconds))
    assert partials >= 10


def test_a_pause_of_the_model_leaves_nothing_in_memory_only() -> None:
    """The last piece before a pause is soon on disk, though nothing follows it."""
    talk, reader = Conversation("paused"), Store(os.environ["CHATNB_STORE"])
    talk.add(HumanMessage("Hi"))
    draft = talk.begin_reply()
    draft.append(AIMessageChunk("first"))
    wait_until(lambda: Conversation("paused", store=reader).messages[-1].text == "first")
    draft.finish()
    reader.close()


def test_a_reply_that_streams_in_another_process_goes_on() -> None:
    """A live writer is not taken for a dead one: its reply grows before the reader's eyes."""
    process = start("live", seconds_a_chunk=0.2)
    assert process.stdout is not None
    process.stdout.readline()
    talk, lengths = Conversation("live"), set[int]()

    def has_grown_twice() -> bool:
        node = talk.path()[-1]
        assert node.status == "streaming"
        lengths.add(len(node.message.text))
        return len(lengths) > 2

    wait_until(has_grown_twice)
    process.kill()
    process.wait()
    process.stdout.close()
    assert talk.path()[-1].status == "stopped"


def test_a_partial_of_a_killed_process_can_be_found() -> None:
    """Search knows the words of a reply whose process never came to its end."""
    process = start("found", seconds_a_chunk=0.05)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("chunk 0 30"):
            break
    process.kill()
    process.wait()
    process.stdout.close()
    store = Store(os.environ["CHATNB_STORE"])
    found = store.search("0 1 2 3")
    assert [each.node_id for each in found] == [Conversation("found").path()[-1].id]
    store.close()
