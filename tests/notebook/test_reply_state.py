from __future__ import annotations

import random

from chatnb.notebook.views.reply_state import ReplyState


def test_deltas_add_up_to_the_text_and_are_numbered() -> None:
    """However the pushes fall between deltas, numbers run 1, 2, 3 and no text is lost."""
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


def test_a_deaf_kernel_sends_snapshots_that_cost_no_more_than_the_text() -> None:
    """Where the browser cannot ask, snapshots come early, and all of them together stay below
    4/3 of the text."""
    state, snapshots = ReplyState(heard=False), []
    for _ in range(10_000):
        state.push("word ")
        state.take_delta()
        snapshots.append(state.take_due_snapshot())
    sent = [snapshot["text"] for snapshot in snapshots if snapshot]
    assert len(sent[0]) < 100
    assert sum(map(len, sent)) <= 4 / 3 * 50_000
    assert all(("word " * 10_000).startswith(text) for text in sent)


def test_a_kernel_that_hears_sends_no_snapshots_unasked() -> None:
    """Where the browser can ask, nothing is sent twice."""
    state = ReplyState()
    state.push("word " * 1000)
    state.take_delta()
    assert state.take_due_snapshot() is None
    assert state.snapshot() == {"seq": 1, "text": "word " * 1000}


def test_half_a_surrogate_pair_waits_for_the_other() -> None:
    """No delta holds half an emoji: it could not be written as UTF-8."""
    state = ReplyState()
    state.push("\ud83d")
    assert state.take_delta() is None
    state.push("\ude00\ud83d")
    state.end()
    assert state.take_delta() == {"kind": "delta", "seq": 1, "text": "😀\N{REPLACEMENT CHARACTER}"}
