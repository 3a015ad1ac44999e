"""Chains that are stopped while their source keeps them waiting."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import Any, cast

import pytest

from chatnb.chat_models import ChatOpenAI, ScriptedChatModel
from chatnb.concurrency.cancellation import Abandoned
from chatnb.concurrency.threads import ClosableIterator
from chatnb.output_parsers import StrOutputParser
from chatnb.runnables import Runnable, RunnableLambda, RunnableParallel, RunnablePassthrough
from tests.support.hangs import ends, wait_until
from tests.support.loopback import Exchange, LoopbackServer, Script, delta, head


class Stalling(Runnable[str, str]):
    """A source that yields once and waits; it records that it is waited for, and closed."""

    def __init__(self) -> None:
        self.waits, self.go_on, self.closed = (threading.Event() for _ in range(3))

    def stream(self, input: str, config: Any = None, **kwargs: Any) -> Iterator[str]:
        try:
            yield "said"
            self.waits.set()
            self.go_on.wait(60)
            yield "too late"
        finally:
            self.closed.set()


def upper(chunks: Iterator[str]) -> Iterator[str]:
    for chunk in chunks:
        yield chunk.upper()


async def aupper(chunks: AsyncIterator[str]) -> AsyncIterator[str]:
    async for chunk in chunks:
        yield chunk.upper()


CROSSING: dict[str, Any] = {
    "split": {"a": upper, "b": RunnablePassthrough()},
    "asynchronous": aupper,
    "asynchronous branches": {"a": aupper, "b": aupper},
    "nested": {"a": RunnablePassthrough() | {"b": upper, "c": aupper}, "d": upper},
}
each_way = pytest.mark.parametrize("way", CROSSING)


def in_thread(work: Callable[[], Any]) -> None:
    threading.Thread(target=work, daemon=True).start()


@each_way
def test_a_stalled_chain_is_interrupted(way: str) -> None:
    """Ctrl-C raises KeyboardInterrupt at once; the stalled source is closed after its step."""
    source = Stalling()

    def interrupt() -> None:
        source.waits.wait(60)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    in_thread(interrupt)
    with pytest.raises(KeyboardInterrupt):
        list((source | StrOutputParser() | CROSSING[way]).stream(""))
    assert not source.closed.is_set()
    source.go_on.set()
    assert source.closed.wait(60)


def test_a_stalled_chain_is_closed() -> None:
    """Closing returns at once, without an error; the source is closed when its step returns."""
    source = Stalling()
    chunks = (source | RunnablePassthrough() | CROSSING["split"]).stream("")
    first, second = next(chunks), next(chunks)
    assert {**first, **second} == {"a": "SAID", "b": "said"}
    assert source.waits.wait(60)
    cast("Generator[Any]", chunks).close()
    assert not source.closed.is_set()
    source.go_on.set()
    assert source.closed.wait(60)


def test_a_stalled_branch_lets_the_others_be_closed() -> None:
    """A branch that stalls holds up neither the caller nor the other branches."""
    stalled, other = Stalling(), Stalling()
    chunks = RunnableParallel[str](a=stalled, b=other).stream("")
    next(chunks), next(chunks)
    assert stalled.waits.wait(60) or other.waits.wait(60)
    cast("Generator[Any]", chunks).close()
    for source in (stalled, other):
        source.go_on.set()
        assert source.closed.wait(60)


def test_a_running_iterator_is_closed_by_the_thread_that_runs_it() -> None:
    """That thread gets `Abandoned`, and not the end of its input."""
    source, seen = Stalling(), list[Any]()
    items = ClosableIterator(source.stream(""))
    assert next(items) == "said"

    def read() -> None:
        try:
            seen.append(next(items))
        except BaseException as error:
            seen.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    assert source.waits.wait(60)
    items.close()
    source.go_on.set()
    reader.join(60)
    assert [type(each) for each in seen] == [Abandoned]
    assert source.closed.is_set()
    with pytest.raises(Abandoned):
        next(items)


def test_leaving_a_batch_starts_no_more() -> None:
    """A reader that stops gets no error and waits for nothing."""
    let_go, started = threading.Event(), list[int]()

    def work(n: int) -> int:
        started.append(n)
        return n if n == 0 or let_go.wait(60) else -1

    pairs = RunnableLambda(work).batch_as_completed([0, 1, 2, 3, 4], {"max_concurrency": 2})
    assert next(pairs) == (0, 0)
    cast("Generator[Any]", pairs).close()
    assert not let_go.is_set()
    let_go.set()
    assert set(started) <= {0, 1, 2}


def test_a_failing_branch_does_not_wait_for_a_slow_one() -> None:
    """Its error is raised while the other still works, as in the asynchronous methods."""
    let_go = threading.Event()
    slow = RunnableLambda[str, bool](lambda _: let_go.wait(60))

    def fail(_: str) -> None:
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        RunnableParallel[str](a=slow, b=fail).invoke("")
    assert not let_go.is_set()
    let_go.set()


def stalls(said: threading.Event) -> Script:
    """Two words, and then nothing until the other side hangs up."""

    async def script(_: Exchange) -> AsyncIterator[bytes]:
        for piece in (head(), delta("a"), delta("b")):
            yield piece
        said.set()
        while True:
            await asyncio.sleep(0.01)
            yield b""

    return script


def chain_on(server: LoopbackServer, step: Any) -> Runnable[Any, Any]:
    model = ChatOpenAI("m", api_key="sk-12345678", base_url=server.base_url, max_retries=0)
    return model | StrOutputParser() | step


each_step = pytest.mark.parametrize("step", [upper, {"a": upper, "b": upper}], ids=["one", "split"])


@each_step
def test_a_stalled_asynchronous_chain_times_out(loopback: LoopbackServer, step: Any) -> None:
    """With blocking steps too a timeout is TimeoutError, and the connection is closed."""
    said = threading.Event()
    loopback.plays(stalls(said))

    async def expire(limit: asyncio.Timeout) -> None:
        await asyncio.to_thread(said.wait, 60)
        limit.reschedule(0)

    async def run() -> None:
        async with asyncio.timeout(None) as limit:
            expiry = asyncio.create_task(expire(limit))
            async for _ in chain_on(loopback, step).astream("x"):
                assert not limit.expired(), expiry

    with pytest.raises(TimeoutError):
        asyncio.run(run())
    assert loopback.exchanges[0].closed.wait(60)


@each_step
def test_a_stalled_asynchronous_chain_is_cancelled(loopback: LoopbackServer, step: Any) -> None:
    """The task counts as cancelled, and the connection is closed while the loop goes on."""
    said = threading.Event()
    loopback.plays(stalls(said))

    async def read() -> None:
        async for _ in chain_on(loopback, step).astream("x"):
            pass

    async def run() -> bool:
        task = asyncio.create_task(read())
        await asyncio.to_thread(said.wait, 60)
        task.cancel()
        await asyncio.wait([task])
        assert await asyncio.to_thread(loopback.exchanges[0].closed.wait, 60)
        return task.cancelled()

    assert asyncio.run(run())


class StallingOnLoop(Runnable[str, str]):
    """Like `Stalling`, for the asynchronous methods; it waits for ever."""

    def __init__(self) -> None:
        self.waits, self.closed = threading.Event(), threading.Event()

    async def astream(
        self, input: str, config: Any = None, **kwargs: Any
    ) -> AsyncGenerator[str, None]:
        try:
            yield "said"
            self.waits.set()
            await asyncio.Event().wait()
        finally:
            self.closed.set()


def test_the_error_of_a_blocking_branch_is_not_masked() -> None:
    """It comes through although another branch is in the middle of a step."""
    source = StallingOnLoop()

    def failing(chunks: Iterator[str]) -> Iterator[str]:
        yield next(chunks)
        source.waits.wait(60)
        raise ValueError("bad")

    async def run() -> None:
        chain = source | RunnablePassthrough() | {"a": upper, "b": failing}
        async for _ in chain.astream("x"):
            pass

    with pytest.raises(ValueError, match="bad"):
        asyncio.run(run())
    assert source.closed.is_set()


@pytest.mark.parametrize("method", ["astream", "astream_log"])
def test_a_stream_is_closed_on_another_loop(method: str) -> None:
    """Closing waits for no task of a loop that does not run any more."""
    model = ScriptedChatModel([["a", "b", "c"]], delay=0.001)
    chunks = getattr(RunnableParallel(a=model, b=model), method)("x")
    loop = asyncio.new_event_loop()
    loop.run_until_complete(anext(chunks))
    ends(lambda: asyncio.run(chunks.aclose()))
    wait_until(lambda: loop.run_until_complete(asyncio.sleep(0)) or not asyncio.all_tasks(loop))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
