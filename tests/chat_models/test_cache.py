from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatnb.chat_models import (
    AzureChatOpenAI,
    BaseChatModel,
    ChatAnthropic,
    ChatOpenAI,
    ScriptedChatModel,
)
from chatnb.chat_models.cache import InMemoryCache, ReplyCache, SQLiteCache, set_llm_cache
from chatnb.errors import ConfigurationError, ServerError
from chatnb.schema import AIMessage, BaseMessage, messages_to_json


class Counts(BaseChatModel):
    """Replies with the number of times that it was asked."""

    def __init__(self, style: str = "plain") -> None:
        self.model_name = "counts"
        self.style = style
        self._asked = 0

    def _generate(self, messages: list[BaseMessage], **_: Any) -> AIMessage:
        self._asked += 1
        usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        return AIMessage(f"reply {self._asked}", usage_metadata=usage)


def astream(chat: BaseChatModel, asked: str, **params: Any) -> str:
    async def collect() -> str:
        return "".join([chunk.text async for chunk in chat.astream(asked, **params)])

    return asyncio.run(collect())


METHODS: dict[str, Callable[..., str]] = {
    "invoke": lambda chat, asked, **params: chat.invoke(asked, **params).text,
    "ainvoke": lambda chat, asked, **params: asyncio.run(chat.ainvoke(asked, **params)).text,
    "stream": lambda chat, asked, **params: "".join(c.text for c in chat.stream(asked, **params)),
    "astream": astream,
    "generate": lambda chat, asked, **params: (
        chat.generate([[asked]], **params).generations[0][0].text
    ),
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


@pytest.fixture(params=["memory", "file"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> ReplyCache:
    return InMemoryCache() if request.param == "memory" else SQLiteCache(tmp_path / "replies.db")


@pytest.fixture
def shared(cache: ReplyCache) -> Iterator[ReplyCache]:
    set_llm_cache(cache)
    yield cache
    set_llm_cache(None)


@every_method
@pytest.mark.usefixtures("shared")
def test_the_same_question_is_asked_once(method: Callable[..., str]) -> None:
    """The second reply is the first one, by any two methods."""
    for first in METHODS.values():
        chat = Counts(style=str(first))
        assert first(chat, "Hi") == method(chat, "Hi") == "reply 1"


@pytest.mark.usefixtures("shared")
def test_another_question_another_parameter_another_model_is_asked_anew() -> None:
    """Everything a reply depends on is part of the key."""
    chat = Counts()
    said = [chat.invoke("Hi").text, chat.invoke("Ho").text, chat.invoke("Hi", stop=["x"]).text]
    assert said == ["reply 1", "reply 2", "reply 3"]
    assert chat.invoke("Hi", temperature=0.5).text == "reply 4"
    chat.style = "other"
    assert chat.invoke("Hi").text == "reply 5"


def test_a_hit_costs_nothing_and_says_so(shared: ReplyCache) -> None:
    """A reply from the cache carries no usage, so that sums stay true, and is marked."""
    chat = Counts()
    assert chat.invoke("Hi").usage_metadata is not None
    hit = chat.invoke("Hi")
    assert (hit.usage_metadata, hit.response_metadata) == (None, {"from_cache": True})
    assert chat.generate([["Hi"], ["Hi"]]).llm_output["token_usage"] == {}
    shared.clear()
    assert chat.invoke("Hi").text == "reply 2"


@pytest.mark.usefixtures("shared")
def test_a_model_may_have_its_own_cache_or_none() -> None:
    """`cache=` of a model wins over the shared one; False turns caching off."""
    chat = Counts()
    chat.cache = False
    assert [chat.invoke("Hi").text for _ in range(2)] == ["reply 1", "reply 2"]
    chat.cache = InMemoryCache()
    assert [chat.invoke("Hi").text for _ in range(2)] == ["reply 3", "reply 3"]


def test_an_empty_cache_is_used() -> None:
    """Also one that has a length, and so is false while it is empty."""

    class Sized(InMemoryCache):
        def __len__(self) -> int:
            return 0

    chat = Counts()
    chat.cache = Sized()
    assert chat.invoke("Hi").text == chat.invoke("Hi").text == "reply 1"


def test_what_is_changed_by_a_caller_does_not_change_the_cache(cache: ReplyCache) -> None:
    """Each hit is a message of its own."""
    chat = Counts()
    chat.cache = cache
    for _ in range(2):
        message = chat.invoke("Hi")
        assert message.content == "reply 1"
        message.content = "changed"


def test_a_reply_that_broke_off_is_not_kept(cache: ReplyCache) -> None:
    """Neither an error nor a stream that was left early is taken for a reply."""
    chat = ScriptedChatModel([["Half", ServerError("Broken.")], ["Left ", "early"], "Whole."])
    chat.cache = cache
    with pytest.raises(ServerError):
        list(chat.stream("Hi"))
    next(chat.stream("Hi"))
    assert chat.invoke("Hi").content == "Whole."
    assert "".join(chunk.text for chunk in chat.stream("Hi")) == "Whole."


@pytest.mark.slow
def test_a_file_serves_other_processes(tmp_path: Path) -> None:
    """The key of a request is the same in every process, and so is the reply."""
    code = (
        "import sys\n"
        f"sys.path[:0] = {sys.path!r}\n"
        "from tests.chat_models.test_cache import Counts, SQLiteCache\n"
        f"chat = Counts(); chat.cache = SQLiteCache({str(tmp_path / 'replies.db')!r})\n"
        "chat._asked = int(sys.argv[1])\n"
        "print(chat.invoke('Hi').text)"
    )
    for asked in ("0", "10"):
        ran = subprocess.run(
            [sys.executable, "-c", code, asked], capture_output=True, text=True, check=True
        )
        assert ran.stdout == "reply 1\n"


def test_threads_may_share_a_cache(cache: ReplyCache) -> None:
    """Many threads read and write at once and lose nothing."""
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: cache.store(str(n % 20), str(n % 20)), range(200)))
    assert [cache.lookup(str(n)) for n in range(20)] == [str(n) for n in range(20)]


def test_a_file_that_is_no_cache_is_refused(tmp_path: Path) -> None:
    """The error names the file and what to do, and the file is left as it was."""
    path = tmp_path / "notes.txt"
    path.write_text("My notes, which are longer than a header of SQLite is. " * 10)
    with pytest.raises(ConfigurationError, match=r"notes\.txt cannot be used as a cache"):
        SQLiteCache(path)
    assert path.read_text().startswith("My notes")


def test_a_size_that_keeps_nothing_is_refused() -> None:
    """max_size=0 is a mistake."""
    with pytest.raises(ValueError, match="from 1 on"):
        InMemoryCache(max_size=0)


def test_what_was_used_last_stays_longest() -> None:
    """To store a reply again and to look it up are uses, to look for another is none."""
    cache = InMemoryCache(max_size=2)
    for key in "abac":
        cache.store(key, key)
    assert [cache.lookup(key) for key in "bac"] == [None, "a", "c"]
    cache.lookup("a")
    cache.store("d", "")
    assert [cache.lookup(key) for key in "cad"] == [None, "a", ""]
    cache.clear()
    assert cache.lookup("a") is None


def test_a_file_has_a_path(tmp_path: Path) -> None:
    """By either name; without one the error says what to write."""
    with pytest.raises(TypeError, match=r'its file: SQLiteCache\("replies.db"\)'):
        SQLiteCache()
    SQLiteCache(tmp_path / "a").store("k", "v")
    again = SQLiteCache(database_path=str(tmp_path / "a"))
    assert (again.path, again.lookup("k"), again.lookup("K")) == (tmp_path / "a", "v", None)
    again.store("k", "w")
    assert SQLiteCache(tmp_path / "a", database_path=tmp_path / "b").lookup("k") == "w"
    again.clear()
    assert again.lookup("k") is None


class Unreadable(InMemoryCache):
    """A cache that cannot be read."""

    def lookup(self, key: str) -> str | None:
        raise OSError("Input/output error")


@every_method
def test_a_cache_that_cannot_be_read_does_not_end_the_call(method: Callable[..., str]) -> None:
    """The model is asked, with a warning that says so."""
    chat = Counts()
    chat.cache = Unreadable()
    with pytest.warns(UserWarning, match=r"OSError: Input/output error The model is asked"):
        assert method(chat, "Hi") == "reply 1"


def test_a_damaged_file_is_told_of_where_it_is_opened(tmp_path: Path) -> None:
    """The warning is at the line that makes the cache, which answers nothing."""
    path = tmp_path / "replies.db"
    SQLiteCache(path).store("k", "v")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(path.read_bytes()[:100] + b"\xa5" * 4000)
    with pytest.warns(UserWarning, match=r"damaged.db .* The model is asked instead") as caught:
        SQLiteCache(damaged)
    assert [warning.filename for warning in caught] == [__file__]


class Full(InMemoryCache):
    """A cache that cannot keep anything."""

    def store(self, key: str, text: str) -> None:
        raise OSError("No space left on device")


@every_method
def test_a_cache_that_fails_does_not_lose_the_reply(method: Callable[..., str]) -> None:
    """A reply that was paid for comes through, with a warning that it could not be kept."""
    chat = Counts()
    chat.cache = Full()
    with pytest.warns(UserWarning, match="could not be kept: OSError: No space left"):
        assert method(chat, "Hi") == "reply 1"


@pytest.mark.parametrize("text", ["not json", "{}", '[{"type": "nobody", "data": {}}]'])
def test_an_unreadable_entry_is_asked_for_anew(cache: ReplyCache, text: str) -> None:
    """Entries of another version are told of and replaced, not fallen over."""
    chat = Counts()
    chat.cache = cache
    kept = list[str]()
    store = cache.store
    cache.store = lambda key, _: (kept.append(key), store(key, text))  # type: ignore[method-assign, assignment, misc]
    chat.invoke("Hi")
    del cache.store
    with pytest.warns(UserWarning, match="cannot be read"):
        assert chat.invoke("Hi").text == "reply 2"
    assert chat.invoke("Hi").text == "reply 2"


@pytest.mark.parametrize("value", [True, "replies.db"])
def test_what_is_no_cache_is_refused(value: Any) -> None:
    """A path or a bool in the place of a cache says what to write."""
    with pytest.raises(TypeError, match="InMemoryCache or a SQLiteCache"):
        set_llm_cache(value)
    chat = Counts()
    chat.cache = value
    with pytest.raises(TypeError, match="InMemoryCache or a SQLiteCache"):
        chat.invoke("Hi")


SAVED_KEYS = [
    (
        lambda url, cache: ChatOpenAI("m", openai_api_key="none", base_url=url, cache=cache),
        "7212df6010d3a51fe3c5fb528c203703e9384a2a6023fde3ee97cc3e005ea3c0",
    ),
    (
        lambda url, cache: ChatAnthropic("m", api_key="none", base_url=url, cache=cache),
        "10c0cc059dd485fb6d44b88f7e2c96edb4131b806179df1ff9af5740f091cbce",
    ),
    (
        lambda url, cache: AzureChatOpenAI(
            azure_deployment="m",
            azure_endpoint=url,
            api_version="2024-10-21",
            api_key="none",
            cache=cache,
        ),
        "e816de356ce61f0d4b05966b24d60e079cdf181d2c0caa1e884854c8f57024fb",
    ),
]


class _SpyCache(InMemoryCache):
    """Remembers the keys that were looked up, and answers everything."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[str] = []

    def lookup(self, key: str) -> str:
        self.keys.append(key)
        return messages_to_json([AIMessage("cached")])


@pytest.mark.parametrize(("make", "key"), SAVED_KEYS, ids=["openai", "anthropic", "azure"])
def test_keys_in_saved_caches_stay_the_same(
    make: Callable[[str, ReplyCache], BaseChatModel], key: str
) -> None:
    """A file that an earlier version wrote still answers, wherever the class lives now."""
    cache = _SpyCache()
    assert make("http://127.0.0.1:9/v1", cache).invoke("Hi").content == "cached"
    assert cache.keys == [key]
