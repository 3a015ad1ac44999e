from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from chatnb.chat_models import ChatOpenAI
from chatnb.errors import BudgetSpentError, RateLimitError
from chatnb.output_parsers import StrOutputParser
from chatnb.runnables import Runnable, RunnableLambda
from chatnb.schema.messages import AIMessageChunk
from tests.support.loopback import LoopbackServer, delta, event, head, reset, saying


class Flaky:
    """A runnable that fails a number of times and then answers in two chunks."""

    def __init__(self, *failures: BaseException | None) -> None:
        self.failures = list(failures)
        self.calls = 0

    def __call__(self, text: str) -> Iterator[str]:
        self.calls += 1
        if self.failures and (failure := self.failures.pop(0)):
            raise failure
        yield text
        if self.failures and (failure := self.failures.pop(0)):
            raise failure
        yield "!"


class Waits:
    """A fake sleep that records the waits."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)

    async def asleep(self, seconds: float) -> None:
        self.seconds.append(seconds)


def retrying(flaky: Flaky, waits: Waits, **options: Any) -> Runnable[str, str]:
    return RunnableLambda(flaky).with_retry(
        sleep=waits.sleep, asleep=waits.asleep, random=lambda: 0.25, **options
    )


async def acollect(runnable: Runnable[str, str]) -> list[str]:
    return [chunk async for chunk in runnable.astream("a")]


def atransform(runnable: Runnable[str, str]) -> Any:
    async def run() -> str:
        async def one() -> AsyncIterator[str]:
            yield "a"

        return "".join([chunk async for chunk in runnable.atransform(one())])

    return asyncio.run(run())


METHODS: dict[str, Callable[[Runnable[str, str]], Any]] = {
    "invoke": lambda r: r.invoke("a"),
    "stream": lambda r: "".join(r.stream("a")),
    "transform": lambda r: "".join(r.transform(iter("a"))),
    "batch": lambda r: r.batch(["a"])[0],
    "ainvoke": lambda r: asyncio.run(r.ainvoke("a")),
    "astream": lambda r: "".join(asyncio.run(acollect(r))),
    "atransform": atransform,
    "abatch": lambda r: asyncio.run(r.abatch(["a"]))[0],
}
each_method = pytest.mark.parametrize("method", METHODS)


@each_method
def test_it_is_tried_again_until_it_works(method: str) -> None:
    """Two failures, then the answer; the waits grow and have a random part."""
    waits, flaky = Waits(), Flaky(ValueError("1"), ValueError("2"))
    assert METHODS[method](retrying(flaky, waits)) == "a!"
    assert (flaky.calls, waits.seconds) == (3, [1.25, 2.25])


@each_method
def test_the_last_failure_is_raised(method: str) -> None:
    """After the last attempt its failure is raised, without another wait."""
    waits, flaky = Waits(), Flaky(ValueError("1"), ValueError("2"), ValueError("3"))
    with pytest.raises(ValueError, match=r"(?m)2$"):
        METHODS[method](retrying(flaky, waits, stop_after_attempt=2))
    assert (flaky.calls, waits.seconds) == (2, [1.25])


@each_method
def test_only_some_failures_are_tried_again(method: str) -> None:
    """Other failures are raised at once."""
    waits, flaky = Waits(), Flaky(KeyError("1"))
    with pytest.raises(KeyError):
        METHODS[method](retrying(flaky, waits, retry_if_exception_type=(ValueError,)))
    assert (flaky.calls, waits.seconds) == (1, [])


@pytest.mark.parametrize("method", ["stream", "transform", "astream", "atransform"])
def test_a_stream_is_not_tried_again_after_its_first_chunk(method: str) -> None:
    """Yielded chunks cannot be taken back, so the failure is raised."""
    waits, flaky = Waits(), Flaky(None, ValueError("late"))
    with pytest.raises(ValueError, match="late"):
        METHODS[method](retrying(flaky, waits))
    assert (flaky.calls, waits.seconds) == (1, [])


def test_chunks_before_a_late_failure_are_handed_out() -> None:
    """The caller keeps what came before."""
    stream = retrying(Flaky(None, ValueError("late")), Waits()).stream("a")
    assert next(stream) == "a"
    with pytest.raises(ValueError, match="late"):
        next(stream)


def test_a_provider_that_says_how_long_to_wait_is_believed() -> None:
    """`retry_after` of the failure counts if it is longer, and no wait is longer than allowed."""
    waits = Waits()
    flaky = Flaky(RateLimitError("Slow down.", retry_after=30.0), ValueError(), ValueError())
    retrying(flaky, waits, stop_after_attempt=4, maximum=3.0).invoke("a")
    assert waits.seconds == [30.0, 2.25, 3.25]


def test_it_need_not_wait() -> None:
    """Without `wait_exponential_jitter` attempts follow one another."""
    waits = Waits()
    retrying(Flaky(ValueError()), waits, wait_exponential_jitter=False).invoke("a")
    assert waits.seconds == [0.0]


def test_a_batch_tries_only_what_failed_and_keeps_the_order() -> None:
    """Each input has its own attempts, and outputs have the order of the inputs."""
    calls = list[int]()

    def odd_ones_fail_once(n: int) -> int:
        calls.append(n)
        if n % 2 and calls.count(n) == 1:
            raise ValueError("once")
        return n

    waits = Waits()
    chain = RunnableLambda(odd_ones_fail_once).with_retry(sleep=waits.sleep)
    assert chain.batch([0, 1, 2, 3, 4]) == [0, 1, 2, 3, 4]
    assert sorted(calls) == [0, 1, 1, 2, 3, 3, 4]


def test_there_is_at_least_one_attempt() -> None:
    """At least one attempt is required."""
    with pytest.raises(ValueError, match="stop_after_attempt must be 1 or more, not 0"):
        RunnableLambda(len).with_retry(stop_after_attempt=0)


@each_method
def test_a_fallback_answers(method: str) -> None:
    """The next fallback runs instead."""
    chain = RunnableLambda(Flaky(ValueError("1"))).with_fallbacks(
        [RunnableLambda(Flaky(ValueError("2"))), RunnableLambda(Flaky())]
    )
    assert METHODS[method](chain) == "a!"


@each_method
def test_if_all_fail_the_first_failure_is_raised(method: str) -> None:
    """It has a note for each of the others."""
    other = RunnableLambda(Flaky(KeyError("2")), name="other")
    chain = RunnableLambda(Flaky(ValueError("1"))).with_fallbacks([other])
    with pytest.raises(ValueError, match="1") as caught:
        METHODS[method](chain)
    assert caught.value.__notes__[0] == "other failed too: KeyError: '2'"


@each_method
def test_only_some_failures_have_a_fallback(method: str) -> None:
    """Other failures are raised at once."""
    chain = RunnableLambda(Flaky(KeyError("1"))).with_fallbacks(
        [RunnableLambda(Flaky())], exceptions_to_handle=(ValueError,)
    )
    with pytest.raises(KeyError):
        METHODS[method](chain)


@pytest.mark.parametrize("method", ["stream", "transform", "astream", "atransform"])
def test_a_stream_has_no_fallback_after_its_first_chunk(method: str) -> None:
    """Two halves of two answers are no answer."""
    chain = RunnableLambda(Flaky(None, ValueError("late"))).with_fallbacks(
        [RunnableLambda(Flaky())]
    )
    with pytest.raises(ValueError, match="late"):
        METHODS[method](chain)


def test_a_fallback_may_be_told_of_the_failure() -> None:
    """The exception is in its input, which is unchanged for others."""
    given = {"a": 1}
    chain = RunnableLambda(lambda d: d["b"]).with_fallbacks(
        [RunnableLambda(lambda d: repr(d["error"]))], exception_key="error"
    )
    assert chain.invoke(given) == "KeyError('b')"
    assert given == {"a": 1}
    with pytest.raises(TypeError, match="exception_key takes a dict as input, not str"):
        chain.invoke("text")


@pytest.mark.parametrize(("fallbacks", "error"), [([], ValueError), ([3], TypeError)])
def test_fallbacks_are_runnables(fallbacks: Any, error: type[Exception]) -> None:
    """An empty list, or something that cannot run, raises."""
    with pytest.raises(error):
        RunnableLambda(len).with_fallbacks(fallbacks)


def starting(*chunks: Any) -> Callable[[str], Iterator[Any]]:
    """A runnable that yields chunks and fails at the first call, and answers at the next."""
    calls = list[str]()

    def stream(text: str) -> Iterator[Any]:
        calls.append(text)
        yield from chunks
        if len(calls) == 1:
            raise ValueError("broken off")

    return stream


SILENT = [AIMessageChunk(""), AIMessageChunk("", response_metadata={"model": "m"})]


@pytest.mark.parametrize("method", ["stream", "transform", "astream", "atransform"])
@pytest.mark.parametrize("silence", ["", *SILENT], ids=["text", "message", "metadata"])
def test_a_stream_that_said_nothing_is_tried_again(method: str, silence: Any) -> None:
    """Chunks without content are held back, and failures among them are not seen."""
    retried = RunnableLambda(starting(silence, silence)).with_retry(wait_exponential_jitter=False)
    other = RunnableLambda(starting(silence)).with_fallbacks([RunnableLambda(Flaky())])
    text = RunnableLambda(lambda chunk: getattr(chunk, "content", chunk))
    assert METHODS[method](retried | text) == ""
    assert METHODS[method](other | text) == "a!"


@pytest.mark.parametrize("method", ["stream", "astream"])
def test_a_tool_call_says_something(method: str) -> None:
    """A message chunk without text has content if it has part of a tool call."""
    call = {"name": "t", "args": "", "id": "1", "index": 0}
    chunk = AIMessageChunk("", tool_call_chunks=[call])
    chain = RunnableLambda(starting(chunk)).with_retry(wait_exponential_jitter=False)
    with pytest.raises(ValueError, match="broken off"):
        METHODS[method](chain)


def test_a_reply_that_breaks_off_before_its_first_word(loopback: LoopbackServer) -> None:
    """The empty chunk with which OpenAI opens a reply has no content."""
    model = ChatOpenAI("m", api_key="sk-12345678", base_url=loopback.base_url, max_retries=0)
    answer = saying(head(), delta(""), delta("hi"), delta(None, "stop"), event("[DONE]"))
    for chain in (
        model.with_retry(wait_exponential_jitter=False),
        model.with_fallbacks([model]),
    ):
        loopback.plays(reset(head(), delta("")), answer)
        assert "".join((chain | StrOutputParser()).stream("x")) == "hi"


def test_a_spent_budget_is_not_tried_again() -> None:
    """Errors that waiting cannot fix are raised at once."""
    attempts = list[int]()

    def spent(_: str) -> str:
        attempts.append(1)
        raise BudgetSpentError("The budget is spent.")

    with pytest.raises(BudgetSpentError):
        RunnableLambda(spent).with_retry(stop_after_attempt=3).invoke("Hi")
    assert len(attempts) == 1
