"""The tables of a store, and how a file is known to be one."""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = int.from_bytes(b"chnb", "big")
"""What the header of every store says, so that no other program's file is taken for one."""
SCHEMA_VERSION: Final = 1

TABLES: Final = (
    """CREATE TABLE conversations (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        origin TEXT NOT NULL,
        settings TEXT NOT NULL,
        leaf TEXT,
        version INTEGER NOT NULL,
        created REAL NOT NULL,
        changed REAL NOT NULL
    )""",
    """CREATE TABLE nodes (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        conversation INTEGER NOT NULL,
        parent TEXT,
        message TEXT NOT NULL,
        text TEXT NOT NULL,
        status TEXT NOT NULL,
        facts TEXT NOT NULL,
        created REAL NOT NULL,
        hidden INTEGER NOT NULL DEFAULT 0,
        version INTEGER NOT NULL,
        writer TEXT,
        beat REAL
    )""",
    "CREATE INDEX nodes_by_version ON nodes (conversation, version)",
    "CREATE INDEX nodes_on_their_way ON nodes (status) WHERE status = 'streaming'",
    "CREATE TABLE pieces (number INTEGER PRIMARY KEY, node TEXT NOT NULL, chunk TEXT NOT NULL)",
    "CREATE INDEX pieces_by_node ON pieces (node)",
    """CREATE VIRTUAL TABLE words USING fts5(
        text, content='nodes', content_rowid='number', tokenize='unicode61 remove_diacritics 2'
    )""",
    """CREATE TRIGGER words_of_a_new_node AFTER INSERT ON nodes BEGIN
        INSERT INTO words (rowid, text) VALUES (new.number, new.text);
    END""",
    """CREATE TRIGGER words_of_a_lost_node AFTER DELETE ON nodes BEGIN
        INSERT INTO words (words, rowid, text) VALUES ('delete', old.number, old.text);
    END""",
    """CREATE TRIGGER words_of_a_changed_node AFTER UPDATE OF text ON nodes BEGIN
        INSERT INTO words (words, rowid, text) VALUES ('delete', old.number, old.text);
        INSERT INTO words (rowid, text) VALUES (new.number, new.text);
    END""",
)
