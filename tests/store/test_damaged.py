"""Files that are damaged, locked, or of other programs: one clear error, and nothing altered."""

from __future__ import annotations

import json
import random
import sqlite3
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from chatnb import AIMessage, Conversation, HumanMessage, ScriptedChatModel
from chatnb.chat_models.cache import SQLiteCache
from chatnb.errors import BatchError, ConfigurationError, DamagedFileError
from chatnb.store import Store
from tests.support.hangs import wait_until

PROMPTS = [f"prompt {number} " + "x" * 200 for number in range(30)]


def use_store(path: Path) -> object:
    store = Store(path)
    try:
        conversation = Conversation("ideas", store=store)
        for prompt in PROMPTS:
            conversation.add(HumanMessage(prompt))
            conversation.add(AIMessage("Hello."))
        return conversation.messages, store.summaries(), store.search("prompt")
    finally:
        store.close()


def use_cache(path: Path) -> object:
    chat = ScriptedChatModel(["Hello."], cache=SQLiteCache(path))
    return [chat.invoke(prompt).text for prompt in PROMPTS]


def use_checkpoint(path: Path) -> object:
    return [reply.text for reply in ScriptedChatModel(["Hello."]).batch(PROMPTS, checkpoint=path)]


USES: dict[str, Callable[[Path], object]] = {
    "store": use_store,
    "cache": use_cache,
    "checkpoint": use_checkpoint,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A file of each kind, with something in it."""
    folder = tmp_path_factory.mktemp("whole")
    files = dict[str, bytes]()
    for kind, use in USES.items():
        path = folder / f"{kind}.db"
        use(path)
        with closing(sqlite3.connect(path)) as connection:  # All of it into the one file.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        files[kind] = path.read_bytes()
    return files


def random_pages(data: bytes) -> bytes:
    noise = random.Random(2)
    pages = [data[:4096], *(noise.randbytes(4096) for _ in range(4096, len(data), 4096))]
    return b"".join(pages)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut in half": lambda data: data[: len(data) // 2],
    "cut within a page": lambda data: data[: len(data) // 3 * 2 + 17],
    "cut within the header": lambda data: data[:50],
    "random pages": random_pages,
    "other letters in the tables": lambda data: data.replace(b"TABLE ", b"\xf2\xe4BLE "),
    "random tables": lambda data: data[:100] + random.Random(3).randbytes(1000) + data[1100:],
}


@pytest.mark.parametrize("kind", USES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_one_error_and_a_damaged_cache_a_warning(
    tmp_path: Path, whole: dict[str, bytes], kind: str, damage: str
) -> None:
    """The error names the file and a remedy; the replies of a damaged cache come from the model."""
    path = tmp_path / "damaged.db"
    path.write_bytes(DAMAGES[damage](whole[kind]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if kind == "cache":
            assert use_cache(path) == ["Hello."] * len(PROMPTS)
            assert any(str(path) in str(warning.message) for warning in caught)
            return
        with pytest.raises((ConfigurationError, BatchError)) as raised:
            USES[kind](path)
    assert "malformed" in str(raised.value)
    assert str(path) in str(raised.value)
    assert not caught


def other_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE replies (id, body)")
        connection.execute("CREATE TABLE nodes (id)")
        connection.commit()


def other_mark(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 77")
        connection.execute("VACUUM")


def notes(path: Path) -> None:
    path.write_text("My notes. " * 500)


@pytest.mark.parametrize("kind", USES)
@pytest.mark.parametrize("make", [other_program, other_mark, notes])
def test_a_file_of_another_program_is_refused_and_stays(
    tmp_path: Path, kind: str, make: Callable[[Path], None]
) -> None:
    """No table is added to it, no mode changed, and no file made beside it."""
    path = tmp_path / "other.db"
    make(path)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="it holds something else than chatnb's"):
        USES[kind](path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", USES)
def test_each_kind_of_file_is_refused_by_the_others(
    tmp_path: Path, whole: dict[str, bytes], kind: str
) -> None:
    """A store is no cache, and a cache no checkpoint."""
    path = tmp_path / "file.db"
    path.write_bytes(whole[kind])
    for other, use in USES.items():
        if other != kind:
            with pytest.raises(ConfigurationError, match="it holds something else than chatnb's"):
                use(path)
    assert path.read_bytes() == whole[kind]


def test_caches_and_checkpoints_without_a_mark_are_read(tmp_path: Path) -> None:
    """Earlier versions did not mark their files."""
    cache, checkpoint = tmp_path / "cache.db", tmp_path / "checkpoint.db"
    with closing(sqlite3.connect(cache)) as connection:
        connection.execute("CREATE TABLE replies (key TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID")
        connection.execute("INSERT INTO replies VALUES ('k', 'text')")
        connection.commit()
    with closing(sqlite3.connect(checkpoint)) as connection:
        connection.execute(
            "CREATE TABLE answers (key TEXT, nth INTEGER, text TEXT NOT NULL, "
            "PRIMARY KEY (key, nth)) WITHOUT ROWID"
        )
        connection.execute("PRAGMA user_version = 1")
    assert SQLiteCache(cache).lookup("k") == "text"
    assert use_checkpoint(checkpoint) == ["Hello."] * len(PROMPTS)


def test_a_file_whose_writer_was_killed_is_recovered(tmp_path: Path) -> None:
    """A transaction that SIGKILL cut off is rolled back, although the file is checked before."""
    path, copy = tmp_path / "cut.db", tmp_path / "copy.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE replies (key TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID")
        connection.execute(f"PRAGMA application_id = {int.from_bytes(b'chca', 'big')}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("PRAGMA cache_size = 1")  # The transaction reaches the disk early.
        connection.execute("INSERT INTO replies VALUES ('k', 'text')")
        connection.commit()
        for number in range(200):
            connection.execute("INSERT INTO replies VALUES (?, ?)", (number, "x" * 1000))
        copy.write_bytes(path.read_bytes())
        journal = path.with_name("cut.db-journal").read_bytes()
        copy.with_name("copy.db-journal").write_bytes(journal)
    cache = SQLiteCache(copy)
    assert (cache.lookup("k"), cache.lookup("7")) == ("text", None)


DEEP = "[" * 100_000
BAD_MESSAGES = [
    *("{", "[]", "7", "null", DEEP, '{"type": "human"}', '{"type": "martian", "data": {}}'),
    *(
        json.dumps({"type": "ai", "data": {"content": "Hi", **fields}})
        for fields in (
            {"content": 5},
            {"content": [{"type": 7}]},
            {"id": 7},
            {"additional_kwargs": []},
            {"response_metadata": {"finish_reason": []}},
            {"usage_metadata": {"input_tokens": -1, "output_tokens": 0, "total_tokens": 0}},
            {"tool_calls": None},
            {"tool_calls": [{"name": "t", "args": {}, "id": 7}]},
        )
    ),
]
BAD_ROWS: list[tuple[str, Any]] = [
    *(("nodes SET message", message) for message in BAD_MESSAGES),
    *(("nodes SET metadata", value) for value in ("{", "[]", b"\xff")),
    *(("nodes SET created", value) for value in ("x", 1e300)),
    *(("nodes SET status", value) for value in ("odd", 7)),
    ("nodes SET parent", b"\x00"),
    *(("conversations SET settings", value) for value in ("{", "[]", DEEP)),
    ("conversations SET version", "x"),
    ("conversations SET leaf", b"\x00"),
]


@pytest.mark.parametrize(
    ("column", "value"), BAD_ROWS, ids=[f"{column}={value!r:.40}" for column, value in BAD_ROWS]
)
def test_a_damaged_row_of_a_store_is_one_error(tmp_path: Path, column: str, value: Any) -> None:
    """Readers and writers of the conversation are told of the file, for any damage of a row."""
    path = tmp_path / "conversations.db"
    store = Store(path)
    conversation = Conversation("ideas", store=store)
    for text in ("one", "two"):
        conversation.add(HumanMessage(text))
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"UPDATE {column} = ?", (value,))
        connection.commit()
    store = Store(path)
    with pytest.raises(DamagedFileError) as raised:
        Conversation("ideas", store=store)
    assert str(path) in str(raised.value)
    assert "Restore it from a backup" in str(raised.value)
    assert len(str(raised.value)) < 1000
    with suppress(DamagedFileError):  # Other lists need not read that row.
        store.summaries()
    with suppress(DamagedFileError):
        store.search("one")
    store.close()


def test_messages_in_a_circle_are_one_error(tmp_path: Path) -> None:
    """A path through a damaged tree would not end."""
    store = Store(tmp_path / "conversations.db")
    first = store.add("ideas", HumanMessage("one"), parent=None)
    second = store.add("ideas", HumanMessage("two"), parent=first)
    statement = "UPDATE nodes SET parent = ?, version = 9 WHERE id = ?"
    store.write(lambda connection, _: connection.execute(statement, (second, first)))
    with pytest.raises(DamagedFileError, match="follows a later one"):
        Conversation("ideas", store=store)
    store.close()


@pytest.mark.parametrize("writer", [None, "{", "7", '{"machine": 7}'])
def test_a_reply_whose_writer_cannot_be_read_is_stopped(tmp_path: Path, writer: Any) -> None:
    """A reply that streams from nobody knows where does not stream for ever."""
    path = tmp_path / "conversations.db"
    with closing(sqlite3.connect(path)) as connection:
        Store(path).add("ideas", AIMessage("Half"), parent=None, status="streaming")
        connection.execute("UPDATE nodes SET writer = ?, heartbeat = 'x'", (writer,))
        connection.commit()
    assert [node.status for node in Conversation("ideas", store=Store(path)).path()] == ["stopped"]


def test_numbers_that_json_lacks_do_not_break_the_lists() -> None:
    """NaN in a reply's metadata is kept as its repr, which SQLite reads."""
    store = Store(":memory:")
    reply = AIMessage("Hi", response_metadata={"logprobs": [float("nan"), float("-inf"), 0.5]})
    conversation = Conversation("ideas", store=store)
    conversation.add(HumanMessage("one"))
    conversation.add(reply)
    assert conversation.messages[-1].response_metadata == {"logprobs": ["nan", "-inf", 0.5]}
    assert [summary.turns for summary in store.summaries()] == [1]


def test_metadata_that_cannot_be_read_back_does_not_cost_the_reply() -> None:
    """A chain may return any message: what is wrong with it is left out, and its text kept."""
    conversation = Conversation("ideas", store=Store(":memory:"))
    wrong: dict[str, Any] = {"usage_metadata": {"input_tokens": "7"}, "additional_kwargs": None}
    conversation.add(AIMessage("Hello.", **wrong))
    assert conversation.messages == [AIMessage("Hello.")]


def test_a_locked_store_bounds_every_write_and_keeps_the_reply(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writes that wait together fail together, with the reason; a reply's end is written later."""
    monkeypatch.setattr("chatnb.store.database._BUSY_SECONDS", 0.3)
    path = tmp_path / "conversations.db"
    store = Store(path)
    conversation = Conversation("ideas", store=store)
    conversation.add(HumanMessage("one"))
    draft = conversation.begin_reply()
    attempts = [
        lambda: conversation.add(HumanMessage("lost")),
        lambda: conversation.change_settings(system="lost"),
        lambda: draft.finish(AIMessage("Hello.")),
    ]
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert [message.text for message in conversation.messages] == ["one", ""]
        with ThreadPoolExecutor(3) as threads:
            errors = [running.exception() for running in [threads.submit(a) for a in attempts]]
        for error in errors:
            assert isinstance(error, ConfigurationError)
            assert "Another program keeps it locked: end that program" in str(error)
    wait_until(lambda: conversation.path()[-1].status == "done")
    assert [message.text for message in conversation.messages] == ["one", "Hello."]
    store.close()


def test_a_full_disk_costs_nothing_once_there_is_room(tmp_path: Path) -> None:
    """The reply goes on, its end is an error that says what to do, and then all of it is there."""
    store = Store(tmp_path / "conversations.db")
    conversation = Conversation("ideas", store=store)
    draft = conversation.begin_reply()
    [(pages,)] = store._database.read("PRAGMA page_count")

    def limit(pages: int) -> None:
        store.write(lambda connection, _: connection.execute(f"PRAGMA max_page_count = {pages}"))

    limit(pages)
    reply = AIMessage("word " * 10_000)
    with pytest.raises(ConfigurationError, match=r"disk is full.*Make room on the disk"):
        draft.finish(reply)
    limit(1_000_000)
    wait_until(lambda: conversation.path()[-1].status == "done")
    assert conversation.messages == [reply]
    store.close()


@pytest.mark.parametrize("answers", [False, True])
def test_what_eight_say_at_once_is_all_on_the_path(tmp_path: Path, answers: bool) -> None:
    """Each adds to what the others have added until then, as far as nobody's reply is streaming."""
    path = tmp_path / "conversations.db"

    def talk(who: str) -> None:
        store = Store(path)
        conversation = Conversation("all", store=store)
        for turn in range(10):
            conversation.add(HumanMessage(f"{who} asks {turn}"))
            if answers:
                conversation.add(AIMessage(f"{who} hears {turn}"))
        store.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(talk, "abcdefgh"))
    conversation = Conversation("all", store=Store(path))
    texts = [message.text for message in conversation.messages]
    assert len(texts) == len(set(texts)) == (160 if answers else 80)
    assert conversation.elsewhere == 0


def test_a_branch_beside_a_streaming_reply_is_counted(tmp_path: Path) -> None:
    """A notebook that continues beside a reply that streams can say that there is more."""
    store = Store(tmp_path / "conversations.db")
    here, there = Conversation("both", store=store), Conversation("both", store=store)
    here.add(HumanMessage("one"))
    draft = here.begin_reply()
    beside = there.add(HumanMessage("two"))
    assert [there.is_replying(id) for id in there.branches(beside.id)] == [True, False]
    draft.finish(AIMessage("1"))
    assert there.refresh()
    assert not any(there.is_replying(id) for id in there.branches(beside.id))
    assert (here.elsewhere, there.elsewhere) == (1, 2)
    store.close()
