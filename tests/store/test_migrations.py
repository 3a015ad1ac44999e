"""Migrations: a store of any released version opens with all that it holds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chatnb.schema import AIMessage, AIMessageChunk, HumanMessage
from chatnb.store import Store
from chatnb.store.migrations import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION
from chatnb.store.rows import message_json


def _store_of_version_1(path: Path) -> None:
    """A store as version 1 left it: a question, a reply, and one that was streaming."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in MIGRATIONS[0]:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute(
            "INSERT INTO conversations "
            """VALUES (1, 'boats', '', '{"system": "Be brief."}', 'c', 3, 0, 0)"""
        )
        rows = [
            (1, "a", None, HumanMessage("A name for a boat?"), "done", "{}"),
            (2, "b", "a", AIMessage("Ada."), "done", '{"model": "m"}'),
            (3, "c", "b", AIMessage(""), "streaming", "{}"),
        ]
        gone = '{"machine": "elsewhere", "pid": 1, "started": 0}'
        for number, id, parent, message, status, facts in rows:
            connection.execute(
                "INSERT INTO nodes VALUES (?, ?, 1, ?, ?, ?, ?, ?, 0, 0, ?, ?, 0)",
                (
                    number,
                    id,
                    parent,
                    message_json(message),
                    message.text,
                    status,
                    facts,
                    number,
                    gone,
                ),
            )
        connection.execute(
            "INSERT INTO pieces (node, chunk) VALUES ('c', ?)",
            (message_json(AIMessageChunk("Or")),),
        )
    connection.close()


def test_a_store_of_version_1_keeps_everything(tmp_path: Path) -> None:
    """Messages, metadata, settings, search and the chunks of a broken reply survive."""
    path = tmp_path / "conversations.db"
    _store_of_version_1(path)
    store = Store(path)
    changes = store.changes("boats")
    assert changes is not None
    assert changes.settings == {"system": "Be brief."}
    assert [node.message.text for node in changes.nodes] == ["A name for a boat?", "Ada.", "Or"]
    assert [node.status for node in changes.nodes] == ["done", "done", "stopped"]
    assert changes.nodes[1].facts == {"model": "m"}
    assert [found.node_id for found in store.search("boat")] == ["a"]
    store.add("boats", HumanMessage("A ship?"), parent="b")
    assert [found.snippet for found in store.search("ship")] == ["A ship?"]


def test_migrated_and_new_stores_have_the_same_tables(tmp_path: Path) -> None:
    """There is one schema, however a store came to it."""
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    _store_of_version_1(old)
    schemas = list[list[tuple[str, str]]]()
    for path in (old, new):
        Store(path).close()
        with closing(sqlite3.connect(path)) as connection, connection:
            schemas.append(
                connection.execute(
                    "SELECT name, sql FROM sqlite_master "
                    "WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
                ).fetchall()
            )
            assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        connection.close()
    assert schemas[0] == schemas[1]


def test_a_migration_that_fails_leaves_the_store_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration is one transaction: its failure changes neither tables nor version."""
    path = tmp_path / "conversations.db"
    _store_of_version_1(path)
    broken = (*MIGRATIONS, ("ALTER TABLE chunks RENAME TO parts", "THIS IS NOT SQL"))
    monkeypatch.setattr("chatnb.store.migrations.MIGRATIONS", broken)
    monkeypatch.setattr("chatnb.store.migrations.SCHEMA_VERSION", len(broken))
    with pytest.raises(Exception, match="syntax error"):
        Store(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM pieces").fetchone() == (1,)
    connection.close()
