from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from chatnb import budget, track_usage
from chatnb.cassettes.cassette import Cassette
from chatnb.chat_models import BaseChatModel, ScriptedChatModel
from chatnb.chat_models.cache import InMemoryCache
from chatnb.chat_models.call_tracking import TrackedCall
from chatnb.chat_models.rate_limiter import RateLimiter
from chatnb.errors import BatchError, BudgetSpentError, ServerError
from chatnb.runnables import RunnableLambda, RunnableParallel
from chatnb.schema import AIMessage, AIMessageChunk, BaseMessage
from chatnb.schema.usage import UsageMetadata

TEN = UsageMetadata(input_tokens=8, output_tokens=2, total_tokens=10)


class Charged(BaseChatModel):
    """Takes ten tokens a call, or says nothing of them."""

    provider = "openai"

    def __init__(self, model: str = "gpt-4o-mini", usage: UsageMetadata | None = TEN) -> None:
        self.model_name = model
        self.usage = usage

    def _generate(self, messages: list[BaseMessage], **_: Any) -> AIMessage:
        if messages[-1].text == "fail":
            raise OSError("no")
        said = {"finish_reason": "stop", "model_name": self.model_name}
        return AIMessage("ok", usage_metadata=self.usage, response_metadata=said)


class Streaming(Charged):
    """The same chunk by chunk, the tokens with the last one."""

    def _stream(self, messages: list[BaseMessage], **_: Any) -> Any:
        yield AIMessageChunk("o")
        yield AIMessageChunk("k")
        yield AIMessageChunk("", usage_metadata=TEN, response_metadata={"finish_reason": "stop"})


def test_every_method_is_counted() -> None:
    """A call is counted once, by any method of a model."""
    chat = Streaming()

    async def calls() -> None:
        await chat.ainvoke("Hi")
        async for _ in chat.astream("Hi"):
            pass
        await chat.abatch(["Hi"])
        await chat.agenerate([["Hi"]])

    with track_usage() as tracker:
        chat.invoke("Hi")
        chat("Hi")
        list(chat.stream("Hi"))
        chat.batch(["Hi"])
        chat.generate([["Hi"]])
        asyncio.run(calls())
    assert len(tracker) == 9
    assert tracker.usage == {"input_tokens": 72, "output_tokens": 18, "total_tokens": 90}
    assert {call.finish_reason for call in tracker.calls} == {"stop"}
    assert all(call.seconds is not None for call in tracker.calls)
    assert sum(call.first_seconds is not None for call in tracker.calls) == 2
    assert tracker.cost == pytest.approx(9 * (8 * 0.15 + 2 * 0.6) / 1_000_000)


def test_nothing_is_counted_outside_the_block() -> None:
    """Before and after the block nobody counts."""
    chat = Charged()
    chat.invoke("Hi")
    with track_usage() as tracker:
        pass
    chat.invoke("Hi")
    assert len(tracker) == 0


def test_calls_on_threads_and_in_tasks_are_counted() -> None:
    """A pool's threads, which know nothing of the caller, count too, and so do tasks."""
    chat = Charged()

    async def side_by_side() -> None:
        await asyncio.gather(*(chat.ainvoke("Hi") for _ in range(5)))

    with track_usage() as tracker:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(chat.invoke, ["Hi"] * 20))
        asyncio.run(side_by_side())
    assert len(tracker) == 25


def test_blocks_of_other_tasks_and_threads_are_apart() -> None:
    """Two tasks that track at the same time each count their own calls, as do two threads."""
    chat = Charged()

    async def tracked(times: int, both: asyncio.Barrier) -> int:
        with track_usage() as tracker:
            await both.wait()
            for _ in range(times):
                await chat.ainvoke("Hi")
            await both.wait()
        return len(tracker)

    async def together() -> list[int]:
        both = asyncio.Barrier(2)
        return await asyncio.gather(tracked(1, both), tracked(3, both))

    assert asyncio.run(together()) == [1, 3]
    counted = dict[int, int]()
    meeting = threading.Barrier(2)

    def in_thread(times: int) -> None:
        with track_usage() as tracker:
            meeting.wait(60)
            chat.batch(["Hi"] * times)
            meeting.wait(60)
        counted[times] = len(tracker)

    threads = [threading.Thread(target=in_thread, args=[times]) for times in (2, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted == {2: 2, 4: 4}


def test_nested_blocks_both_count() -> None:
    """The outer block also tracks the calls of the inner one."""
    chat = Charged()
    with track_usage() as outer:
        chat.invoke("Hi")
        with track_usage() as inner:
            chat.invoke("Hi")
    assert (len(outer), len(inner)) == (2, 1)


def test_blocks_may_end_in_the_order_of_their_beginning() -> None:
    """Two generators with a block each, of which the first ends first: then nobody counts."""
    chat = Charged()
    outer, inner = budget(tokens=0), track_usage()
    outer.__enter__()
    tracker = inner.__enter__()
    outer.__exit__(None, None, None)
    chat.invoke("Hi")
    inner.__exit__(None, None, None)
    chat.invoke("Hi")
    assert len(tracker) == 1


def test_unknown_usage_is_unknown_and_a_cached_reply_took_nothing() -> None:
    """A provider that does not count is no zero; a reply of the cache is told apart from it."""
    chat = Charged(usage=None)
    cached = Charged()
    cached.cache = InMemoryCache()
    cached.invoke("Hi")
    with track_usage() as tracker:
        chat.invoke("Hi")
        cached.invoke("Hi")
    assert (tracker.usage, tracker.cost, tracker.unknown) == (None, None, 1)
    assert [call.cached for call in tracker.calls] == [False, True]
    assert repr(tracker) == "<UsageTracker: 2 calls, 1 of unknown usage>"


def test_failed_and_stopped_calls_are_counted_with_why() -> None:
    """A call that failed has its error, a stream that was closed says that it was stopped."""
    with track_usage() as tracker:
        with pytest.raises(OSError, match="no"):
            Charged().invoke("fail")
        chunks = Streaming().stream("Hi")
        next(chunks)
        chunks.close()  # type: ignore[attr-defined]
    assert [(call.error, call.finish_reason) for call in tracker.calls] == [
        ("OSError", None),
        (None, "stopped"),
    ]


def test_a_budget_of_tokens_stops_new_calls() -> None:
    """The call that would be one too many is not made, and the error says what it was spent on."""
    chat = Charged()
    with budget(tokens=20) as allowed:
        chat.invoke("Hi")
        list(chat.stream("Hi"))
        with pytest.raises(BudgetSpentError) as raised:
            chat.invoke("Hi")
    assert str(raised.value) == "The budget is spent: 20 of 20 tokens, by 2 x gpt-4o-mini"
    assert allowed.spent_tokens == 20
    chat.invoke("Hi")


def test_a_budget_of_dollars_goes_by_the_price_list() -> None:
    """Money is counted call by call."""
    chat = Charged(
        usage=UsageMetadata(input_tokens=1_000_000, output_tokens=0, total_tokens=1_000_000)
    )
    with budget(usd=0.20) as allowed:
        chat.batch(["Hi", "Hey"], {"max_concurrency": 1})
        with pytest.raises(BudgetSpentError, match=r"\$0\.3000 of \$0\.2000, by 2 x gpt-4o-mini"):
            chat.invoke("Hi")
    assert allowed.spent_usd == pytest.approx(0.3)


def test_a_batch_that_runs_out_of_budget_keeps_what_came() -> None:
    """The error has the outputs that were paid for, and the remaining inputs."""
    with budget(tokens=25), pytest.raises(BudgetSpentError) as raised:
        Charged().batch(["a", "b", "c", "d", "e"], {"max_concurrency": 1})
    error = raised.value
    assert isinstance(error, BatchError)
    assert (sorted(error.results), sorted(error.failures), error.remaining) == ([0, 1, 2], [3], [4])


def test_replies_of_the_cache_are_free() -> None:
    """A spent budget still lets through what costs nothing."""
    chat = Charged()
    chat.cache = InMemoryCache()
    chat.invoke("Hi")
    with budget(tokens=0):
        assert chat.invoke("Hi").text == "ok"


def test_a_budget_of_nothing_says_no_more_than_that() -> None:
    """The error names no model if no call was made."""
    with budget(tokens=0), pytest.raises(BudgetSpentError, match=r"spent: 0 of 0 tokens\n"):
        Charged().invoke("Hi")


def test_a_model_without_a_price_is_said_once() -> None:
    """A budget in dollars cannot hold what has no price: it warns; what is free needs none."""
    with budget(usd=1.0):
        ScriptedChatModel(["Hi"]).invoke("Hi")
        with pytest.warns(UserWarning, match="The price of no-such-model is not known") as warned:
            Charged("no-such-model").batch(["a", "b"])
    assert len(warned) == 1


@pytest.mark.parametrize("limits", [{}, {"usd": -1.0}, {"tokens": -5}, {"usd": float("nan")}])
def test_a_budget_needs_a_limit(limits: dict[str, Any]) -> None:
    """No limit, or one below zero, is an error that shows how it is written."""
    with pytest.raises(ValueError, match=r"budget\(usd=0.50\)"), budget(**limits):
        pass


class EndsInReverse(BaseChatModel):
    """A model whose calls end in the reverse order of their inputs."""

    model_name = "reverse"

    def __init__(self, inputs: list[str]) -> None:
        self._order = inputs
        self._ended = {text: threading.Event() for text in inputs}

    def _generate(self, messages: list[BaseMessage], **params: Any) -> AIMessage:
        text = messages[-1].text
        later = self._order[self._order.index(text) + 1 :]
        if later:
            assert self._ended[later[0]].wait(60)
        self._ended[text].set()
        if text == "c":
            raise ServerError("Down.")
        return AIMessage(text)


BATCHES: dict[str, Callable[[BaseChatModel, list[str]], object]] = {
    "batch": lambda chat, texts: chat.batch(texts, return_exceptions=True),
    "abatch": lambda chat, texts: asyncio.run(chat.abatch(texts, return_exceptions=True)),
    "as_completed": lambda chat, texts: list(
        chat.batch_as_completed(texts, return_exceptions=True)
    ),
    "generate": lambda chat, texts: chat.generate([[t] for t in texts], return_exceptions=True),
    "agenerate": lambda chat, texts: asyncio.run(
        chat.agenerate([[text] for text in texts], return_exceptions=True)
    ),
    "chain": lambda chat, texts: (RunnableLambda(str) | chat).batch(texts, return_exceptions=True),
    "parallel": lambda chat, texts: RunnableParallel(
        {text: RunnableLambda(lambda _, text=text: text) | chat for text in texts}
    ).invoke(""),
}


@pytest.mark.parametrize("method", BATCHES)
def test_calls_of_a_batch_are_in_the_order_of_its_inputs(method: str) -> None:
    """Row by row, calls belong to their inputs, in any order of ends and if one fails."""
    texts = list("abd") if method == "parallel" else list("abcd")
    with track_usage() as tracker:
        BATCHES[method](EndsInReverse(texts), texts)
        ScriptedChatModel(["z"]).invoke("last")
    assert [call.prompt for call in tracker.calls] == [*texts, "last"]


def test_batches_within_a_batch_keep_their_order() -> None:
    """The calls of an input stand together, where that input stands."""
    chat = ScriptedChatModel(["Hi"])
    inner = RunnableLambda(lambda text: chat.batch([f"{text}{n}" for n in range(3)]))
    with track_usage() as tracker:
        inner.batch(["a", "b", "c"])
    assert [call.prompt for call in tracker.calls] == [f"{t}{n}" for t in "abc" for n in range(3)]


def test_the_latency_is_the_call_s_own() -> None:
    """An input that waits for another one, or for a rate limiter, has that time beside it."""
    with track_usage() as tracker:
        ScriptedChatModel(["Hi"]).batch(["a", "b"], {"max_concurrency": 1})
        ScriptedChatModel(["Hi"]).invoke("c")
    first, second, alone = tracker.calls
    assert second.queue_seconds > first.seconds > 0  # type: ignore[operator]
    assert alone.queue_seconds is None

    now = [50.0]
    with TrackedCall(ScriptedChatModel(["Hi"]), [], (tracker,), clock=lambda: now[0]) as call:
        call.admit()
        now[0] += 7.0
        call.restart()
        now[0] += 1.0
    assert (tracker.calls[-1].queue_seconds, tracker.calls[-1].seconds) == (7.0, 1.0)


def test_only_inputs_that_wait_for_others_are_in_the_queue() -> None:
    """Those that a batch starts at once wait for none, however busy the machine is."""
    chat = ScriptedChatModel(["Hi"])
    with track_usage() as tracker:
        chat.batch(["a", "b", "c"], {"max_concurrency": 2})
        list(chat.map(iter("abc"), {"max_concurrency": 2}))
        asyncio.run(chat.abatch(["a", "b", "c"], {"max_concurrency": 2}))
    assert [bool(call.queue_seconds) for call in tracker.calls] == [False, False, True] * 3


def test_a_wait_for_the_rate_limiter_is_in_the_queue() -> None:
    """By every method the limiter is waited for before the call itself begins."""
    chat = ScriptedChatModel(["Hi"], rate_limiter=RateLimiter(1000))
    with track_usage() as tracker:
        chat.invoke("a")
        list(chat.stream("b"))
        asyncio.run(chat.ainvoke("c"))
    assert all(call.queue_seconds is not None for call in tracker.calls)


def test_a_replayed_call_has_no_time_in_the_queue(tmp_path: Path) -> None:
    """As that of the recording is not known, and that of the replay is another one each time."""
    chat = ScriptedChatModel(["Hi"])
    for mode in ("record", "replay"):
        with Cassette(tmp_path / "calls.yaml", mode), track_usage() as tracker:
            chat.batch(["a", "b", "c"], {"max_concurrency": 1})
        known = [call.queue_seconds is not None for call in tracker.calls]
        assert known == [mode == "record"] * 3


def test_a_replayed_call_has_the_times_of_the_recording(tmp_path: Path) -> None:
    """Whole or streamed, blocking or not, and to the first token."""
    ticks = count()

    async def calls(chat: ScriptedChatModel) -> None:
        await chat.ainvoke("third")
        async for _ in chat.astream("fourth"):
            pass

    def run() -> list[tuple[float | None, float | None]]:
        chat = ScriptedChatModel(["One two three."])
        with track_usage() as tracker:
            chat.invoke("first")
            list(chat.stream("second"))
            asyncio.run(calls(chat))
        return [(call.first_seconds, call.seconds) for call in tracker.calls]

    with Cassette(tmp_path / "calls.yaml", "record", clock=lambda: 2.0 * next(ticks)):
        run()
    with Cassette(tmp_path / "calls.yaml", "replay"):
        found = run()
    assert found == [(None, 2.0), (2.0, 6.0), (None, 2.0), (2.0, 6.0)]
