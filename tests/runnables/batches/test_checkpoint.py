from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatnb.chat_models import BaseChatModel, ScriptedChatModel
from chatnb.chat_models.cache import InMemoryCache, SQLiteCache
from chatnb.errors import BatchError, BatchInterrupted, ConfigurationError
from chatnb.output_parsers import StrOutputParser
from chatnb.prompts import ChatPromptTemplate
from chatnb.runnables.batches import checkpoint as checkpoints
from chatnb.runnables.batches.checkpoint import Checkpoint, CollectedReplies, StoredReplies
from chatnb.runnables.batches.checkpoint_calls import CheckpointCalls
from chatnb.schema import AIMessage, BaseMessage
from chatnb.schema.model_call import Sum
from chatnb.tracing.usage_tracking import track_usage
from tests.support import killed_batches

Ask = Callable[..., list[str]]


class Numbering(BaseChatModel):
    """Answers each call with its number, and fails as it is told to."""

    model_name = "numbering"
    _not_in_cache_key = BaseChatModel._not_in_cache_key | {"asked", "failing"}

    def __init__(self, temperature: float = 0.0) -> None:
        self.temperature = temperature
        self.asked: list[str] = []
        self.failing: BaseException | None = None

    def _generate(self, messages: list[BaseMessage], **_: Any) -> AIMessage:
        text = messages[-1].text
        if self.failing and text == "bad":
            raise self.failing
        self.asked.append(text)
        usage = {"input_tokens": 2, "output_tokens": 1, "total_tokens": 3}
        return AIMessage(f"{text} {len(self.asked)}", usage_metadata=usage)


def by_batch(chat: BaseChatModel, prompts: list[str], **kwargs: Any) -> list[str]:
    one = {"max_concurrency": 1}
    return [reply.text for reply in chat.batch(prompts, one, **kwargs)]


def by_abatch(chat: BaseChatModel, prompts: list[str], **kwargs: Any) -> list[str]:
    one = {"max_concurrency": 1}
    return [reply.text for reply in asyncio.run(chat.abatch(prompts, one, **kwargs))]


def by_generate(chat: BaseChatModel, prompts: list[str], **kwargs: Any) -> list[str]:
    result = chat.generate([[prompt] for prompt in prompts], max_concurrency=1, **kwargs)
    return [some[0].text for some in result.generations]


def by_agenerate(chat: BaseChatModel, prompts: list[str], **kwargs: Any) -> list[str]:
    asking = chat.agenerate([[prompt] for prompt in prompts], max_concurrency=1, **kwargs)
    return [some[0].text for some in asyncio.run(asking).generations]


every_way = pytest.mark.parametrize("ask", [by_batch, by_abatch, by_generate, by_agenerate])


@every_way
def test_after_a_failure_only_what_is_missing_is_asked(ask: Ask, tmp_path: Path) -> None:
    """The same call again takes the answers that came and asks the others, duplicates included."""
    chat, path = Numbering(), tmp_path / "run.sqlite"
    chat.failing = OSError("The cable was pulled.")
    prompts = ["a", "a", "b", "bad", "a"]
    with pytest.raises(BatchError):
        ask(chat, prompts, checkpoint=path)
    assert chat.asked == ["a", "a", "b"]
    chat.failing = None
    assert ask(chat, prompts, checkpoint=path) == ["a 1", "a 2", "b 3", "bad 4", "a 5"]
    assert ask(chat, prompts, checkpoint=str(path)) == ["a 1", "a 2", "b 3", "bad 4", "a 5"]
    assert len(chat.asked) == 5


def test_an_interrupt_keeps_what_has_finished(tmp_path: Path) -> None:
    """Ctrl-C raises an error with the results, and the file has them too."""
    chat, path = Numbering(), tmp_path / "run.sqlite"
    chat.failing = KeyboardInterrupt()
    with pytest.raises(BatchInterrupted) as raised:
        by_batch(chat, ["a", "bad", "c"], checkpoint=path)
    assert {i: reply.text for i, reply in raised.value.results.items()} == {0: "a 1"}
    assert raised.value.remaining == [1, 2]
    chat.failing = None
    assert by_batch(chat, ["a", "bad", "c"], checkpoint=path) == ["a 1", "bad 2", "c 3"]


@every_way
def test_a_checkpoint_that_cannot_be_written_loses_no_reply(ask: Ask, tmp_path: Path) -> None:
    """The replies come through, with a warning, and the next attempt requests them again."""
    chat, path = Numbering(), tmp_path / "run.sqlite"
    ask(chat, ["a"], checkpoint=path)
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON answers BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    with pytest.warns(UserWarning, match=r"could not be kept: .*full"):
        assert ask(chat, ["a", "b"], checkpoint=path) == ["a 1", "b 2"]
    with pytest.warns(UserWarning, match="could not be kept"):
        assert ask(chat, ["a", "b"], checkpoint=path) == ["a 1", "b 3"]


def test_other_parameters_are_other_requests(tmp_path: Path) -> None:
    """Answers are found by content and parameters: another temperature asks again."""
    path = tmp_path / "run.sqlite"
    cold, warm = Numbering(), Numbering(temperature=1.0)
    by_batch(cold, ["a"], checkpoint=path)
    by_batch(warm, ["a"], checkpoint=path)
    list(cold.batch_as_completed(["a"], checkpoint=path, stop=["."]))
    assert (cold.asked, warm.asked) == (["a", "a"], ["a"])


def test_a_chain_keeps_the_replies_in_it(tmp_path: Path) -> None:
    """In a chain it is the model's replies that were paid for, so it is they that are kept."""
    chat, path = Numbering(), tmp_path / "run.sqlite"
    chain = ChatPromptTemplate.from_template("{x}") | chat | StrOutputParser()
    assert chain.batch([{"x": "a"}], checkpoint=path) == ["a 1"]
    assert (chain | len).batch([{"x": "a"}], checkpoint=path) == [3]
    assert chat.asked == ["a"]


def test_what_a_cache_answered_is_kept_as_well(tmp_path: Path) -> None:
    """A cache in memory is gone after a crash: what it had answered is not asked then."""
    path, first, second = tmp_path / "run.sqlite", Numbering(), Numbering()
    for chat in (first, second):
        chat.cache = InMemoryCache()
        assert by_batch(chat, ["a", "a"], checkpoint=path) == ["a 1", "a 1"]
    assert (first.asked, second.asked) == (["a"], [])


def test_answers_of_an_earlier_try_say_what_they_took_and_are_not_spent_again(
    tmp_path: Path,
) -> None:
    """The result counts the whole batch, whoever tracks this process only what it asked."""
    chat, path = Numbering(), tmp_path / "run.sqlite"
    chat.generate([["a"]], checkpoint=path)
    with track_usage() as tracker:
        result = chat.generate([["a"], ["b"]], checkpoint=path)
    assert result.llm_output is not None
    assert result.llm_output["token_usage"]["total_tokens"] == 6
    assert len(tracker) == 1
    assert result.calls is not None
    assert [call.prompt for call in result.calls] == ["a", "b"]


def test_what_is_no_checkpoint_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A file that is something else, or of a newer version, is an error that says what to do."""
    text, newer = tmp_path / "notes.txt", tmp_path / "newer.sqlite"
    text.write_text("My notes, which are longer than the head of a database file would be." * 9)
    with closing(sqlite3.connect(newer)) as database, database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    for path in (text, newer, tmp_path / "nowhere" / "run.sqlite"):
        with pytest.raises(ConfigurationError, match="Name another file"):
            by_batch(Numbering(), ["a"], checkpoint=path)
    assert text.read_text().startswith("My notes")


def test_another_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    """The file of a cache, or of any other program, gets no table of ours and no other mode."""
    path = tmp_path / "replies.db"
    SQLiteCache(path).store("k", "text")
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="it holds something else"):
        by_batch(Numbering(), ["a"], checkpoint=path)
    assert path.read_bytes() == before
    assert SQLiteCache(path).lookup("k") == "text"


@pytest.mark.slow
def test_killing_the_process_loses_no_answer_and_pays_for_none_twice(tmp_path: Path) -> None:
    """Killed with SIGKILL at fifty random moments, a batch comes to its end with every reply whose
    call had returned, and never asked again for one of them; equal prompts are told apart."""
    script = [sys.executable, killed_batches.__file__, str(tmp_path), "50", "7"]
    ran = subprocess.run(script, capture_output=True, text=True, timeout=300, check=True)
    batches = [json.loads(line) for line in ran.stdout.splitlines()]
    assert sum(len(runs) - 1 for runs in batches) >= 50
    for runs in batches:
        _check_batch(runs)


def _check_batch(runs: list[list[list[str]]]) -> None:
    wanted, returned = Counter(killed_batches.PROMPTS), set[str]()
    for notes in runs:
        had = Counter(_prompt(reply) for reply in returned)
        made = Counter(_prompt(reply) for what, reply in notes if what == "made")
        for prompt, times in made.items():
            assert times + had[prompt] <= wanted[prompt], "asked again for what had returned"
        returned |= {reply for what, reply in notes if what == "returned"}
    last = [reply for what, reply in runs[-1] if what == "returned"]
    assert set(last) == returned, "a reply that had returned is lost"
    assert Counter(map(_prompt, last)) == wanted


def _prompt(reply: str) -> str:
    return reply.partition(",")[0]


def test_replies_that_follow_one_another_closely_are_written_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reply after a pause is written at once, and later ones in one transaction; nothing that
    needs them on disk waits for others."""
    monkeypatch.setattr(checkpoints, "_SECONDS_BETWEEN_WRITES", 3_600)
    path = tmp_path / "run.sqlite"
    checkpoint = Checkpoint(path)
    checkpoint.append("a", "1")
    checkpoint.flush(at_once=False)
    reader = Checkpoint(path)
    assert reader.next_reply("a") == "1"
    checkpoint.append("b", "2")
    checkpoint.append("c", "3")
    assert reader.next_reply("b") is None
    checkpoint.flush()
    assert (reader.next_reply("b"), reader.next_reply("c")) == ("2", "3")
    checkpoint.append("d", "4")
    checkpoint.remove("a", "1")
    assert Checkpoint(path).next_reply("d") == "4"
    assert by_batch(Numbering(), ["x", "y", "z"], checkpoint=path) == ["x 1", "y 2", "z 3"]


def test_each_of_many_equal_replies_is_found_again(tmp_path: Path) -> None:
    """Also if more than one statement writes those that arrived at once."""
    checkpoint = Checkpoint(tmp_path / "run.sqlite")
    texts = [str(number) for number in range(1_000)]
    for text in texts:
        checkpoint.append("k", text)
    checkpoint.flush()
    later = Checkpoint(tmp_path / "run.sqlite")
    assert [later.next_reply("k") for _ in texts] == texts
    assert later.next_reply("k") is None


def test_a_file_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    """Processes that begin a checkpoint at once wait for each other, and none says `locked`."""
    path, begun = tmp_path / "run.sqlite", list[object]()
    first = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    first.execute("BEGIN IMMEDIATE")

    def begin() -> None:
        try:
            begun.append(Checkpoint(path).next_reply("k"))
        except ConfigurationError as error:
            begun.append(error)

    beginning = threading.Thread(target=begin, daemon=True)
    beginning.start()
    beginning.join(0.1)
    assert begun == []
    first.rollback()
    beginning.join(60)
    first.close()
    assert begun == [None]


def test_an_event_loop_goes_on_while_a_checkpoint_waits_for_the_disk(tmp_path: Path) -> None:
    """A batch that cannot write a reply yet keeps no other task waiting."""
    path = tmp_path / "run.sqlite"
    by_batch(Numbering(), ["a"], checkpoint=path)

    async def main() -> list[AIMessage]:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        batch = asyncio.create_task(Numbering().abatch(["b"], checkpoint=path))
        for _ in range(100):
            await asyncio.sleep(0.001)
        assert not batch.done()
        other.rollback()
        other.close()
        return await batch

    running = threading.Thread(target=lambda: replies.extend(asyncio.run(main())), daemon=True)
    replies = list[AIMessage]()
    running.start()
    running.join(60)
    assert [reply.text for reply in replies] == ["b 1"]


def test_a_removed_reply_is_asked_for_again(tmp_path: Path) -> None:
    """Of equal requests the others keep theirs, in an attempt that continues and in the next."""
    path = tmp_path / "run.sqlite"
    first = Checkpoint(path)
    for text in "abc":
        first.append("k", text)
    first.flush()
    first.remove("k", "b")
    continued = Checkpoint(path)
    assert [continued.next_reply("k") for _ in range(3)] == ["a", "c", None]
    continued.append("k", "d")
    continued.flush()
    continued.remove("k", "c")
    assert continued.next_reply("other") is None
    assert [continued.next_reply("k") for _ in range(2)] == [None, None]
    again = Checkpoint(path)
    assert [again.next_reply("k") for _ in range(3)] == ["a", "d", None]
    again.remove("k", "a")
    assert [again.next_reply("k") for _ in range(2)] == [None, None]
    assert [Checkpoint(path).next_reply("k") for _ in range(1)] == ["d"]


def test_replies_of_a_worker_go_home_with_its_results() -> None:
    """One that does not parse does not, and none is there to be read."""
    replies = CollectedReplies()
    replies.append("k", "a")
    replies.append("k", "a")
    replies.append("k", "b")
    replies.remove("k", "a")
    replies.remove("k", "c")
    replies.flush()
    assert replies.rows == [("k", "a"), ("k", "b")]
    assert replies.next_reply("k") is None


def test_the_latest_replies_can_be_forgotten() -> None:
    """By their text, all of it at once; the oldest are let go."""
    stored, forgotten = StoredReplies(), list[int]()

    def keep(text: str, number: int) -> None:
        stored.add([text], lambda: forgotten.append(number))

    keep("a", 0)
    keep("b", 1)
    keep("a", 2)
    stored.forget("none")
    stored.forget("a")
    stored.forget("a")
    assert forgotten == [0, 2]
    for number in range(10_000):
        keep(f"{number}", number)
    stored.forget("b")
    stored.forget("0")
    assert forgotten == [0, 2, 0]
    for number in range(1_001):
        keep("yes", number)
    stored.forget("yes")
    assert forgotten[3:] == [*range(1, 1_001)]


def test_the_calls_of_a_checkpoint_are_a_sequence(tmp_path: Path) -> None:
    """By index from either end, by slice with any step, and in sum."""
    path = tmp_path / "run.sqlite"
    usages: list[Any] = [
        {"input_tokens": n, "output_tokens": 1, "total_tokens": n + 1} for n in range(5)
    ]
    chat = ScriptedChatModel([*"abcde"], usage=usages)
    chat.batch([*"01234"], {"max_concurrency": 1}, checkpoint=path)
    calls = CheckpointCalls(path)
    every = [call.usage for call in calls]
    assert (len(calls), len(every)) == (5, 5)
    assert all(usage in every for usage in usages)
    keys = [slice(None), slice(1, 3), slice(-2, None), slice(3, 1), slice(None, None, -2), slice(9)]
    for part in keys:
        assert [call.usage for call in calls[part]] == every[part]
    assert (calls[0].usage, calls[4].usage, calls[-5].usage) == (every[0], every[4], every[0])
    for index in (5, -6):
        with pytest.raises(IndexError):
            calls[index]
    totals = calls.totals
    assert (totals.calls, totals.failed, totals.from_cache) == (5, 0, 0)
    assert (totals.tokens["total"], totals.cost) == (Sum(15, 0), Sum(None, 5))
    with pytest.raises(FileNotFoundError, match="There is no checkpoint"):
        CheckpointCalls(tmp_path / "none.sqlite")
