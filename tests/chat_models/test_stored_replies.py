"""Replies that do not parse, in caches and checkpoints."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from chatnb.chat_models import BaseChatModel, ScriptedChatModel
from chatnb.chat_models.cache import InMemoryCache, SQLiteCache
from chatnb.errors import OutputParserError
from chatnb.output_parsers import BaseOutputParser, JsonOutputParser, PydanticOutputParser
from chatnb.runnables import Runnable
from chatnb.schema import AIMessage, BaseMessage
from chatnb.schema.tool_calls import invalid_tool_call, tool_call


class City(BaseModel):
    name: str


class Learning(BaseChatModel):
    """Answers each prompt badly the first time, and well after that."""

    model_name = "learning"
    _not_in_cache_key = BaseChatModel._not_in_cache_key | {"asked"}

    def __init__(self, cache: Any = None) -> None:
        self.cache = cache
        self.asked: list[str] = []

    def _generate(self, messages: list[BaseMessage], **params: Any) -> AIMessage:
        prompt = messages[-1].text
        bad = prompt not in self.asked and prompt != "good"
        self.asked.append(prompt)
        name: Any = {} if bad else {"name": prompt}
        if "tools" in params:
            return AIMessage("", tool_calls=[tool_call(name="City", args=name, id="c")])
        return AIMessage("Sorry." if bad else f'{{"name": "{prompt}"}}')


class Lines(BaseOutputParser[Any]):
    """A parser that raises an error of its own."""

    def parse(self, text: str) -> Any:
        if text == "Sorry.":
            raise LookupError(text)
        return {"name": text[10:-2]}


def typed(**options: Any) -> Callable[[Learning], Runnable[Any, Any]]:
    return lambda chat: chat.with_structured_output(City, **options)


def raw(chat: Learning) -> Runnable[Any, Any]:
    """Structured output that returns errors, and raises them after that."""

    def check(reply: Any) -> Any:
        if reply["parsing_error"]:
            raise reply["parsing_error"]
        return reply["parsed"]

    return chat.with_structured_output(City, include_raw=True) | check


CHAINS: dict[str, Callable[[Learning], Runnable[Any, Any]]] = {
    "json": lambda chat: chat | JsonOutputParser(),
    "pydantic": lambda chat: chat | PydanticOutputParser(City),
    "own": lambda chat: chat | Lines(),
    "json_schema": typed(),
    "tools": typed(method="tools"),
    "raw": raw,
}
chains = pytest.mark.parametrize("chain", CHAINS)


def call(chain: Runnable[Any, Any], method: str, prompt: str) -> Any:
    async def acall() -> Any:
        if method == "ainvoke":
            return await chain.ainvoke(prompt)
        return [value async for value in chain.astream(prompt)][-1]

    if method.startswith("a"):
        return asyncio.run(acall())
    return chain.invoke(prompt) if method == "invoke" else list(chain.stream(prompt))[-1]


@chains
@pytest.mark.parametrize("method", ["invoke", "ainvoke", "stream", "astream"])
def test_a_cache_gives_no_reply_that_did_not_parse(chain: str, method: str) -> None:
    """The next run asks again, and the run after that asks no more."""
    chat = Learning(InMemoryCache())
    with pytest.raises((OutputParserError, LookupError)):
        call(CHAINS[chain](chat), method, "Oslo")
    for _ in range(2):
        answer = call(CHAINS[chain](chat), method, "Oslo")
        assert (answer if isinstance(answer, City) else City(**answer)) == City(name="Oslo")
    assert chat.asked == ["Oslo", "Oslo"]


@chains
@pytest.mark.parametrize("method", ["batch", "abatch"])
def test_a_checkpoint_keeps_only_what_parsed(chain: str, method: str, tmp_path: Path) -> None:
    """Of a batch with equal prompts only those that failed are asked again."""
    chat, path = Learning(), tmp_path / "checkpoint"
    prompts = ["a", "good", "a", "b", "a"]

    def run() -> Any:
        runnable, one = CHAINS[chain](chat), {"max_concurrency": 1}
        options: Any = {"checkpoint": path, "return_exceptions": True, "progress": False}
        if method == "batch":
            return runnable.batch(prompts, one, **options)
        return asyncio.run(runnable.abatch(prompts, one, **options))

    assert sum(isinstance(outcome, Exception) for outcome in run()) == 2
    assert chat.asked == prompts
    for _ in range(2):
        answers = [dict(answer)["name"] for answer in run()]
        assert answers == prompts
        assert chat.asked == [*prompts, "b", "a"]


@pytest.mark.parametrize("prompts", [["Oslo"], ["Oslo", "Rome"]])
def test_a_bad_reply_in_a_checkpoint_is_forgotten_when_it_is_read(
    prompts: list[str], tmp_path: Path
) -> None:
    """A run that only asked kept it; the one that parses it has it asked again, once."""
    chat, path = Learning(), tmp_path / "checkpoint"
    options: Any = {"checkpoint": path, "return_exceptions": True, "progress": False}
    chat.batch(prompts, {"max_concurrency": 1}, **options)
    chain = chat | JsonOutputParser()
    outcomes = chain.batch(prompts, {"max_concurrency": 1}, **options)
    assert [type(outcome) for outcome in outcomes] == [OutputParserError] * len(prompts)
    assert chat.asked == prompts
    for _ in range(2):
        answers = chain.batch(prompts, {"max_concurrency": 1}, **options)
        assert answers == [{"name": prompt} for prompt in prompts]
    assert chat.asked == prompts * 2


def test_a_reply_of_a_checkpoint_that_cannot_be_read_is_asked_for_anew(tmp_path: Path) -> None:
    """The warning names the file, and the batch goes on."""
    chat, path = Learning(), tmp_path / "checkpoint"
    chat.batch(["good"], checkpoint=path, progress=False)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE answers SET text = 'not json'")
    with pytest.warns(UserWarning, match="cannot be read and is requested again"):
        (reply,) = chat.batch(["good"], checkpoint=path, progress=False)
    assert reply.text == '{"name": "good"}'
    assert chat.asked == ["good", "good"]


class ForgetsNothing(InMemoryCache):
    """A cache whose replies cannot be replaced."""

    def store(self, key: str, text: str) -> None:
        if self.lookup(key) is not None:
            raise OSError("No space left on device")
        super().store(key, text)


def test_a_bad_reply_that_stays_is_told_of() -> None:
    """The error of the parser is the one that is raised."""
    chain = Learning(ForgetsNothing()) | JsonOutputParser()
    told = "could not be forgotten: OSError: No space left"
    with pytest.warns(UserWarning, match=told), pytest.raises(OutputParserError):
        chain.invoke("Oslo")


class PlainCache:
    """A cache of the user's own."""

    def __init__(self) -> None:
        self.texts = dict[str, str]()

    def lookup(self, key: str) -> str | None:
        return self.texts.get(key)

    def store(self, key: str, text: str) -> None:
        self.texts[key] = text

    def clear(self) -> None:
        self.texts.clear()


@pytest.mark.parametrize("make", [PlainCache, None])
def test_a_bad_reply_of_an_earlier_process_is_forgotten_too(make: Any, tmp_path: Path) -> None:
    """A reply that is read from a cache and does not parse is asked again by the next run."""
    cache = make() if make else SQLiteCache(tmp_path / "cache")
    chat = Learning(cache)
    chat.invoke("Oslo")
    with pytest.raises(OutputParserError):
        (chat | JsonOutputParser()).invoke("Oslo")
    assert (chat | JsonOutputParser()).invoke("Oslo") == {"name": "Oslo"}
    assert chat.asked == ["Oslo", "Oslo"]


BAD_CALLS = [
    AIMessage("", tool_calls=[tool_call(name="City", args={"größe": 1}, id="c")]),
    AIMessage("", invalid_tool_calls=[invalid_tool_call(name="City", args='{"name', id="c")]),
    AIMessage("", invalid_tool_calls=[invalid_tool_call(name="City", args="", id="c")]),
    AIMessage("Ø", additional_kwargs={"reasoning_content": "Hm."}),
]


@pytest.mark.parametrize("bad", BAD_CALLS)
def test_calls_of_tools_that_do_not_parse_are_forgotten(bad: AIMessage) -> None:
    """A reply of which a call has wrong arguments, in any way, is asked for again."""
    good = AIMessage("", tool_calls=[tool_call(name="City", args={"name": "Oslo"}, id="c")])
    chat = ScriptedChatModel([bad, good])
    chat.cache = InMemoryCache()
    chain = chat.with_structured_output(City, method="tools")
    with pytest.raises(OutputParserError):
        chain.invoke("Hi")
    for _ in range(2):
        assert chain.invoke("Hi") == City(name="Oslo")


def test_a_bad_reply_that_was_only_read_is_forgotten() -> None:
    """From the cache that it was read from, which need not be the one that it was stored in."""
    first, second = PlainCache(), PlainCache()
    Learning(first).invoke("Oslo")
    second.texts.update(first.texts)
    chat = Learning(second)
    chat.asked.append("Oslo")
    with pytest.raises(OutputParserError):
        (chat | JsonOutputParser()).invoke("Oslo")
    assert (chat | JsonOutputParser()).invoke("Oslo") == {"name": "Oslo"}


def test_a_retry_asks_again() -> None:
    """A cache does not make all attempts the same."""
    chain = Learning(InMemoryCache()) | JsonOutputParser()
    assert chain.with_retry(wait_exponential_jitter=False).invoke("a") == {"name": "a"}


def test_a_reply_that_was_repaired_stays() -> None:
    """The run that succeeded is repeated from the cache as it was."""
    chat = Learning(InMemoryCache())
    repaired = chat.with_structured_output(City, repair=1)
    with pytest.raises(OutputParserError):
        chat.with_structured_output(City).invoke("Oslo")
    first = repaired.invoke("Oslo")
    asked = len(chat.asked)
    assert repaired.invoke("Oslo") == first
    assert len(chat.asked) == asked
