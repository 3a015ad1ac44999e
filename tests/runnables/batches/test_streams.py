"""Batches whose inputs stream."""

from __future__ import annotations

import asyncio
import gc
import signal
import sqlite3
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatnb.chat_models import ScriptedChatModel
from chatnb.errors import BatchError, BatchInterrupted, RateLimitError
from chatnb.runnables import Runnable, RunnableConfig, RunnableLambda
from tests.support.hangs import ends

Way = Callable[..., list[Any]]


def by_map(runnable: Runnable[Any, Any], inputs: Any, *args: Any, **kwargs: Any) -> list[Any]:
    return list(runnable.map(inputs, *args, **kwargs))


def by_amap(runnable: Runnable[Any, Any], inputs: Any, *args: Any, **kwargs: Any) -> list[Any]:
    async def gather() -> list[Any]:
        return [output async for output in runnable.amap(inputs, *args, **kwargs)]

    return asyncio.run(gather())


def as_completed(runnable: Runnable[Any, Any], inputs: Any, *args: Any, **kwargs: Any) -> list[Any]:
    return list(dict(runnable.batch_as_completed(inputs, *args, **kwargs)).items())


def as_acompleted(runnable: Runnable[Any, Any], inputs: Any, *args: Any, **kw: Any) -> list[Any]:
    async def gather() -> list[Any]:
        return [pair async for pair in runnable.abatch_as_completed(inputs, *args, **kw)]

    return asyncio.run(gather())


in_order = pytest.mark.parametrize("way", [by_map, by_amap])
every_way = pytest.mark.parametrize("way", [by_map, by_amap, as_completed, as_acompleted])


def outputs(found: list[Any]) -> list[Any]:
    """The outputs in the order of the inputs."""
    pairs = all(isinstance(item, tuple) for item in found)
    return [output for _, output in sorted(found)] if pairs else found


async def slowly(items: Iterable[Any]) -> AsyncIterator[Any]:
    for item in items:
        await asyncio.sleep(0)
        yield item


SOURCES: dict[str, Callable[[list[Any]], Any]] = {
    "list": list,
    "tuple": tuple,
    "generator": lambda items: (item for item in items),
    "iterator": iter,
    "dict keys": lambda items: dict.fromkeys(items).keys(),
    "async generator": slowly,
}


@every_way
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_any_iterable_gives_every_output_once(way: Way, source: Callable[..., Any]) -> None:
    """Lists, iterators and asynchronous iterables alike; also of none, and of one input."""
    for count in (0, 1, 300):
        found = way(RunnableLambda(str), source(list(range(count))), {"max_concurrency": 3})
        assert outputs(found) == [str(number) for number in range(count)]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.booleans(), max_size=40), st.integers(1, 5))
def test_failures_keep_their_place(fails: list[bool], limit: int) -> None:
    """With return_exceptions the output of an input that failed is its exception."""

    def work(number: int) -> int:
        if fails[number]:
            raise ValueError(number)
        return number

    for way in (by_map, by_amap):
        few: RunnableConfig = {"max_concurrency": limit}
        found = way(RunnableLambda(work), iter(range(len(fails))), few, return_exceptions=True)
        assert [isinstance(output, ValueError) for output in found] == fails


class Counted:
    """Inputs that know how many of them were taken."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.taken = 0

    def __iter__(self) -> Iterator[int]:
        for number in range(self.total):
            self.taken += 1
            yield number


@every_way
def test_inputs_are_taken_as_outputs_are(way: Way) -> None:
    """So many inputs are ahead of the outputs as are in memory, however slow the reader is."""
    source, ahead = Counted(1_000), [0]
    runnable = RunnableLambda[int, int](lambda number: number)

    def note(number: int) -> None:
        ahead[0] = max(ahead[0], source.taken - number)

    if way in (by_map, as_completed):
        method = runnable.map if way is by_map else runnable.batch_as_completed
        for number, _ in enumerate(method(source, {"max_concurrency": 2})):
            note(number)
    else:

        async def read() -> None:
            amethod = runnable.amap if way is by_amap else runnable.abatch_as_completed
            number = 0
            async for _ in amethod(source, {"max_concurrency": 2}):
                note(number)
                number += 1

        asyncio.run(read())
    assert source.taken == 1_000
    assert ahead[0] <= 9  # Four for each of the two that run, and the one in hand.


class Big:
    """An input or output that can be weakly referenced."""


@every_way
def test_nothing_is_held(way: Way) -> None:
    """Inputs and outputs that the reader lets go of are freed while the batch goes on."""
    alive, most = weakref.WeakSet[Big](), [0]

    def make() -> Iterator[Big]:
        for _ in range(600):
            alive.add(big := Big())
            most[0] = max(most[0], len(alive))
            yield big

    def answer(_: Big) -> Big:
        alive.add(big := Big())
        return big

    few: RunnableConfig = {"max_concurrency": 2}
    runnable = RunnableLambda(answer)
    if way in (by_map, as_completed):
        method: Any = runnable.map if way is by_map else runnable.batch_as_completed
        for _ in method(make(), few, progress=False):
            pass
    else:

        async def read() -> None:
            amethod: Any = runnable.amap if way is by_amap else runnable.abatch_as_completed
            async for _ in amethod(make(), few, progress=False):
                pass

        asyncio.run(read())
    gc.collect()
    assert most[0] < 60


@in_order
def test_one_slow_input_holds_up_no_other_until_the_window_is_full(way: Way) -> None:
    """The others run meanwhile, and their outputs wait for it."""
    others = threading.Semaphore(0)

    def work(number: int) -> int:
        if number == 0:
            for _ in range(5):
                assert others.acquire(timeout=60)
        others.release()
        return number

    assert way(RunnableLambda(work), iter(range(50)), {"max_concurrency": 2}) == list(range(50))


@every_way
def test_a_failure_ends_the_batch_after_the_outputs_before_it(way: Way) -> None:
    """No more inputs are taken, and the error is of the failure's class."""
    source = Counted(10_000)

    def work(number: int) -> int:
        if number == 20:
            raise ValueError("twenty")
        return number

    with pytest.raises(ValueError, match="input 20: ValueError: twenty") as raised:
        way(RunnableLambda(work), source, {"max_concurrency": 2})
    assert isinstance(raised.value, BatchError)
    assert list(raised.value.failures) == [20]
    assert source.taken < 40


@every_way
def test_an_error_of_the_inputs_is_raised_after_their_outputs(way: Way) -> None:
    """Replies that were paid for are handed out first."""
    seen = list[int]()

    def broken() -> Iterator[int]:
        yield from range(5)
        raise LookupError("no more rows")

    def work(number: int) -> int:
        seen.append(number)
        return number

    with pytest.raises(LookupError, match="no more rows"):
        way(RunnableLambda(work), broken())
    assert sorted(seen) == list(range(5))


def test_rows_of_a_database_are_inputs() -> None:
    """A cursor that only its own thread may use is read on that thread."""
    connection = sqlite3.connect(":memory:")
    with closing(connection):
        rows = connection.execute("SELECT value FROM json_each('[1, 2, 3]')")
        assert list(RunnableLambda[Any, int](lambda row: row[0] * 2).map(rows)) == [2, 4, 6]


def test_a_reader_that_stops_ends_the_batch() -> None:
    """Closing the iterator takes no more inputs, and ends calls that wait."""
    source = Counted(10_000)
    chat = ScriptedChatModel(["Hi"], delay=0.001)
    replies = chat.map((str(number) for number in source), {"max_concurrency": 4})
    next(replies)
    ends(replies.close)  # pyright: ignore[reportAttributeAccessIssue]
    assert source.taken < 100

    async def read() -> None:
        asource = Counted(10_000)
        async with aclosing(chat.amap(map(str, asource), {"max_concurrency": 4})) as pairs:
            async for _ in pairs:
                break
        assert asource.taken < 100

    ends(lambda: asyncio.run(read()))


def test_an_interrupt_has_the_inputs_that_were_taken() -> None:
    """Ctrl-C raises a BatchInterrupted, as in a batch of a list."""
    taken, released = threading.Event(), threading.Event()

    def inputs() -> Iterator[int]:
        yield from range(3)
        taken.set()

    def work(number: int) -> int:
        if number == 1:
            assert taken.wait(60)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            released.wait(60)
        return number

    with pytest.raises(BatchInterrupted) as raised:
        list(RunnableLambda(work).map(inputs(), {"max_concurrency": 1}))
    released.set()
    assert raised.value.remaining == [1, 2]


@every_way
def test_rate_limits_slow_the_batch_down_and_lose_nothing(way: Way) -> None:
    """A call that met the limit is made again."""
    refused = {3, 4}

    def work(number: int) -> int:
        if number in refused:
            refused.discard(number)
            error = RateLimitError("Slow down.")
            error.retry_after = 0.01
            raise error
        return number

    found = outputs(way(RunnableLambda(work), iter(range(20)), {"max_concurrency": 2}))
    assert found == list(range(20))


@every_way
def test_a_checkpoint_continues_a_stream(way: Way, tmp_path: Path) -> None:
    """Inputs that were answered in an earlier attempt are answered from the file."""
    chat, path = ScriptedChatModel([str(n) for n in range(100)]), tmp_path / "run.sqlite"
    one: RunnableConfig = {"max_concurrency": 1}
    first = [reply.text for reply in chat.map(map(str, range(10)), one, checkpoint=path)]
    found = outputs(way(chat, map(str, range(15)), one, checkpoint=path))
    assert [reply.text for reply in found] == [*first, "10", "11", "12", "13", "14"]


REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "a string": ("abc", {}, "A batch takes a list of inputs, not str"),
    "a dict": ({"a": 1}, {}, "A batch takes a list of inputs, not dict"),
    "a number": (5, {}, "A batch takes a list of inputs, not int"),
    "a list of configs": (iter("ab"), {"config": [{}, {}]}, "one config for all"),
    "one run's id": (iter("ab"), {"config": {"run_id": "1"}}, "run_id is the id of one run"),
    "no grace": (iter("ab"), {"checkpoint_grace": 1.0}, "give checkpoint="),
}


@pytest.mark.parametrize(("inputs", "kwargs", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_mapped_is_refused(inputs: Any, kwargs: Any, problem: str) -> None:
    """The error says what to give instead, before anything runs."""
    for method in (RunnableLambda(str).map, RunnableLambda(str).amap):
        with pytest.raises((TypeError, ValueError), match=problem):
            method(inputs, **kwargs)


def test_map_without_inputs_is_a_step_of_a_chain() -> None:
    """As LangChain's `map()`."""
    chain = RunnableLambda[str, list[str]](str.split) | RunnableLambda(len).map()
    assert chain.invoke("a bc") == [1, 2]


@pytest.mark.parametrize("method", ["map", "amap"])
def test_asynchronous_inputs_are_closed_when_the_outputs_are(method: str) -> None:
    """A cursor or file of theirs does not stay open until the collector comes."""
    closed = threading.Event()

    async def numbers() -> AsyncIterator[int]:
        try:
            for number in range(1_000):
                yield number
        finally:
            closed.set()

    async def take_one() -> None:
        async with aclosing(RunnableLambda(str).amap(numbers())) as outputs:
            assert await anext(outputs) == "0"

    if method == "map":
        outputs: Any = RunnableLambda(str).map(numbers())
        assert next(outputs) == "0"
        outputs.close()
    else:
        asyncio.run(take_one())
    assert closed.wait(60)


@pytest.mark.parametrize("method", ["abatch_as_completed", "amap"])
@pytest.mark.parametrize("inputs", [[0, 1, 2], range(100)])
def test_a_batch_that_is_half_read_as_the_loop_ends_is_closed_silently(
    method: str, inputs: Any
) -> None:
    """asyncio.run closes all generators at once, in any order, those of the batch as well."""
    complaints, kept, running = list[Any](), list[Any](), list[int]()

    async def work(number: int) -> int:
        running.append(number)
        try:
            await asyncio.sleep(60 if number else 0)
        finally:
            running.remove(number)
        return number

    async def read() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, error: complaints.append(error))
        kept.append(getattr(RunnableLambda(work), method)(inputs))
        await anext(kept[-1])

    for _ in range(20):
        asyncio.run(read())
    assert not complaints
    assert not running
