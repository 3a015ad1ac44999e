from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from chatnb.runnables import (
    AddableDict,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
    RunnablePick,
)
from chatnb.runnables.chunks import add_up
from chatnb.runnables.parallel import tee
from chatnb.schema import HumanMessage
from tests.support.hangs import ends


def test_branches_run_at_the_same_time() -> None:
    """Branches that wait for one another all get through."""
    barrier = threading.Barrier(3)

    def meet(_: str) -> bool:
        barrier.wait(60)
        return True

    branches = RunnableParallel[str](a=meet, b=meet, c=meet)
    assert branches.invoke("") == {"a": True, "b": True, "c": True}
    assert asyncio.run(branches.ainvoke("")) == {"a": True, "b": True, "c": True}


def test_a_single_branch_stays_on_the_thread() -> None:
    """A single branch starts no thread."""
    here = RunnableParallel[str](a=lambda _: threading.get_ident())
    assert here.invoke("") == {"a": threading.get_ident()}
    assert list(here.stream("")) == [{"a": threading.get_ident()}]


def test_chunks_come_in_the_order_they_are_made() -> None:
    """A slow branch does not hold up a fast one: here it waits for the fast one's last chunk."""
    fast_done = threading.Event()

    def fast(_: str) -> Iterator[str]:
        yield "f1"
        yield "f2"
        fast_done.set()

    def slow(_: str) -> Iterator[str]:
        assert fast_done.wait(60)
        yield "s"

    chunks = list(RunnableParallel[str](slow=slow, fast=fast).stream(""))
    assert chunks == [{"fast": "f1"}, {"fast": "f2"}, {"slow": "s"}]
    assert sum(chunks) == {"fast": "f1f2", "slow": "s"}


def test_chunks_come_in_the_order_they_are_made_in_a_loop() -> None:
    """The same for asynchronous branches."""

    async def run() -> list[Any]:
        fast_done = asyncio.Event()

        async def fast(_: str) -> AsyncIterator[str]:
            yield "f1"
            yield "f2"
            fast_done.set()

        async def slow(_: str) -> AsyncIterator[str]:
            await fast_done.wait()
            yield "s"

        return [c async for c in RunnableParallel[str](slow=slow, fast=fast).astream("")]

    assert asyncio.run(run()) == [{"fast": "f1"}, {"fast": "f2"}, {"slow": "s"}]


def test_branches_share_an_input_that_streams() -> None:
    """Each branch gets every chunk of the input, which is read once and as it comes."""
    read = list[str]()

    def letters(text: str) -> Iterator[str]:
        for letter in text:
            read.append(letter)
            yield letter

    def upper(chunks: Iterator[str]) -> Iterator[str]:
        yield from (chunk.upper() for chunk in chunks)

    chain = RunnableLambda(letters) | {"up": RunnableGenerator(upper), "n": len}
    assert sum(chain.stream("abc"), AddableDict()) == {"up": "ABC", "n": 3}
    assert read == ["a", "b", "c"]


def test_the_error_of_a_branch_is_the_error_of_all() -> None:
    """A failing branch fails the run with its own error; the other tasks are cancelled."""
    cancelled = list[str]()

    async def wait(_: str) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append("wait")
            raise

    def fail(_: str) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        RunnableParallel[str](a=len, b=fail).invoke("")
    with pytest.raises(ValueError, match="no"):
        list(RunnableParallel[str](a=len, b=fail).stream(""))
    with pytest.raises(ValueError, match="no"):
        asyncio.run(RunnableParallel[str](a=wait, b=fail).ainvoke(""))
    assert cancelled == ["wait"]


def test_closing_a_stream_ends_its_branches() -> None:
    """No branch continues after the caller has stopped."""
    closed = [threading.Event(), threading.Event()]

    def endless(index: int) -> Any:
        def chunks(_: str) -> Iterator[int]:
            try:
                while True:
                    yield index
            finally:
                closed[index].set()

        return chunks

    stream = RunnableParallel[str](a=endless(0), b=endless(1)).stream("")
    seen: set[str] = set()
    while seen != {"a", "b"}:
        seen |= next(stream).keys()
    stream.close()  # type: ignore[attr-defined]
    assert all(event.wait(60) for event in closed)


def test_no_branches_are_refused() -> None:
    """A dict without entries is no chunk."""
    with pytest.raises(ValueError, match="at least one branch"):
        RunnableParallel[str]({})


def test_assign_hands_on_its_input_before_it_has_the_rest() -> None:
    """Entries of the input do not wait for computed entries."""
    go_on = threading.Event()

    def wait(_: Any) -> str:
        assert go_on.wait(60)
        return "late"

    chunks = RunnablePassthrough.assign(b=wait).stream({"a": "early"})
    assert next(chunks) == {"a": "early"}
    go_on.set()
    assert list(chunks) == [{"b": "late"}]


@pytest.mark.parametrize("method", ["invoke", "stream"])
def test_assign_and_pick_take_dicts(method: str) -> None:
    """Other inputs raise with the name of the method."""
    with pytest.raises(TypeError, match="assign takes a dict, not str"):
        list(getattr(RunnablePassthrough.assign(a=len), method)("text"))
    with pytest.raises(TypeError, match="pick takes a dict, not str"):
        list(getattr(RunnablePick("a"), method)("text"))


def test_pick_names_the_key_that_is_missing() -> None:
    """The error lists the keys that exist."""
    with pytest.raises(KeyError, match="no 'c' among 'a', 'b'"):
        RunnablePick(["a", "c"]).invoke({"a": 1, "b": 2})


@pytest.mark.parametrize("keys", ["c", ["a", "c"]])
def test_every_method_names_the_key_that_is_missing(keys: str | list[str]) -> None:
    """A stream without the key fails at its end, like the methods that return the whole."""
    chain = RunnableLambda[str, Any](lambda _: {"a": 1, "b": 2}).pick(keys)

    async def collect() -> list[Any]:
        return [chunk async for chunk in chain.astream("")]

    for run in (
        lambda: chain.invoke(""),
        lambda: asyncio.run(chain.ainvoke("")),
        lambda: list(chain.stream("")),
        lambda: asyncio.run(collect()),
    ):
        with pytest.raises(KeyError, match="no 'c' among 'a', 'b'"):
            run()


def test_dicts_of_chunks_add_up_key_by_key() -> None:
    """Text adds up, snapshots replace, and keys of one side alone stay."""
    left = AddableDict({"a": "x", "b": [1], "c": 1}, replaced=["b"])
    assert left + {"a": "y", "b": [1, 2], "d": None} == {"a": "xy", "b": [1, 2], "c": 1, "d": None}
    assert {"a": "x"} + AddableDict({"a": "y"}) == {"a": "xy"}
    with pytest.raises(TypeError, match="unsupported operand"):
        left + 3  # type: ignore[operator]


@pytest.mark.parametrize("method", ["ainvoke", "astream"])
@pytest.mark.parametrize("error", [asyncio.CancelledError, pytest.fail.Exception])
def test_a_branch_that_is_cancelled_ends_all(method: str, error: type[BaseException]) -> None:
    """A BaseException ends the run, too; no other branch stays."""
    closed = list[str]()

    async def fail(_: str) -> None:
        raise error

    async def wait(_: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            closed.append("wait")

    async def run() -> None:
        branches, before = RunnableParallel[str](a=wait, b=fail), asyncio.all_tasks()
        try:
            if method == "ainvoke":
                await branches.ainvoke("")
            else:
                async for _ in branches.astream(""):
                    pass
        finally:
            assert asyncio.all_tasks() == before

    with pytest.raises(error):
        ends(lambda: asyncio.run(run()))
    assert closed == ["wait"]


def test_a_returned_exception_of_a_branch_is_a_value() -> None:
    """Only what is raised is a failure, in every method."""
    error = ValueError("no")
    branches = RunnableParallel[str](a=lambda _: error, b=len)

    async def chunks() -> list[Any]:
        return [chunk async for chunk in branches.astream("")]

    assert branches.invoke("") == asyncio.run(branches.ainvoke("")) == {"a": error, "b": 0}
    assert sum(branches.stream("")) == sum(asyncio.run(chunks())) == {"a": error, "b": 0}


def test_a_copy_with_items_does_not_wait_for_the_source() -> None:
    """A branch reads what another has read before, while that one waits for the source."""
    waits, go_on = threading.Event(), threading.Event()

    def source() -> Iterator[int]:
        yield 1
        waits.set()
        go_on.wait(60)

    ahead, behind = tee(source(), 2)
    assert next(ahead) == 1
    reader = threading.Thread(target=lambda: list(ahead), daemon=True)
    reader.start()
    assert waits.wait(60)
    try:
        assert ends(lambda: next(behind)) == 1
    finally:
        go_on.set()
        reader.join(60)


def test_every_branch_gets_the_error_of_its_input() -> None:
    """None takes an input that broke off for one that ended."""

    async def broken(_: str) -> AsyncIterator[str]:
        yield "a"
        raise ValueError("broken")

    seen = dict[str, str]()

    def branch(name: str) -> Any:
        async def read(chunks: AsyncIterator[str]) -> AsyncIterator[str]:
            try:
                async for chunk in chunks:
                    yield chunk
            except ValueError as error:
                seen[name] = str(error)
            yield "end"

        return read

    async def run() -> dict[str, str]:
        chain = RunnableLambda(broken) | {"a": branch("a"), "b": branch("b")}
        return sum([chunk async for chunk in chain.astream("")], AddableDict())

    assert asyncio.run(run()) == {"a": "aend", "b": "aend"}
    assert seen == {"a": "broken", "b": "broken"}


def test_a_branch_that_gives_up_its_input_leaves_it_to_the_others() -> None:
    """A timeout of one branch cancels its wait, and not what all of them read."""

    async def run() -> dict[str, str]:
        gave_up = asyncio.Event()

        async def source(_: str) -> AsyncIterator[str]:
            yield "a"
            await gave_up.wait()
            yield "b"

        async def impatient(chunks: AsyncIterator[str]) -> AsyncIterator[str]:
            yield await anext(chunks)
            try:
                async with asyncio.timeout(0.01):
                    await anext(chunks)
            except TimeoutError:
                gave_up.set()
                yield "!"

        async def patient(chunks: AsyncIterator[str]) -> AsyncIterator[str]:
            async for chunk in chunks:
                yield chunk

        chain = RunnableLambda(source) | {"a": impatient, "b": patient}
        return sum([chunk async for chunk in chain.astream("")], AddableDict())

    assert ends(lambda: asyncio.run(run())) == {"a": "a!", "b": "ab"}


def test_adding_lists_of_messages_is_linear() -> None:
    """16 times as many chunks take about 16 times as long, and not 256 times."""

    def seconds(count: int) -> float:
        chunks = [[HumanMessage("w")]] * count
        began = time.perf_counter()
        add_up(chunks)
        return time.perf_counter() - began

    few = min(seconds(1_000) for _ in range(9))
    assert min(seconds(16_000) for _ in range(5)) < 80 * few
