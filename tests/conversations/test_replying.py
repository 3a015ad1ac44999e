"""The block in which a reply streams marks it, however it is left."""

from __future__ import annotations

import asyncio
import gc
import itertools
import sqlite3
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event

import pytest

from chatnb import AIMessage, AIMessageChunk, Conversation, HumanMessage
from chatnb.store import Node, Store
from tests.support.interrupts import interrupt_at_call


def last(name: str = "ideas") -> Node:
    return Conversation(name).path()[-1]


@pytest.mark.parametrize(
    ("error", "status", "facts"),
    [
        (KeyboardInterrupt(), "stopped", {"model": "m"}),
        (SystemExit(2), "stopped", {"model": "m"}),
        (asyncio.CancelledError(), "stopped", {"model": "m"}),
        (ValueError("no"), "failed", {"model": "m", "error": "ValueError: no"}),
    ],
)
def test_an_error_marks_the_reply_and_keeps_its_partial(
    error: BaseException, status: str, facts: dict[str, str]
) -> None:
    """An interrupt, an exit and a cancellation stop it, an exception fails it; all pass on."""
    conversation = Conversation("ideas")
    conversation.add(HumanMessage("one"))

    def reply() -> None:
        with conversation.replying(facts={"model": "m"}) as draft:
            draft.append(AIMessageChunk("Half"))
            raise error

    with pytest.raises(type(error)):
        reply()
    node = last()
    assert (node.message.text, node.status, node.facts) == ("Half", status, facts)
    assert node.message.response_metadata["finish_reason"] == status


def test_the_end_of_the_block_ends_the_reply_unless_it_has_ended() -> None:
    """Without `finish` the reply is the sum of its chunks; what `finish` wrote stays."""
    conversation = Conversation("ideas")
    question = conversation.add(HumanMessage("one"))
    with conversation.replying() as draft:
        assert last().status == "streaming"
        draft.append(AIMessageChunk("Whole"))
    assert (last().message.text, last().status) == ("Whole", "done")
    with conversation.replying(question.id) as draft:
        draft.finish(AIMessage("Finished"))
    assert (last().message.text, last().status) == ("Finished", "done")
    assert conversation.messages[-1] == AIMessage("Finished")


def test_a_generator_that_is_closed_stops_its_reply() -> None:
    """Closing the generator that streams ends the block in it."""
    conversation = Conversation("ideas")

    def stream() -> Generator[str]:
        with conversation.replying() as draft:
            for text in ("Half", "more"):
                draft.append(AIMessageChunk(text))
                yield text

    streaming = stream()
    next(streaming)
    streaming.close()
    conversation.add(HumanMessage("next"), parent=None)
    (reply, _) = conversation.nodes()
    assert (reply.message.text, reply.status) == ("Half", "stopped")


@contextmanager
def another_writer(store: Store) -> Generator[sqlite3.Connection]:
    """Hold the transaction of another program that writes to a store."""
    with closing(
        sqlite3.connect(store.path, isolation_level=None, check_same_thread=False)
    ) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


def test_a_closed_generator_does_not_wait_for_the_store(tmp_path: Path) -> None:
    """The collector may close it on any thread; the end is written when the store is free."""
    store = Store(tmp_path / "store.db")
    conversation = Conversation("ideas", store=store)

    def stream() -> Generator[str]:
        with conversation.replying() as draft:
            draft.append(AIMessageChunk("Half"))
            yield "Half"

    streaming = stream()
    next(streaming)
    with another_writer(store), ThreadPoolExecutor() as threads:
        threads.submit(streaming.close).result(timeout=10)
    store.close()
    (reply,) = Conversation("ideas", store=Store(store.path)).nodes()
    assert (reply.message.text, reply.status) == ("Half", "stopped")


def test_an_error_leaves_the_block_when_the_end_is_on_disk(tmp_path: Path) -> None:
    """The handler of the error finds the reply ended, by another store as well."""
    store = Store(tmp_path / "store.db")
    conversation = Conversation("ideas", store=store)

    def reply() -> None:
        with conversation.replying() as draft:
            draft.append(AIMessageChunk("Half"))
            begun.set()
            locked.wait()
            raise ValueError("no")

    begun, locked = Event(), Event()
    with ThreadPoolExecutor() as threads:
        replying = threads.submit(reply)
        begun.wait()
        with another_writer(store):
            locked.set()
            with pytest.raises(TimeoutError):
                replying.result(timeout=0.3)
        with pytest.raises(ValueError, match="no"):
            replying.result(timeout=10)
    (node,) = Conversation("ideas", store=Store(store.path)).nodes()
    assert (node.message.text, node.status) == ("Half", "failed")


def test_a_reply_that_nobody_can_end_is_stopped() -> None:
    """The chunks that were appended are kept."""
    conversation = Conversation("ideas")
    draft = conversation.begin_reply()
    draft.append(AIMessageChunk("Half"))
    del draft
    gc.collect()
    conversation.add(HumanMessage("next"), parent=None)
    (reply, _) = conversation.nodes()
    assert (reply.message.text, reply.status) == ("Half", "stopped")


@pytest.mark.parametrize("how", ["replying", "begin_reply"])
def test_an_ended_reply_costs_the_store_no_more_work(how: str) -> None:
    """Also one that was begun before its block: nothing of it is written again and again."""
    transactions = itertools.count()

    def clock() -> float:
        return next(transactions)

    store = Store(":memory:", clock=clock)
    conversation = Conversation("ideas", store=store)
    with getattr(conversation, how)() as draft:
        draft.append(AIMessageChunk("Whole"))
    assert conversation.path()[-1].status == "done"
    before = next(transactions)
    store.close()  # What is to be repeated is written now.
    assert next(transactions) == before + 1


@pytest.mark.slow
def test_an_interrupt_at_any_call_leaves_no_streaming_reply(tmp_path: Path) -> None:
    """The reply ends after an interrupt at any point of a block, with no word twice."""
    store = Store(tmp_path / "store.db")

    def reply(conversation: Conversation) -> None:
        with conversation.replying() as draft:
            draft.append(AIMessageChunk("one "))
            draft.append(AIMessageChunk("two"))

    call = 0
    for call in itertools.count():
        conversation = Conversation(f"ideas {call}", store=store)
        if not interrupt_at_call(call, lambda: reply(conversation)):  # noqa: B023
            break
    assert call > 100
    gc.collect()
    store.close()  # What is to be repeated is written now.
    nodes = [
        node for each in store.summaries() for node in Conversation(each.name, store=store).nodes()
    ]
    assert {node.status for node in nodes} == {"done", "stopped"}
    assert {node.message.text for node in nodes} == {"", "one ", "one two"}


def test_a_reply_that_is_not_entered_adds_nothing() -> None:
    """The node is added when the block begins, not before."""
    conversation = Conversation("ideas")
    conversation.replying()
    assert conversation.nodes() == []


def test_an_error_in_the_block_wins_over_one_of_the_disk(tmp_path: Path) -> None:
    """The reply's own error is raised, and a warning tells that its end is not on disk yet."""
    path = tmp_path / "conversations.db"
    store = Store(path)
    conversation = Conversation("ideas", store=store)

    def fail() -> None:
        with conversation.replying():
            with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as other:
                other.execute(
                    "CREATE TRIGGER full BEFORE UPDATE ON nodes "
                    "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
                )
            raise LookupError("no")

    told = r"A reply is not on disk yet: .*the disk is full"
    with pytest.warns(UserWarning, match=told), pytest.raises(LookupError):
        fail()
    with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as other:
        other.execute("DROP TRIGGER full")
    store.close()
    assert [node.status for node in conversation.path()] == ["failed"]
    store.close()
