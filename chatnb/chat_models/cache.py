"""Caches of replies, so that an equal request is not paid for twice."""

from __future__ import annotations

import copy
import hashlib
import json
import weakref
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from chatnb.chat_models.wire.finish_reasons import ended_well
from chatnb.concurrency.locks import Lock
from chatnb.concurrency.threads import in_thread
from chatnb.errors import DamagedFileError, error_line
from chatnb.runnables.batches.checkpoint import PROVIDER_FIELD, Checkpoint, stored_replies
from chatnb.schema.messages import AIMessage, AIMessageChunk, join_chunks
from chatnb.schema.serialization import messages_from_json, messages_to_json
from chatnb.store.database import Database
from chatnb.store.file_format import FileFormat
from chatnb.terminal import warn

T = TypeVar("T")
_ASKED = "The model is asked instead."
_FORMAT = FileFormat(
    use="as a cache",
    contents="cached replies",
    advice="Delete it or name another.",
    application_id=int.from_bytes(b"chca", "big"),
    migrations=[["CREATE TABLE replies (key TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID"]],
    unmarked={"replies": ["key", "text"]},
)
_NO_REPLIES = "[]"  # Caches cannot delete a single entry; one of no replies counts as none.


class ReplyCache(Protocol):
    """A thread-safe store of replies: text by key."""

    def lookup(self, key: str) -> str | None:
        """Return the text under `key`, or None."""
        ...

    def store(self, key: str, text: str) -> None:
        """Store `text` under `key`."""
        ...

    def clear(self) -> None:
        """Delete all entries."""
        ...


class InMemoryCache:
    """A cache in memory, for as long as the process runs.

    Args:
        max_size: The most replies to hold; the least recently used one goes first.

    Raises:
        ValueError: If `max_size` is less than 1.

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
        self._lock = Lock()

    def lookup(self, key: str) -> str | None:
        """Return the text under `key`, or None."""
        with self._lock:
            text = self._texts.get(key)
            if text is not None:
                self._texts.move_to_end(key)
            return text

    def store(self, key: str, text: str) -> None:
        """Store `text` under `key`."""
        with self._lock:
            self._texts[key] = text
            self._texts.move_to_end(key)
            if self._max_size is not None and len(self._texts) > self._max_size:
                self._texts.popitem(last=False)

    def clear(self) -> None:
        """Delete all entries."""
        with self._lock:
            self._texts.clear()


class SQLiteCache:
    """A cache in a file, for other processes and later sessions.

    Args:
        path: The SQLite file; it is created if it does not exist.
        database_path: The same, by LangChain's name.

    Raises:
        TypeError: If no path is given.
        ConfigurationError: If the file cannot be used as a cache. A damaged one only warns, and
            the model is asked.

    Example:
        >>> cache = SQLiteCache("replies.db")  # doctest: +SKIP
    """

    def __init__(
        self, path: str | Path | None = None, *, database_path: str | Path | None = None
    ) -> None:
        given = path if path is not None else database_path
        if given is None:
            raise TypeError('SQLiteCache takes the path of its file: SQLiteCache("replies.db")')
        self.path = Path(given)
        self._database: Database | None = None
        try:
            self._open()
        except DamagedFileError as error:
            warn(f"{error} {_ASKED}", stacklevel=2)

    def __reduce__(self) -> tuple[Any, ...]:
        return SQLiteCache, (self.path,)

    def lookup(self, key: str) -> str | None:
        """Return the text under `key`, or None."""
        rows = self._open().read("SELECT text FROM replies WHERE key = ?", key)
        return rows[0][0] if rows else None

    def store(self, key: str, text: str) -> None:
        """Store `text` under `key`."""
        self._write("INSERT OR REPLACE INTO replies VALUES (?, ?)", key, text)

    def clear(self) -> None:
        """Delete all entries."""
        self._write("DELETE FROM replies")

    def _write(self, statement: str, *values: str) -> None:
        self._open().write(lambda connection: connection.execute(statement, values).close())

    def _open(self) -> Database:
        self._database = self._database or Database(self.path, _FORMAT)
        return self._database


shared_cache: ReplyCache | None = None


def set_llm_cache(cache: ReplyCache | None) -> None:
    """Set the cache of every chat model that has none of its own; None for no cache.

    Args:
        cache: An `InMemoryCache`, a `SQLiteCache`, or an object with their methods.

    Raises:
        TypeError: If it is none of these.

    Example:
        >>> set_llm_cache(InMemoryCache())
        >>> set_llm_cache(None)
    """
    global shared_cache
    shared_cache = check_cache(cache)


def check_cache(cache: ReplyCache | None) -> ReplyCache | None:
    """Return the cache, or raise a TypeError if it is none."""
    if cache is None or hasattr(cache, "lookup"):
        return cache
    raise TypeError(f"A cache is an InMemoryCache or a SQLiteCache, not {cache!r}")


def get_llm_cache() -> ReplyCache | None:
    """Return the cache that `set_llm_cache` set.

    Returns:
        The cache, or None.

    Example:
        >>> get_llm_cache() is None
        True
    """
    return shared_cache


# `json.dumps` with these options would make an encoder for each request.
_KEY_ENCODER = json.JSONEncoder(sort_keys=True, default=repr, ensure_ascii=True)


def request_key(request: dict[str, Any]) -> str:
    """Return the key of a request, the same in every process and for every order of its items."""
    text = _KEY_ENCODER.encode(request)
    return hashlib.sha256(text.encode()).hexdigest()


class CacheEntry:
    """The entry of one request in the cache and in the checkpoint of the batch that makes it."""

    def __init__(
        self,
        cache: ReplyCache | None,
        key: str,
        checkpoint: Checkpoint | None = None,
        provider: str = "",
    ) -> None:
        self._cache = cache
        self._key = key
        self._checkpoint = checkpoint
        self._provider = provider

    def lookup(self) -> list[AIMessage] | None:
        """Return the replies as new messages, or None."""
        # A reply in the checkpoint was paid for by this batch, in an earlier try: its usage stays.
        text = self._checkpoint.next_reply(self._key) if self._checkpoint else None
        replies = None if text is None else _read(text, self._checkpoint)
        if text is not None and replies is not None:
            self._make_forgettable(replies, text)
        if replies is not None or self._cache is None:
            return replies
        text = _lookup(self._cache, self._key)
        replies = None if text is None else _read(text, self._cache)
        if replies is not None and self._checkpoint is None:
            self._make_forgettable(replies)
        for reply in replies or []:
            reply.usage_metadata = None
            reply.response_metadata = {**reply.response_metadata, "from_cache": True}
        if replies is not None and self._checkpoint is not None:
            # The cache may not outlive this process.
            self._store([self._checkpoint.append], replies)
        return replies

    def store(self, replies: list[AIMessage]) -> None:
        """Store the replies; a failure only warns, since they have been paid for."""
        stores = list[Callable[[str, str], None]]()
        if self._checkpoint is not None:
            stores.append(self._checkpoint.append)
        if self._cache is not None:
            stores.append(self._cache.store)
        self._store(stores, replies)

    async def alookup(self) -> list[AIMessage] | None:
        """Return the replies like `lookup`, without blocking the event loop."""
        # Reading a checkpoint waits for nobody; what a cache has is added to the checkpoint.
        return await self._aside(self.lookup) if self._cache is not None else self.lookup()

    async def astore(self, replies: list[AIMessage]) -> None:
        """Store the replies like `store`, without blocking the event loop."""
        await self._aside(lambda: self.store(replies))

    async def _aside(self, work: Callable[[], T]) -> T:
        """Work on a thread, unless nothing but memory is involved; a checkpoint does not wait."""
        if self._cache is None or isinstance(self._cache, InMemoryCache):
            return work()
        return await in_thread(work)

    def store_stream(self, chunks: Iterator[AIMessageChunk]) -> Iterator[AIMessageChunk]:
        """Pass chunks on, and store the reply when it is complete."""
        seen = list[AIMessageChunk]()
        for chunk in chunks:
            seen.append(chunk)
            yield chunk
        if seen:
            self.store([join_chunks(seen).to_message()])

    async def astore_stream(
        self, chunks: AsyncIterator[AIMessageChunk]
    ) -> AsyncGenerator[AIMessageChunk, None]:
        """Pass chunks on, and store the reply when it is complete."""
        seen = list[AIMessageChunk]()
        async for chunk in chunks:
            seen.append(chunk)
            yield chunk
        if seen:
            await self.astore([join_chunks(seen).to_message()])

    def _store(
        self, stores: Sequence[Callable[[str, str], None]], replies: list[AIMessage]
    ) -> None:
        text = messages_to_json(self._with_provider(replies)) if stores else ""
        for store in stores:
            try:
                store(self._key, text)
            except Exception as error:
                message = f"A reply could not be kept: {error_line(error)}"
                warn(message, stacklevel=4)
        if stores:
            self._make_forgettable(replies, text)

    def _with_provider(self, replies: list[AIMessage]) -> list[AIMessage]:
        # A usage table of the file cannot price the calls without it.
        named = list(map(copy.copy, replies)) if self._provider else replies
        for reply in named if self._provider else ():
            metadata = reply.response_metadata
            reply.response_metadata = {**metadata, PROVIDER_FIELD: self._provider}
        return named

    def _make_forgettable(self, replies: list[AIMessage], text: str = "") -> None:
        checkpoint = weakref.ref(self._checkpoint) if self._checkpoint else lambda: None
        forget = partial(_forget, self._cache, self._key, checkpoint, text)
        stored_replies.add((t for reply in replies for t in _parsed_texts(reply)), forget)


def _parsed_texts(reply: AIMessage) -> Iterator[str]:
    """Yield the texts that a parser may get of a reply."""
    yield from {reply.text, reply.answer}
    for call in reply.tool_calls:
        yield json.dumps(call["args"], ensure_ascii=False)
    for invalid in reply.invalid_tool_calls:
        yield invalid["args"] or ""


def _forget(
    cache: ReplyCache | None, key: str, checkpoint: Callable[[], Checkpoint | None], text: str
) -> None:
    kept = checkpoint()
    try:
        if kept is not None:
            kept.remove(key, text)
        if cache is not None:
            cache.store(key, _NO_REPLIES)
    except Exception as error:
        warn(f"A reply could not be forgotten: {error_line(error)}", stacklevel=4)


def _lookup(cache: ReplyCache, key: str) -> str | None:
    try:
        return cache.lookup(key)
    except Exception as error:  # A cache that cannot be read must not end the call.
        warn(f"{error_line(error)} {_ASKED}", stacklevel=4)
        return None


def _read(text: str, holder: object) -> list[AIMessage] | None:
    try:
        replies = [reply for reply in messages_from_json(text) if isinstance(reply, AIMessage)]
    except (ValueError, TypeError, LookupError) as error:
        place = f" in {path}" if (path := getattr(holder, "path", None)) else ""
        message = f"A cached reply{place} cannot be read and is requested again: {error}"
        warn(message, stacklevel=4)
        return None
    for reply in replies:
        reply.response_metadata.pop(PROVIDER_FIELD, None)
    # Older versions stored replies that had broken off.
    return replies if replies and all(ended_well(r.response_metadata) for r in replies) else None
