"""The migrations of a store, from no tables to those of today."""

from __future__ import annotations

from typing import Final

from chatnb.store.file_format import FileFormat

# The header of every store, so that no other program's file is taken for one.
APPLICATION_ID: Final = int.from_bytes(b"chnb", "big")

# Each entry brings a store from the version before it to its own (the first is version 1). What
# has been released is never edited: a change of the tables is one more entry.
MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
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
            text, content='nodes', content_rowid='number',
            tokenize='unicode61 remove_diacritics 2'
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
    ),
    # Version 2 gives tables, columns and indexes the names that SQL readers expect.
    (
        "DROP TRIGGER words_of_a_new_node",
        "DROP TRIGGER words_of_a_lost_node",
        "DROP TRIGGER words_of_a_changed_node",
        "DROP INDEX nodes_by_version",
        "DROP INDEX nodes_on_their_way",
        "DROP INDEX pieces_by_node",
        "ALTER TABLE nodes RENAME COLUMN facts TO metadata",
        "ALTER TABLE nodes RENAME COLUMN beat TO heartbeat",
        "ALTER TABLE pieces RENAME TO chunks",
        "ALTER TABLE words RENAME TO messages_fts",
        "CREATE INDEX idx_nodes_version ON nodes (conversation, version)",
        "CREATE INDEX idx_streaming ON nodes (status) WHERE status = 'streaming'",
        "CREATE INDEX idx_chunks_node ON chunks (node)",
        """CREATE TRIGGER messages_fts_insert AFTER INSERT ON nodes BEGIN
            INSERT INTO messages_fts (rowid, text) VALUES (new.number, new.text);
        END""",
        """CREATE TRIGGER messages_fts_delete AFTER DELETE ON nodes BEGIN
            INSERT INTO messages_fts (messages_fts, rowid, text)
            VALUES ('delete', old.number, old.text);
        END""",
        """CREATE TRIGGER messages_fts_update AFTER UPDATE OF text ON nodes BEGIN
            INSERT INTO messages_fts (messages_fts, rowid, text)
            VALUES ('delete', old.number, old.text);
            INSERT INTO messages_fts (rowid, text) VALUES (new.number, new.text);
        END""",
    ),
)
SCHEMA_VERSION: Final = len(MIGRATIONS)


def store_format() -> FileFormat:
    """Return the format of a store's file."""
    return FileFormat(
        use="for conversations",
        contents="conversations",
        advice="Set CHATNB_STORE to another path, or to :memory: to keep nothing.",
        application_id=APPLICATION_ID,
        migrations=MIGRATIONS,
        is_own=True,
    )
