from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from selectors import DefaultSelector
from typing import Any

import pytest

from chatnb.chat_models import ChatAnthropic, ChatOpenAI
from chatnb.errors import QuotaSpentError, RateLimitError
from chatnb.runnables import RunnableLambda
from chatnb.runnables.batches.backoff import (
    MAX_RETRY_AFTER,
    Pace,
    current_pace,
    is_limit_of_rate,
    is_wait_too_long,
    seconds_to_retry,
    slow_down,
)
from tests.support.loopback import Exchange, LoopbackServer, Script, refusal, whole

Batch = Callable[..., list[Any]]


def sync_batch(runnable: Any, *args: Any, **kwargs: Any) -> list[Any]:
    return runnable.batch(*args, **kwargs)


def async_batch(runnable: Any, *args: Any, **kwargs: Any) -> list[Any]:
    return asyncio.run(runnable.abatch(*args, **kwargs))


both = pytest.mark.parametrize("batch", [sync_batch, async_batch])


def limited(loopback: LoopbackServer, at_once: int, *, retry_after: str) -> None:
    """Answer a few requests of each window, and the rest with 429."""
    answered = {"in_window": 0}
    refuse = refusal("429 Too Many Requests", "Slow down.", retry_after_ms=retry_after)
    window = float(retry_after) / 1000

    async def script(exchange: Exchange) -> AsyncIterator[bytes]:
        play: Script = refuse
        if answered["in_window"] < at_once:
            answered["in_window"] += 1
            play = whole("ok")
            loop = asyncio.get_running_loop()
            loop.call_later(window, lambda: answered.update(in_window=answered["in_window"] - 1))
        async for piece in play(exchange):
            yield piece

    loopback.plays(script)


@pytest.mark.slow
@both
def test_a_limit_of_rate_slows_a_batch_down_instead_of_failing_it(
    batch: Batch, loopback: LoopbackServer
) -> None:
    """All of 60 prompts are answered by a server that takes ten in 0.2 seconds."""
    limited(loopback, 10, retry_after="200")
    chat = ChatOpenAI(base_url=loopback.base_url, api_key="k", max_retries=0)
    replies = batch(chat, [f"{n}" for n in range(60)], progress=False)
    assert [reply.text for reply in replies] == ["ok"] * 60
    refused = len(loopback.exchanges) - 60
    assert refused < 120, "the calls that follow a refusal are spaced out"


def test_a_refusal_holds_the_calls_that_have_not_started(loopback: LoopbackServer) -> None:
    """During the provider's pause no call of the batch starts, though the SDK itself repeats the
    call that was rate limited."""
    started = list[float]()

    async def script(exchange: Exchange) -> AsyncIterator[bytes]:
        started.append(asyncio.get_running_loop().time())
        first = len(started) == 1
        busy = refusal("429 Too Many Requests", "Slow down.", retry_after_ms="600")
        async for piece in (busy if first else whole("ok"))(exchange):
            yield piece
        if first:
            started[0] = asyncio.get_running_loop().time()

    loopback.plays(script)
    chat = ChatOpenAI(base_url=loopback.base_url, api_key="k", max_retries=2)
    ones = RunnableLambda(lambda prompt: chat.invoke(prompt))
    replies = ones.batch(["a", "b", "c", "d"], {"max_concurrency": 1}, progress=False)
    assert [reply.text for reply in replies] == ["ok"] * 4
    assert min(started[1:]) - started[0] >= 0.5


def test_anthropic_s_refusals_hold_a_batch_too(loopback: LoopbackServer) -> None:
    """The same for the other SDK."""
    reply = (
        b'{"type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"ok"}],'
        b'"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}'
    )

    async def answer(_: Exchange) -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"
        yield reply

    loopback.plays(refusal("429 Too Many Requests", "Slow.", retry_after_ms="50"), answer)
    base = loopback.base_url.removesuffix("/v1")
    chat = ChatAnthropic("m", base_url=base, api_key="k", max_retries=0)
    assert [r.text for r in chat.batch(["a", "b"], progress=False)] == ["ok", "ok"]


@both
def test_without_quota_a_batch_fails_at_once(batch: Batch, loopback: LoopbackServer) -> None:
    """Waiting brings no quota, so nothing waits; at most one request a prompt is made."""
    loopback.plays(refusal("429 Too Many Requests", "No quota.", "insufficient_quota"))
    chat = ChatOpenAI(base_url=loopback.base_url, api_key="k", max_retries=0)
    with pytest.raises(QuotaSpentError, match="no quota is left"):
        batch(chat, ["a", "b"], progress=False)
    assert len(loopback.exchanges) <= 2


def test_a_single_call_is_refused_as_before(loopback: LoopbackServer) -> None:
    """Outside of a batch a rate limit is an error with `retry_after`."""
    loopback.plays(refusal("429 Too Many Requests", "Slow down.", retry_after="7"))
    chat = ChatOpenAI(base_url=loopback.base_url, api_key="k", max_retries=0)
    with pytest.raises(RateLimitError) as raised:
        chat.invoke("Hi")
    assert raised.value.retry_after == 7.0
    assert not isinstance(raised.value, QuotaSpentError)


def test_refusals_without_end_fail_the_batch() -> None:
    """A pace on which not one call is answered is given up after eight pauses."""
    now = [64.0]
    pace = Pace(clock=lambda: now[0])
    refused = RateLimitError("Slow down.", retry_after=1.0)
    pauses = 0
    while pace.should_retry(refused):
        pauses += 1
        now[0] += pace.reserve_start()
    assert pauses == 8


def test_answers_bring_the_pace_back() -> None:
    """After a rate limit calls start one by one, and closer together with each answer."""
    now = [64.0]
    pace = Pace(clock=lambda: now[0])
    pace.hold(1.0)
    assert [pace.reserve_start(), pace.reserve_start()] == pytest.approx([1.0, 1.01])
    for _ in range(50):
        pace.record_success()
    now[0] = 69.0
    assert [pace.reserve_start(), pace.reserve_start()] == [0.0, 0.0]


class InstantSelector(DefaultSelector):
    """Lets an event loop wait in no time, on a clock of its own."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        self.now += timeout or 0.0
        return super().select(0)


def test_another_refusal_keeps_calls_spaced_out() -> None:
    """Calls that wait when the rate is limited again start one after another, not all at once."""
    clock = InstantSelector()
    pace = Pace(clock=lambda: clock.now)

    async def start() -> float:
        await pace.await_start()
        return clock.now

    async def run() -> list[float]:
        pace.hold(1.0)
        waiting = [asyncio.create_task(start()) for _ in range(3)]
        await asyncio.sleep(0.5)
        pace.hold(1.0)
        return await asyncio.gather(*waiting)

    loop = asyncio.SelectorEventLoop(clock)
    loop.time = lambda: clock.now  # type: ignore[method-assign]
    with closing(loop):
        assert loop.run_until_complete(run()) == pytest.approx([1.5, 1.51, 1.52])


def refused(retry_after: Any = None) -> RateLimitError:
    return RateLimitError("Slow down.", retry_after=retry_after)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (None, None),
        (True, None),
        ("3", None),
        (float("nan"), None),
        (-1, 0.0),
        (0, 0.0),
        (2, 2.0),
        (2.5, 2.5),
        (2**53, 2.0**53),
        (2**53 + 2, float("inf")),
        (10**400, float("inf")),
    ],
)
def test_the_seconds_to_wait_are_a_number(given: Any, seconds: float | None) -> None:
    """Anything else says none; less than nothing is nothing."""
    assert seconds_to_retry(refused(given)) == seconds
    assert seconds_to_retry(ValueError()) is None


def test_a_wait_longer_than_the_limit_is_told_once() -> None:
    """The limit itself is waited; quotas and other errors are not limits of rate."""
    long = refused(MAX_RETRY_AFTER + 1)
    for _ in range(2):
        assert is_wait_too_long(long)
    assert long.__notes__ == ["Not tried again: 601 s is longer than the 600 s that is waited."]
    assert not is_limit_of_rate(long)
    for short in (refused(), refused(MAX_RETRY_AFTER)):
        assert not is_wait_too_long(short)
        assert is_limit_of_rate(short)
        assert not hasattr(short, "__notes__")
    assert not is_limit_of_rate(QuotaSpentError("Spent."))
    assert not is_limit_of_rate(ValueError())
    assert not is_limit_of_rate(None)


class PaceOfTest:
    """A pace on a clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 64.0
        self.pace = Pace(clock=lambda: self.now)


def test_a_pace_without_refusals_lets_calls_start_at_once() -> None:
    """Other endings of a call change nothing."""
    made = PaceOfTest()
    assert (made.pace.is_limited, made.pace.interval, made.pace.seconds_held) == (False, 0.0, 0.0)
    assert made.pace.reserve_start() == 0.0
    for error in (None, ValueError(), QuotaSpentError("Spent."), refused(MAX_RETRY_AFTER + 1)):
        assert not made.pace.should_retry(error)
    assert not made.pace.is_limited


def test_pauses_grow_until_a_call_is_answered() -> None:
    """They double up to a minute, and the distance of calls to five seconds."""
    made = PaceOfTest()
    pauses, intervals = list[float](), list[float]()
    for _ in range(12):
        made.pace.hold(None)
        pauses.append(made.pace.seconds_held)
        intervals.append(made.pace.interval)
        made.now += made.pace.seconds_held
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60]
    assert intervals == pytest.approx([*(0.01 * 2**n for n in range(9)), 5, 5, 5])
    made.pace.record_success()
    assert made.pace.interval == pytest.approx(4.5)
    made.pace.hold(None)
    assert made.pace.seconds_held == 1
    assert made.pace.interval == 5


def test_calls_that_fail_together_count_once() -> None:
    """A longer wait counts, a shorter one does not shorten it; the end of a pause begins anew."""
    made = PaceOfTest()
    made.pace.hold(2.0)
    made.pace.hold(1.0)
    made.pace.hold(None)
    assert (made.pace.seconds_held, made.pace.interval) == (2.0, 0.01)
    made.pace.hold(3.0)
    assert (made.pace.seconds_held, made.pace.interval) == (3.0, 0.01)
    made.now += 3.0
    assert made.pace.seconds_held == 0.0
    made.pace.hold(1.0)
    assert (made.pace.seconds_held, made.pace.interval) == (1.0, 0.02)
    made.now += 5.0
    assert made.pace.seconds_held == 0.0
    assert made.pace.reserve_start() == 0.0
    assert made.pace.reserve_start() == pytest.approx(0.02)


def test_answers_end_the_distance_of_calls() -> None:
    """It gets smaller by a tenth each, and is nothing below a millisecond."""
    made = PaceOfTest()
    made.pace.hold(0.0)
    intervals = [made.pace.interval]
    while made.pace.interval:
        made.pace.record_success()
        intervals.append(made.pace.interval)
    assert intervals[:2] == pytest.approx([0.01, 0.009])
    assert 0.001 < intervals[-2] < 0.00112


def test_a_call_slows_down_the_batch_that_it_is_in() -> None:
    """For as long as it says, up to the limit."""
    made = PaceOfTest()
    slow_down(1.0)
    token = current_pace.set(made.pace)
    try:
        slow_down(MAX_RETRY_AFTER + 1)
        assert not made.pace.is_limited
        slow_down(MAX_RETRY_AFTER)
        assert made.pace.seconds_held == MAX_RETRY_AFTER
    finally:
        current_pace.reset(token)
