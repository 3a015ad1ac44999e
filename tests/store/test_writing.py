"""Writes of a store: interrupted, beside other processes, in finalizers and at exit."""

from __future__ import annotations

import gc
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import warnings
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event

import pytest

from chatnb import AIMessage, AIMessageChunk, Conversation, HumanMessage
from chatnb.errors import ConfigurationError, DeletedMessageError, NotForgottenError
from chatnb.store import Store
from tests.support.hangs import ends, wait_until

SECONDS = 60


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "conversations.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    yield store
    store.close()


@contextmanager
def another_program(
    path: Path, statement: str = "BEGIN IMMEDIATE"
) -> Generator[sqlite3.Connection]:
    """Hold a transaction on a store, by default one that writes."""
    connection = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
    with closing(connection):
        connection.execute(statement)
        yield connection


def texts(store: Store, name: str = "ideas") -> list[str]:
    changes = store.changes(name)
    return [node.message.text for node in changes.nodes] if changes else []


def delete(path: Path) -> None:
    """Delete a store with its log, as another program."""
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def bytes_beside(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.iterdir())


def run_python(code: str, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=60, check=True
    ).stdout


class InterruptingClock:
    """A clock that interrupts the main thread 50 ms after a call: soon after a write has begun."""

    def __init__(self) -> None:
        self.calls = 0
        """The number of calls until then; 0 for no interrupt."""

    def __call__(self) -> float:
        self.calls -= 1
        if self.calls == 0:
            main = threading.main_thread().ident
            assert main is not None
            threading.Timer(0.05, signal.pthread_kill, [main, signal.SIGINT]).start()
        return 0.0


def test_an_interrupt_ends_the_wait_and_never_the_transaction(path: Path) -> None:
    """Ctrl-C while a write waits for another program leaves nothing locked or unwritten."""
    clock = InterruptingClock()
    store = Store(path, clock=clock)
    with another_program(path) as other:
        release = threading.Timer(0.15, other.rollback)
        release.start()
        clock.calls = 1
        with pytest.raises(KeyboardInterrupt):
            store.select("one", None)
        release.join()
        other.execute("BEGIN IMMEDIATE")
        other.rollback()
    store.select("two", None)
    assert [summary.name for summary in store.summaries()] == ["two", "one"]
    store.close()


def test_reads_do_not_wait_for_writes(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a write waits for another program, other threads read the conversation at once."""
    monkeypatch.setattr("chatnb.store.database._BUSY_SECONDS", 4 * SECONDS)
    conversation = Conversation("ideas", store=store)
    conversation.add(HumanMessage("one"))

    def read() -> None:
        for _ in range(50):
            assert conversation.path()
            assert store.search("one")

    with another_program(path) as other:
        adding = threading.Thread(target=conversation.add, args=[AIMessage("1")], daemon=True)
        adding.start()
        ends(read)
        assert adding.is_alive()
        other.rollback()
    adding.join(SECONDS)
    assert texts(store) == ["one", "1"]


def test_an_interrupted_start_of_a_reply_is_marked(path: Path) -> None:
    """Ctrl-C while the reply's node waits for the disk leaves it as stopped, not as streaming."""
    clock = InterruptingClock()
    conversation = Conversation("ideas", store=Store(path, clock=clock))
    conversation.begin_reply().finish()
    with another_program(path) as other:
        clock.calls = 2  # The second call is the write's.
        with pytest.raises(KeyboardInterrupt):
            conversation.begin_reply()
        other.rollback()
    conversation.store.close()
    assert [node.status for node in conversation.path()] == ["done", "stopped"]
    conversation.store.close()


def test_all_drafts_share_one_thread_which_ends_with_the_store(store: Store) -> None:
    """One thread writes for any number of replies that stream; closing the store ends it."""
    before = set(threading.enumerate())
    drafts = [Conversation(f"ideas {n}", store=store).begin_reply() for n in range(5)]
    started = set(threading.enumerate()) - before
    assert len(started) == 1
    for draft in drafts:
        draft.finish(AIMessage("1"))
    store.close()
    assert not any(thread.is_alive() for thread in started)
    assert texts(store, "ideas 4") == ["1"]


@pytest.mark.parametrize("with_draft", [False, True])
def test_a_store_that_nobody_holds_ends_its_thread(path: Path, with_draft: bool) -> None:
    """The thread does not keep the store alive, nor does a reply that has ended."""
    before = set(threading.enumerate())
    store = Store(path)
    store.add("ideas", HumanMessage("one"), parent=None)
    (thread,) = set(threading.enumerate()) - before
    if with_draft:
        Conversation("ideas", store=store).begin_reply().finish(AIMessage("two"))
    del store
    gc.collect()
    thread.join(SECONDS)
    assert not thread.is_alive()


STREAMING_AT_EXIT = """
import sys
from chatnb import AIMessageChunk, Conversation
from chatnb.store import Store
draft = Conversation("ideas", store=Store(sys.argv[1])).begin_reply()
draft.append(AIMessageChunk("the last words"))
"""
WAITING_AT_EXIT = """
import sqlite3, sys, threading
from chatnb import AIMessageChunk, Conversation
from chatnb.store import Store
draft = Conversation("ideas", store=Store(sys.argv[1])).begin_reply()
other = sqlite3.connect(sys.argv[1], isolation_level=None, check_same_thread=False)
other.execute("BEGIN IMMEDIATE")
draft.append(AIMessageChunk("the last words"))
release = threading.Timer(0.1, other.rollback)
release.daemon = True
release.start()
"""


@pytest.mark.process
@pytest.mark.parametrize("code", [STREAMING_AT_EXIT, WAITING_AT_EXIT])
def test_what_was_posted_is_written_before_the_process_ends(
    code: str, store: Store, path: Path
) -> None:
    """Chunks of a reply that streams at exit, also while another program writes."""
    run_python(code, str(path))
    assert texts(store) == ["the last words"]


def test_a_reply_that_the_collector_ends_on_the_writing_thread_is_marked(store: Store) -> None:
    """A finalizer on that thread cannot wait for it: it ends the reply and returns."""
    conversation = Conversation("ideas", store=store)

    def reply() -> Generator[None]:
        with conversation.replying() as draft:
            draft.append(AIMessageChunk("Half"))
            yield

    abandoned = {"reply": reply()}
    abandoned["self"] = abandoned  # type: ignore[assignment]
    next(abandoned["reply"])
    del abandoned
    writing = threading.Thread(
        target=store.write, args=[lambda connection, now: gc.collect()], daemon=True
    )
    writing.start()
    writing.join(SECONDS)
    assert not writing.is_alive()
    store.add("ideas", HumanMessage("after"), parent=None)
    nodes = conversation.nodes()
    assert [(node.message.text, node.status) for node in nodes] == [
        ("Half", "stopped"),
        ("after", "done"),
    ]


def test_a_transaction_is_noted_before_the_next_begins_also_while_the_store_closes(
    store: Store,
) -> None:
    """Words that are written and not yet noted would be written twice by the thread that opens the
    store again before the last one has ended."""
    noting, opened, begun, order = Event(), Event(), Event(), list[str]()

    def note(_: object) -> None:
        noting.set()
        opened.wait(60)
        begun.wait(0.3)
        order.append("noted")

    def begin(connection: object, now: float) -> None:
        order.append("begun")
        begun.set()

    def is_open_again() -> bool:
        store.post(begin)
        return bool(store_threads() - before)

    store.post(lambda connection, now: None, note)
    assert noting.wait(60)
    before = store_threads()
    closer = threading.Thread(target=store.close, daemon=True)
    closer.start()
    wait_until(is_open_again)
    opened.set()
    closer.join(60)
    store.write(lambda connection, now: None)
    assert order[:2] == ["noted", "begun"]


def store_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "chatnb-store"}


@contextmanager
def failing_disk(path: Path, change: str) -> Generator[None]:
    """Make a change of a table fail, as a full disk does."""
    abort = "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
    with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as other:
        other.execute(f"CREATE TRIGGER full BEFORE {change} {abort}")
        yield
        other.execute("DROP TRIGGER full")


def test_a_disk_that_fails_while_a_reply_streams_only_warns(store: Store, path: Path) -> None:
    """The reply goes on, and is whole once the disk works again."""
    conversation = Conversation("ideas", store=store)
    draft = conversation.begin_reply()
    with failing_disk(path, "INSERT ON chunks"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        draft.append(AIMessageChunk("one "))
        wait_until(lambda: any("not on disk yet" in str(warning.message) for warning in caught))
    draft.append(AIMessageChunk("two"))
    draft.finish()
    assert texts(store) == ["one two"]


def test_the_end_of_a_reply_is_tried_again_until_it_is_written(store: Store, path: Path) -> None:
    """A disk that fails at the end of a reply raises, and does not leave it streaming."""
    conversation = Conversation("ideas", store=store)
    draft = conversation.begin_reply()
    with failing_disk(path, "UPDATE ON nodes"):
        with pytest.raises(ConfigurationError, match="the disk is full"):
            draft.finish(AIMessage("1"))
        assert conversation.path()[-1].status == "streaming"
    wait_until(lambda: conversation.path()[-1].status == "done")
    assert texts(store) == ["1"]


@pytest.mark.process
def test_a_second_store_on_a_file_costs_the_first_no_write(store: Store, path: Path) -> None:
    """Opening a file again must not drop the locks of connections that this process has."""
    store.add("ideas", HumanMessage("one"), parent=None)
    Store(path).close()
    read = (
        "import sqlite3, sys; connection = sqlite3.connect(sys.argv[1]); "
        "print(*connection.execute('SELECT text FROM nodes ORDER BY number')); connection.close()"
    )
    assert run_python(read, str(path)) == "('one',)\n"
    store.add("ideas", HumanMessage("two"), parent=None)
    assert run_python(read, str(path)) == "('one',) ('two',)\n"


def test_a_message_below_a_hidden_one_is_refused(store: Store) -> None:
    """A message that another notebook has deleted takes no question and no reply, and says so."""
    here, there = (Conversation("ideas", store=store) for _ in range(2))
    first = here.add(HumanMessage("one"))
    second = here.add(AIMessage("1"))
    there.refresh()
    there.delete(second.id)
    with pytest.raises(DeletedMessageError, match="Add it again"):
        here.add(HumanMessage("two"), parent=second.id)
    assert texts(store) == ["one", "1"]
    here = Conversation("ideas", store=store)
    there.delete(first.id)
    with pytest.raises(DeletedMessageError), here.replying(first.id):
        pass
    assert texts(store) == ["one", "1"]


def test_a_message_below_a_forgotten_one_is_refused_once(store: Store) -> None:
    """It does not become the first message of a conversation; said again, it is one."""
    here = Conversation("ideas", store=store)
    here.add(HumanMessage("one"))
    Conversation("ideas", store=store).forget()
    with pytest.raises(DeletedMessageError, match="nothing was added"):
        here.add(HumanMessage("two"))
    assert not store.summaries()
    here.add(HumanMessage("two"))
    assert texts(store) == ["two"]


def test_forget_leaves_no_byte_though_another_program_has_the_file_open(
    store: Store, path: Path
) -> None:
    """An open connection keeps nothing, once its read has ended."""
    store.add("ideas", HumanMessage("xyzzy"), parent=None)
    with another_program(path, "BEGIN") as other:
        assert other.execute("SELECT count(*) FROM nodes").fetchone() == (1,)
        other.rollback()
        assert store.forget("ideas")
        assert b"xyzzy" not in bytes_beside(path)


def test_forget_says_that_another_program_still_reads(store: Store, path: Path) -> None:
    """A reader in a transaction keeps the bytes: the error says so; another attempt succeeds."""
    store.add("ideas", HumanMessage("xyzzy"), parent=None)
    forgotten = list[object]()

    def forget() -> None:
        try:
            forgotten.append(store.forget("ideas"))
        except NotForgottenError as error:
            forgotten.append(error)

    with another_program(path, "BEGIN") as other:
        assert other.execute("SELECT count(*) FROM nodes").fetchone() == (1,)
        thread = threading.Thread(target=forget, daemon=True)
        thread.start()
        thread.join(SECONDS)
        assert [type(result) for result in forgotten] == [NotForgottenError]
        assert "another program is reading" in str(forgotten[0])
    assert not store.summaries()
    store.forget("ideas")
    assert b"xyzzy" not in bytes_beside(path)


@pytest.mark.parametrize("seed", [2, 3])
def test_forget_leaves_no_copy_in_pages_that_sqlite_has_rearranged(
    seed: int, store: Store, path: Path
) -> None:
    """SQLite moves rows from page to page; a copy that it leaves behind is removed as well."""
    choose, last = random.Random(seed), dict[str, str | None]()
    marks = dict[str, str]()
    for step in range(65):
        name = f"c{choose.randrange(6)}"
        mark = marks.setdefault(name, f"zz{seed}q{step}q{name}zz")
        if choose.random() < 0.85:
            size = choose.choice([5, 50, 300, 1500, 6000])
            words = [
                mark if choose.random() < 0.3 else f"w{choose.randrange(500)}"
                for _ in range(size // 4 + 1)
            ]
            text = " ".join([mark, *words])
            last[name] = store.add(name, HumanMessage(text), parent=last.get(name))
            if choose.random() < 0.5:
                last[name] = id = store.add(
                    name, AIMessage(""), parent=last[name], status="streaming"
                )
                store.append(id, AIMessageChunk(text))
                store.finish(id)
        else:
            store.forget(name)
            last.pop(name, None)
            assert marks.pop(name).encode() not in bytes_beside(path)


def test_a_thread_whose_start_is_interrupted_ends(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C as the writing thread starts leaves no thread behind, and the next write has one."""
    start, started = threading.Thread.start, list[threading.Thread]()

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        started.append(thread)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.add("ideas", HumanMessage("one"), parent=None)
    (thread,) = started
    thread.join(SECONDS)
    assert not thread.is_alive()
    store.add("ideas", HumanMessage("two"), parent=None)
    assert texts(store) == ["two"]


def test_a_file_that_was_deleted_is_made_again(store: Store, path: Path) -> None:
    """After another program has deleted the file, what is written is in a file all the same."""
    Conversation("ideas", store=store).add(HumanMessage("Before"))
    delete(path)
    Conversation("ideas", store=store).add(HumanMessage("After"))
    assert texts(store) == ["After"]
    with closing(Store(path)) as other:
        assert texts(other) == ["After"]


def test_a_file_that_was_replaced_is_read_and_written(
    store: Store, path: Path, tmp_path: Path
) -> None:
    """A backup that is put in the file's place is what is read and continued from then on."""
    Conversation("ideas", store=store).add(HumanMessage("Before"))
    backup = tmp_path / "backup.db"
    with closing(Store(backup)) as other:
        Conversation("ideas", store=other).add(HumanMessage("Restored"))
    delete(path)
    backup.rename(path)
    assert texts(store) == ["Restored"]
    Conversation("ideas", store=store).add(HumanMessage("More"))
    with closing(Store(path)) as other:
        assert texts(other) == ["Restored", "More"]


def test_a_reply_to_a_deleted_file_ends(store: Store, path: Path) -> None:
    """A reply whose file is deleted while it streams ends without an error, and nothing hangs."""
    conversation = Conversation("ideas", store=store)
    with conversation.replying() as draft:
        draft.append(AIMessageChunk("Hel"))
        delete(path)
        draft.append(AIMessageChunk("lo"))
    conversation.add(HumanMessage("After"))
    with closing(Store(path)) as other:
        assert texts(other) == ["After"]
