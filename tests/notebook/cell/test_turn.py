"""A turn with a run log: its tree ends with it, whatever it ends with."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from chatnb.chat_models import ScriptedChatModel
from chatnb.notebook.cell.display import NullSink
from chatnb.notebook.cell.turn import Turn
from chatnb.notebook.run_tree.tree import RunLogTree
from chatnb.notebook.tables.comparison import Answer, comparison_mimebundle
from chatnb.notebook.widgets.footer import reasoning_mimebundle
from chatnb.schema import AIMessage, AIMessageChunk, HumanMessage
from chatnb.schema.run_logs.tree import run_rows


class Break(BaseException):
    """An exception that is no Exception."""


class Half(ScriptedChatModel):
    """A model that streams half a reply and then hangs, or breaks off."""

    breaks = False

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        yield AIMessageChunk("Half")
        if self.breaks:
            raise Break
        await asyncio.Event().wait()


class Sink(NullSink):
    """A display that may fail."""

    def __init__(self, fails_in: str = "") -> None:
        self.fails_in = fails_in
        self.begun = threading.Event()
        self.reasoning = ""

    def append(self, text: str) -> None:
        self.begun.set()
        if self.fails_in == "append":
            raise RuntimeError("no display")

    def append_reasoning(self, text: str) -> None:
        self.reasoning += text

    def end(self) -> None:
        if self.fails_in == "end":
            raise RuntimeError("no display")


def turn_of(model: ScriptedChatModel) -> tuple[Turn, RunLogTree]:
    tree = RunLogTree.of_turn(lambda: turn.stop())
    turn = Turn(model, [HumanMessage("Hi")], {}, tree)
    return turn, tree


@pytest.mark.parametrize("fails_in", ["model", "append", "end"])
def test_a_turn_that_breaks_off_ends_its_tree(fails_in: str) -> None:
    """Also where the display fails, or the model with an exception that is no Exception."""
    model = ScriptedChatModel([["Hel", "lo."]])
    if fails_in == "model":
        model = Half(["x"])
        model.breaks = True
    turn, tree = turn_of(model)
    turn.start(Sink(fails_in))
    asyncio.run(asyncio.wait_for(tree.wait(), 60))
    assert "running" not in [row.status for row in run_rows(tree.log.state, tree.log.root)]


def test_stopping_the_tree_stops_the_reply() -> None:
    """The Stop button of the tree does what that of the reply does."""
    turn, tree = turn_of(Half(["x"]))
    turn.start(sink := Sink())
    assert sink.begun.wait(60)
    tree.stop()
    assert turn.wait().outcome == "stopped"
    assert [row.status for row in run_rows(tree.log.state, tree.log.root)] == ["stopped"]


def test_the_reasoning_of_a_reply_is_shown() -> None:
    """It goes to the display while it streams, and stays folded above it, cut if very long."""
    pieces = [{"reasoning_content": piece} for piece in ("Let me ", "think.")]
    chunks = [AIMessageChunk("", additional_kwargs=piece) for piece in pieces]
    turn, sink = Turn(ScriptedChatModel([[*chunks, "42"]]), [HumanMessage("Hi")], {}), Sink()
    turn.start(sink)
    reply = turn.wait()
    assert sink.reasoning == reply.message.reasoning == "Let me think."
    html = reasoning_mimebundle(reply.message.reasoning).get("text/html", "")
    assert "<details><summary" in html
    assert "Let me think." in html
    assert "5 more characters" in reasoning_mimebundle("x" * 20_005).get("text/html", "")
    assert reasoning_mimebundle(" \n") == {}


def test_finished_reasoning_has_the_title_that_it_had_while_it_came() -> None:
    """Its time, where that is known, in a cell, a column and a transcript; alone, it is open."""
    for text, is_open in ("42", False), ("", True):
        model = ScriptedChatModel([AIMessage(text, additional_kwargs={"reasoning_content": "Hm"})])
        turn = Turn(model, [HumanMessage("Hi")], {})
        turn.start(Sink())
        reply = turn.wait()
        answer = Answer.from_reply("", model, reply)
        shown = comparison_mimebundle([answer]).get("text/html", "")
        assert "Thought for 1 s" in shown
        assert ("<details open>" in shown) is is_open
        cell = reasoning_mimebundle("Hm", reply.reasoning_seconds, is_alone=is_open)
        assert cell.get("text/html", "").count("Thought for 1 s") == 1
