"""Replies that are kept, so that the same question need not be paid for twice."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import warnings
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from chatnb.errors import ConfigurationError
from chatnb.runnables.checkpoint import Checkpoint
from chatnb.schema.messages import AIMessage, AIMessageChunk, join_chunks
from chatnb.schema.serialization import messages_from_json, messages_to_json


class ReplyCache(Protocol):
    """Where replies are kept: text by key, for any number of threads."""

    def lookup(self, key: str) -> str | None:
        """The text under a key, or None."""
        ...

    def store(self, key: str, text: str) -> None:
        """Keep a text under a key."""
        ...

    def clear(self) -> None:
        """Forget everything."""
        ...


class InMemoryCache:
    """Keeps replies for as long as the process runs.

    Args:
        max_size: The most replies to keep; the one that was not asked for longest goes first.

    Example:
        >>> cache = InMemoryCache(max_size=1)
        >>> cache.store("a", "1"), cache.store("b", "2")
        (None, None)
        >>> cache.lookup("a"), cache.lookup("b")
        (None, '2')
    """

    def __init__(self, *, max_size: int | None = None) -> None:
        if max_size is not None and max_size < 1:
            raise ValueError(f"max_size takes a number from 1 on, or None, not {max_size}")
        self._max_size = max_size
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def lookup(self, key: str) -> str | None:
        """The text under a key, or None."""
        with self._lock:
            text = self._texts.get(key)
            if text is not None:
                self._texts.move_to_end(key)
            return text

    def store(self, key: str, text: str) -> None:
        """Keep a text under a key."""
        with self._lock:
            self._texts[key] = text
            self._texts.move_to_end(key)
            if self._max_size is not None and len(self._texts) > self._max_size:
                self._texts.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._texts.clear()


class SQLiteCache:
    """Keeps replies in a file, for other processes and another day.

    Args:
        path: The file; it is made if it does not exist.

    Raises:
        ConfigurationError: If the file cannot be used as a cache.

    Example:
        >>> cache = SQLiteCache("replies.db")  # doctest: +SKIP
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._run(
            "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID"
        )

    def lookup(self, key: str) -> str | None:
        """The text under a key, or None."""
        rows = self._run("SELECT text FROM replies WHERE key = ?", key)
        return rows[0][0] if rows else None

    def store(self, key: str, text: str) -> None:
        """Keep a text under a key."""
        self._run("INSERT OR REPLACE INTO replies VALUES (?, ?)", key, text)

    def clear(self) -> None:
        """Forget everything."""
        self._run("DELETE FROM replies")

    def _run(self, statement: str, *values: str) -> list[Any]:
        """Run a statement on a connection of its own, so that threads and forks share nothing."""
        try:
            with closing(sqlite3.connect(self._path, timeout=30)) as connection, connection:
                return connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise ConfigurationError(
                f"{self._path} cannot be used as a cache ({error}). Delete it or name another."
            ) from error


_shared: ReplyCache | None = None


def set_llm_cache(cache: ReplyCache | None) -> None:
    """Choose the cache of every chat model that has none of its own; None for no cache.

    Example:
        >>> set_llm_cache(InMemoryCache())
        >>> set_llm_cache(None)
    """
    global _shared
    _shared = checked(cache)


def checked(cache: ReplyCache | None) -> ReplyCache | None:
    """The cache, if it is one.

    Raises:
        TypeError: If it is not.

    Example:
        >>> checked(None)
    """
    if cache is None or hasattr(cache, "lookup"):
        return cache
    raise TypeError(f"A cache is an InMemoryCache or a SQLiteCache, not {cache!r}")


def get_llm_cache() -> ReplyCache | None:
    """The cache that `set_llm_cache` chose."""
    return _shared


def key_of(request: dict[str, Any]) -> str:
    """The key of a request, the same in every process.

    Args:
        request: Everything that the reply depends on.

    Example:
        >>> key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
        True
    """
    written = json.dumps(request, sort_keys=True, default=repr, ensure_ascii=True)
    return hashlib.sha256(written.encode()).hexdigest()


class Place:
    """Where the replies to one request are kept.

    Args:
        cache: The cache, or None for none.
        key: The request's key.
        checkpoint: The checkpoint of the batch that asks, if it has one.

    Example:
        >>> place = Place(InMemoryCache(), "k")
        >>> place.keep([AIMessage("Hi")])
        >>> place.replies()
        [AIMessage(content='Hi')]
    """

    def __init__(
        self, cache: ReplyCache | None, key: str, checkpoint: Checkpoint | None = None
    ) -> None:
        self._cache = cache
        self._key = key
        self._checkpoint = checkpoint

    def replies(self) -> list[AIMessage] | None:
        """The replies as new messages, or None.

        Those of the cache say that they cost nothing this time; those of a checkpoint are the
        batch's own, from an earlier try, and say what they took then.
        """
        kept = self._checkpoint.take(self._key) if self._checkpoint else None
        replies = None if kept is None else _read(kept)
        if replies is not None or self._cache is None:
            return replies
        text = self._cache.lookup(self._key)
        replies = None if text is None else _read(text)
        for reply in replies or []:
            reply.usage_metadata = None
            reply.response_metadata = {**reply.response_metadata, "from_cache": True}
        if replies is not None and self._checkpoint is not None:
            # The cache may not outlive this process.
            self._store([self._checkpoint.keep], replies)
        return replies

    def keep(self, replies: list[AIMessage]) -> None:
        """Keep the replies. What fails at that must not lose what was paid for: it is told of."""
        stores = [self._checkpoint.keep] if self._checkpoint else []
        self._store([*stores, *([self._cache.store] if self._cache else [])], replies)

    def _store(
        self, stores: Sequence[Callable[[str, str], None]], replies: list[AIMessage]
    ) -> None:
        text = messages_to_json(replies) if stores else ""
        for store in stores:
            try:
                store(self._key, text)
            except Exception as error:
                told = f"A reply could not be kept: {type(error).__name__}: {error}"
                warnings.warn(told, stacklevel=4)

    def keeping(self, chunks: Iterator[AIMessageChunk]) -> Iterator[AIMessageChunk]:
        """Pass chunks on, and keep what they add up to once all have come."""
        return self._keeping(chunks) if self is not NOWHERE else chunks

    def akeeping(
        self, chunks: AsyncGenerator[AIMessageChunk, None]
    ) -> AsyncGenerator[AIMessageChunk, None]:
        """Pass chunks on, and keep what they add up to; like `keeping`."""
        return self._akeeping(chunks) if self is not NOWHERE else chunks

    def _keeping(self, chunks: Iterator[AIMessageChunk]) -> Iterator[AIMessageChunk]:
        whole = list[AIMessageChunk]()
        for chunk in chunks:
            whole.append(chunk)
            yield chunk
        self._keep_whole(whole)

    async def _akeeping(
        self, chunks: AsyncIterator[AIMessageChunk]
    ) -> AsyncGenerator[AIMessageChunk, None]:
        whole = list[AIMessageChunk]()
        async for chunk in chunks:
            whole.append(chunk)
            yield chunk
        self._keep_whole(whole)

    def _keep_whole(self, chunks: list[AIMessageChunk]) -> None:
        if chunks:
            self.keep([join_chunks(chunks).to_message()])


def _read(text: str) -> list[AIMessage] | None:
    try:
        replies = [reply for reply in messages_from_json(text) if isinstance(reply, AIMessage)]
    except (ValueError, TypeError, LookupError) as error:
        warnings.warn(f"A kept reply cannot be read, it is asked anew: {error}", stacklevel=4)
        return None
    return replies or None


NOWHERE = Place(None, "")
"""The place of a request when there is no cache."""
