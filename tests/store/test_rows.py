"""Rows of a store: what lists, searches and errors show of them, exactly."""

from __future__ import annotations

import pickle
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatnb import AIMessage, AIMessageChunk, Conversation, HumanMessage, SQLiteCache
from chatnb.errors import ConfigurationError, DamagedFileError
from chatnb.store import Store
from chatnb.store.file_format import FileFormat
from chatnb.store.rows import (
    bad_facts,
    clean_text,
    dict_json,
    is_time,
    mark_ending,
    message_from_json,
    message_json,
    readable_facts,
)
from tests.support.hangs import ends


@pytest.fixture
def store() -> Iterator[Store]:
    times = iter(range(1_000))
    with closing(Store(":memory:", clock=lambda: float(next(times)))) as store:
        yield store


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        *((0, True), (0.0, True), (2.5e11, True), (1, True)),
        *((2.5e11 + 1, False), (-1, False), (-0.1, False), (True, False), ("1", False)),
        *((None, False), (float("nan"), False), (float("inf"), False)),
    ],
)
def test_a_time_can_be_shown(value: object, is_one: bool) -> None:
    """In seconds, from 1970 to the last year of four digits."""
    assert is_time(value) is is_one


@pytest.mark.parametrize(
    ("facts", "bad"),
    [
        ({"model": "m", "error": None, "seconds": 1, "cost": 0.5, "files": {}}, []),
        ({"model": 1, "error": b"x"}, ["model", "error"]),
        ({"seconds": "1", "first_seconds": True, "reasoning_seconds": []}, None),
        ({"cost": 2.0**53}, []),
        ({"cost": -(2.0**53) - 2}, ["cost"]),
        ({"cost": float("nan")}, ["cost"]),
        ({"files": []}, ["files"]),
        ({"own": object}, []),
    ],
)
def test_facts_have_the_types_in_which_they_are_shown(
    facts: dict[str, Any], bad: list[str] | None
) -> None:
    """Those of a program are its own matter."""
    wrong = list(facts) if bad is None else bad
    assert bad_facts(facts) == wrong
    kept = readable_facts(facts)
    assert kept == {name: value for name, value in facts.items() if name not in wrong}
    assert (kept is facts) is (not wrong)


def test_texts_for_the_search_have_no_controls() -> None:
    """Tabs and line ends stay, and half an emoji is a question mark."""
    assert clean_text("a\x00b\x08c\td\ne\ud83d") == "a b c\td\ne?"


def test_values_are_written_as_json_can_hold_them() -> None:
    """Others as their reprs, numbers that are none as words; keys as texts."""
    assert dict_json(None) == "{}"
    assert dict_json({"a": {1}, "b": [1.5, None]}) == '{"a": "{1}", "b": [1.5, null]}'
    odd = {"a": float("inf"), "b": (float("nan"), True, 2, {3: {4}}), "c": None, "d": 0.5}
    written = '{"a": "inf", "b": ["nan", true, 2, {"3": "{4}"}], "c": null, "d": 0.5}'
    assert dict_json(odd) == written


@pytest.mark.parametrize("status", ["done", "streaming", "stopped", "failed"])
def test_a_reply_that_did_not_end_is_marked(status: Any) -> None:
    """In its metadata, beside what they hold; questions have no endings."""
    reply = AIMessage("a", response_metadata={"model_name": "m", "finish_reason": "x"})
    question = HumanMessage("a")
    assert mark_ending(question, status) is question
    marked = mark_ending(reply, status)
    if status in ("done", "streaming"):
        assert marked is reply
    else:
        assert marked.response_metadata == {"model_name": "m", "finish_reason": status}
    assert message_from_json(message_json(marked)) == marked


def test_a_list_has_what_is_shown_of_conversations(store: Store) -> None:
    """Those that changed last come first, with the questions that are not deleted."""
    first, second = store.begin("a", "one.ipynb"), store.begin("a")
    third = store.begin("a")
    assert (first, second, third) == ("a", "a.2", "a.3")
    store.forget("a.2")
    assert store.begin("a") == "a.2"
    asked = store.add("a", HumanMessage("x" * 201), parent=None)
    store.add("a", AIMessage("reply"), parent=asked)
    store.add("a", HumanMessage("other"), parent=None)
    store.change_settings("a", {"system": "s", "model": "m"})
    store.change_settings("a", {"system": None})
    listed = {summary.name: summary for summary in store.summaries()}
    assert list(listed) == ["a", "a.2", "a.3"]
    assert (listed["a"].turns, listed["a"].first, listed["a"].origin) == (2, "x" * 200, "one.ipynb")
    assert listed["a"].settings == {"model": "m"}
    assert listed["a"].created < listed["a"].changed
    assert (listed["a.3"].turns, listed["a.3"].first, listed["a.3"].settings) == (0, "", {})
    store.hide(asked)
    assert (store.summaries()[0].turns, store.summaries()[0].first) == (1, "other")
    store.unhide(asked)
    assert store.summaries()[0].turns == 2
    assert store.set_aside("a") == "a.4"
    assert store.set_aside("nobody") is None
    assert [summary.name for summary in store.summaries()] == ["a.4", "a.2", "a.3"]
    assert store.forget("nobody") is False


def test_changes_are_those_since_a_version(store: Store) -> None:
    """Of the same conversation; of another of the name, all."""
    assert store.changes("a") is None
    first = store.add("a", HumanMessage("one"), parent=None)
    known = store.changes("a")
    assert known is not None
    second = store.add("a", AIMessage("1"), parent=first, facts={"own": 1}, created=0.5)
    changes = store.changes("a", conversation=known.conversation, since=known.version)
    assert changes is not None
    assert [(node.id, node.facts, node.created) for node in changes.nodes] == [
        (second, {"own": 1}, 0.5)
    ]
    assert (changes.leaf, changes.version > known.version) == (second, True)
    again = store.changes("a", conversation=known.conversation, since=changes.version)
    assert again is not None
    assert again.nodes == []
    other = store.changes("a", conversation=known.conversation + 1, since=changes.version)
    assert other is not None
    assert len(other.nodes) == 2


def test_a_message_that_is_not_there_changes_nothing(store: Store) -> None:
    """It may have been forgotten meanwhile."""
    store.add("a", HumanMessage("one"), parent=None)
    version = store.changes("a")
    store.hide("nobody")
    store.unhide("nobody")
    store.append("nobody", AIMessageChunk("x"))
    store.finish("nobody", AIMessage("x"))
    assert store.changes("a") == version


@pytest.mark.parametrize(
    ("text", "words", "snippet"),
    [
        ("東" * 60 + "京都" + "西" * 60, "京都", "…" + "東" * 50 + "京都" + "西" * 50 + "…"),
        ("東" * 50 + "京都" + "西" * 50, "京都", "東" * 50 + "京都" + "西" * 50),
        ("東" * 51 + "京都" + "西" * 51, "京都", "…" + "東" * 50 + "京都" + "西" * 50 + "…"),
        ("天気\n  と\t東京都", "京都", "天気 と 東京都"),
    ],
)
def test_a_snippet_has_what_is_around_the_words(
    store: Store, text: str, words: str, snippet: str
) -> None:
    """On one line, with dots where there is more; the marks are where the words are."""
    id = store.add("a", HumanMessage(text), parent=None, created=7.0)
    (found,) = store.search(words)
    assert (found.node_id, found.snippet, found.created) == (id, snippet, 7.0)
    assert [found.snippet[begin:end] for begin, end in found.marks] == [words]


def test_a_search_has_a_limit(store: Store) -> None:
    """Of words that the index knows, and of others, the newest first."""
    for number in range(4):
        store.add("a", HumanMessage(f"boat {number} 東京都"), parent=None)
    assert len(store.search("boat", 3)) == 3
    assert [found.snippet[5] for found in store.search("京都", 3)] == ["3", "2", "1"]
    assert store.search(" ") == []
    (found,) = store.search("3 boat")
    assert [found.snippet[begin:end] for begin, end in found.marks] == ["boat", "3"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("name = x'00'", r"there is a conversation without a valid name: b'\\x00'"),
        ("origin = x'00'", "there is a conversation without a valid name: 'ideas'"),
        ("created = 'x'", "the conversation ideas has no valid time"),
        ("changed = -1", "the conversation ideas has no valid time"),
    ],
)
def test_a_list_with_a_damaged_row_is_one_error(tmp_path: Path, change: str, problem: str) -> None:
    """It names the file and what to do."""
    path = tmp_path / "talks.db"
    with closing(Store(path)) as store:
        store.add("ideas", HumanMessage("one"), parent=None)
        store.write(lambda connection, _: connection.execute(f"UPDATE conversations SET {change}"))
        with pytest.raises(DamagedFileError, match=problem) as raised:
            store.summaries()
    assert "talks.db-wal and talks.db-shm; chatnb then begins a new one" in str(raised.value)


def coded(code: int, text: str = "no") -> sqlite3.Error:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


REMEDIES = {
    sqlite3.SQLITE_BUSY: "Another program keeps it locked: end that program, or its transaction, "
    "and try again. ",
    sqlite3.SQLITE_LOCKED | 0x100: "Another program keeps it locked: end that program, or its "
    "transaction, and try again. ",
    sqlite3.SQLITE_FULL: "Make room on the disk and try again. ",
    sqlite3.SQLITE_CORRUPT: "Restore it from a backup, or move it away together with the files "
    "a.db-wal and a.db-shm; chatnb then begins a new one. ",
    sqlite3.SQLITE_IOERR: "",
}


@pytest.mark.parametrize("code", REMEDIES)
@pytest.mark.parametrize("is_own", [True, False])
def test_an_error_of_a_file_says_what_to_do(code: int, is_own: bool) -> None:
    """By what SQLite tells; a damaged cache is not restored, but made again."""
    format = FileFormat("for x", "xs", "Use another.", 1, [], is_own=is_own)
    error = format.error("/tmp/a.db", coded(code))
    is_damaged = code == sqlite3.SQLITE_CORRUPT
    remedy = REMEDIES[code] if is_own or not is_damaged else ""
    assert str(error) == f"/tmp/a.db cannot be used for x (no). {remedy}Use another."
    assert type(error) is (DamagedFileError if is_damaged else ConfigurationError)
    assert format.error("/tmp/a.db", error) is error


def with_a_hot_journal(path: Path, mark: int) -> None:
    """Write a file as a process leaves it that is killed while it writes."""
    made = path.with_name("made.db")
    with closing(sqlite3.connect(made)) as connection:
        connection.execute("CREATE TABLE replies (key TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID")
        connection.execute(f"PRAGMA application_id = {mark}")
        connection.execute("PRAGMA cache_size = 1")
        connection.commit()
        for number in range(200):
            connection.execute("INSERT INTO replies VALUES (?, ?)", (number, "x" * 1000))
        path.write_bytes(made.read_bytes())
        journal = made.with_name("made.db-journal").read_bytes()
        path.with_name(f"{path.name}-journal").write_bytes(journal)


@pytest.mark.parametrize(
    ("open", "mark", "is_taken"),
    [
        (SQLiteCache, 0, True),
        (SQLiteCache, 77, False),
        (Store, 0, False),
        (Store, int.from_bytes(b"chca", "big"), False),
    ],
)
def test_a_file_of_another_program_is_not_recovered(
    tmp_path: Path, open: Callable[[Path], object], mark: int, is_taken: bool
) -> None:
    """Only its header tells whose it is; an early cache has no mark in it."""
    path = tmp_path / "cut.db"
    with_a_hot_journal(path, mark)
    before = path.read_bytes()
    if is_taken:
        open(path)
        assert path.read_bytes() != before
        return
    with pytest.raises(ConfigurationError, match="it holds something else than chatnb's"):
        open(path)
    assert path.read_bytes() == before


def test_a_store_in_memory_stays_in_its_process(tmp_path: Path) -> None:
    """Its pickle says what to do; that of a file opens it again."""
    with pytest.raises(TypeError, match=r"cannot be pickled: .* Give it a file: Store\(path\)\."):
        pickle.dumps(Store(":memory:"))
    with closing(Store(tmp_path / "a.db")) as store:
        store.add("ideas", HumanMessage("one"), parent=None)
        with closing(pickle.loads(pickle.dumps(store))) as again:
            assert (again.path, again.summaries()[0].name) == (store.path, "ideas")


def test_a_transaction_cannot_wait_for_another(store: Store) -> None:
    """The error comes at once, and the store goes on."""

    def nested(connection: object, now: float) -> None:
        store.select("inner", None)

    def write() -> None:
        with pytest.raises(RuntimeError, match="cannot wait for a transaction"):
            store.write(nested)

    ends(write)
    assert [summary.name for summary in store.summaries()] == ["inner"]


def test_a_callback_that_fails_is_told_of_and_costs_no_write(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an error of any thread; the outcome and what follows are written."""
    told = list[tuple[Any, str]]()
    monkeypatch.setattr(
        sys, "excepthook", lambda type, *_: told.append((type, threading.current_thread().name))
    )

    def fail(_: object) -> None:
        raise LookupError("no")

    promise = store.post(lambda connection, now: 7, fail)
    assert promise.result(60) == 7
    store.select("after", None)
    assert told == [(LookupError, "chatnb-store")]
    assert [summary.name for summary in store.summaries()] == ["after"]


def test_the_version_changes_with_each_write(store: Store, tmp_path: Path) -> None:
    """Of this process and of others; to read changes nothing."""
    with closing(Store(tmp_path / "a.db")) as here, closing(Store(tmp_path / "a.db")) as there:
        for one, other in ((store, store), (here, here), (here, there)):
            Conversation("ideas", store=one)
            before = one.version()
            assert one.version() == before
            other.select("ideas", None)
            assert one.version() != before
