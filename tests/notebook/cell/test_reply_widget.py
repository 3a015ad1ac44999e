from __future__ import annotations

import asyncio
import random
import sys
import threading
from contextlib import closing
from typing import Any

import pytest

from chatnb.notebook.cell.reply_widget import ReplyState, ReplyView, StreamedWidget
from chatnb.runnables import RunnableLambda


def test_deltas_add_up_to_the_text_and_are_numbered() -> None:
    """Numbers run 1, 2, 3 and no text is lost, however pushes fall between deltas."""
    dice, state, deltas = random.Random(1), ReplyState(), []
    pieces = [dice.choice(["a", "bc", "", "😀", "\n"]) for _ in range(500)]
    for piece in pieces:
        state.push(piece)
        if dice.random() < 0.3:
            deltas.append(state.take_delta())
    deltas.append(state.take_delta())
    told = [delta for delta in deltas if delta]
    assert [delta["seq"] for delta in told] == list(range(1, len(told) + 1))
    assert "".join(delta["text"] for delta in told) == "".join(pieces) == state.text


def test_reasoning_travels_beside_the_text() -> None:
    """A delta and a snapshot have the reasoning, where there is any."""
    state = ReplyState()
    state.push_reasoning("Let me ")
    state.push_reasoning("think.")
    assert state.take_delta() == {
        "type": "delta",
        "seq": 1,
        "text": "",
        "reasoning": "Let me think.",
    }
    state.push("Because.")
    assert state.take_delta() == {"type": "delta", "seq": 2, "text": "Because."}
    assert state.snapshot() == {"seq": 2, "text": "Because.", "reasoning": "Let me think."}


def test_a_kernel_that_receives_nothing_sends_snapshots_that_cost_no_more_than_the_text() -> None:
    """Snapshots for a browser that cannot ask come early, together below 4/3 of the text."""
    state, snapshots = ReplyState(can_ask=False), []
    for _ in range(10_000):
        state.push("word ")
        state.take_delta()
        snapshots.append(state.take_due_snapshot())
    sent = [snapshot["text"] for snapshot in snapshots if snapshot]
    assert len(sent[0]) < 100
    assert sum(map(len, sent)) <= 4 / 3 * 50_000
    assert all(("word " * 10_000).startswith(text) for text in sent)


def test_a_kernel_that_receives_requests_sends_no_snapshots_unasked() -> None:
    """Nothing is sent twice to a browser that can ask."""
    state = ReplyState()
    state.push("word " * 1000)
    state.take_delta()
    assert state.take_due_snapshot() is None
    assert state.snapshot() == {"seq": 1, "text": "word " * 1000}


def test_a_snapshot_does_not_race_the_deltas(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser that asks on another thread gets each text once, whenever it asks."""
    view = ReplyView(lambda: None, model_name="m", stop_with="message")
    sent = list[Any]()
    monkeypatch.setattr(view, "send", lambda message: sent.append(dict(message)))
    monkeypatch.setattr(
        view, "send_state", lambda key: key == "snapshot" and sent.append(dict(view.snapshot))
    )
    words, ended = [f"{number} " for number in range(1_000)], threading.Event()

    async def stream(_: str) -> None:
        for word in words:
            view.append(word)
            view.flush()
            await asyncio.sleep(0)

    def ask() -> None:
        seen = 0
        while not ended.is_set():
            if len(sent) > seen:  # Something was sent since the last time.
                seen = len(sent)
                view._receive(view, {"type": "resync"}, [])  # pyright: ignore[reportPrivateUsage]

    asking, interval = threading.Thread(target=ask), sys.getswitchinterval()
    asking.start()
    sys.setswitchinterval(1e-6)
    try:
        RunnableLambda(stream).invoke("x")
    finally:
        ended.set()
        asking.join()
        sys.setswitchinterval(interval)
    seq = 0
    for message in sent:
        assert message["seq"] == seq + ("type" in message)
        seq = message["seq"]
        if "type" not in message:
            assert message["text"] == "".join(words[:seq])


@pytest.mark.parametrize("mounts", [True, False])
def test_a_view_mounts_where_it_is_asked_to(mounts: bool) -> None:
    """In a cell it is the output itself, which names no place."""
    with closing(StreamedWidget(lambda: None, mounts=mounts)) as view:
        assert bool(view.mount_point) == mounts
