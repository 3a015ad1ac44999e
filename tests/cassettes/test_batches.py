"""Equal prompts of a batch, whose calls end in any order."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import chatnb
from chatnb import ScriptedChatModel
from chatnb.errors import CassetteError
from chatnb.runnables import RunnableLambda

PROMPTS = ["Hi"] * 3 + ["Hello"] * 2
REPLIES = ["a", "b", "c", "d", "e"]


def last_first(chat: ScriptedChatModel) -> Callable[[int], str]:
    """Return a step that asks for the inputs from the last to the first."""
    turns = [threading.Event() for _ in range(len(PROMPTS) + 1)]
    turns[-1].set()

    def ask(index: int) -> str:
        assert turns[index + 1].wait(60)
        try:
            return chat.invoke(PROMPTS[index]).text
        finally:
            turns[index].set()

    return ask


def test_equal_prompts_get_their_replies_by_input(tmp_path: Path) -> None:
    """In a replay whose calls come in the reverse order, each input has the reply that it had;
    what is asked outside of the batch has its own."""
    path = tmp_path / "calls.yaml"
    chat = ScriptedChatModel([*REPLIES, "outside"])
    with chatnb.cassette(path, "record"):
        recorded = [reply.text for reply in chat.batch(PROMPTS, max_concurrency=1)]
        assert chat.invoke("Hi").text == "outside"
    assert recorded == REPLIES
    with chatnb.cassette(path, "replay"):
        assert chat.invoke("Hi").text == "outside"
        asking = RunnableLambda(last_first(chat))
        all_at_once = {"max_concurrency": len(PROMPTS)}
        assert asking.batch(list(range(len(PROMPTS))), all_at_once) == recorded


def test_batches_after_each_other_keep_their_order(tmp_path: Path) -> None:
    """Sync and async, whole and streamed alike; recording again changes nothing."""
    path = tmp_path / "calls.yaml"

    def ask() -> list[str]:
        chat = ScriptedChatModel(REPLIES)
        sync = [reply.text for reply in chat.batch(["Hi"] * 2, max_concurrency=1)]
        later = asyncio.run(chat.abatch(["Hi"] * 3, max_concurrency=1))
        return [*sync, *(reply.text for reply in later)]

    with chatnb.cassette(path, "record"):
        recorded = ask()
    written = path.read_text()
    for mode in ("replay", "record"):
        with chatnb.cassette(path, mode):  # pyright: ignore[reportArgumentType]
            assert ask() == recorded
        assert path.read_text() == written
    assert written.count("  index: ") == 5


def test_an_index_that_is_none_is_refused(tmp_path: Path) -> None:
    """As other damage of the file."""
    path = tmp_path / "calls.yaml"
    with chatnb.cassette(path, "record"):
        ScriptedChatModel(["a"]).batch(["Hi"])
    path.write_text(path.read_text().replace("index: 0", "index: [0]"))
    with pytest.raises(CassetteError, match="is damaged"):
        chatnb.cassette(path, "replay")
