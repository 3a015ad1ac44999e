from __future__ import annotations

import asyncio
import threading
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


def test_branches_run_at_the_same_time() -> None:
    """Branches that wait for one another all get through."""
    barrier = threading.Barrier(3)

    def meet(_: str) -> bool:
        barrier.wait(10)
        return True

    branches = RunnableParallel[str](a=meet, b=meet, c=meet)
    assert branches.invoke("") == {"a": True, "b": True, "c": True}
    assert asyncio.run(branches.ainvoke("")) == {"a": True, "b": True, "c": True}


def test_a_single_branch_stays_on_the_thread() -> None:
    """Where nothing runs at the same time no thread is started."""
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
        assert fast_done.wait(10)
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
    """A failing branch fails the whole with its own error; the other tasks are cancelled."""
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
    """No branch goes on after the caller has left."""
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
    assert all(event.wait(10) for event in closed)


def test_no_branches_are_refused() -> None:
    """A dict of nothing says nothing."""
    with pytest.raises(ValueError, match="at least one branch"):
        RunnableParallel[str]({})


def test_assign_hands_on_its_input_before_it_has_the_rest() -> None:
    """What is there already does not wait for what is computed from it."""
    go_on = threading.Event()

    def wait(_: Any) -> str:
        assert go_on.wait(10)
        return "late"

    chunks = RunnablePassthrough.assign(b=wait).stream({"a": "early"})
    assert next(chunks) == {"a": "early"}
    go_on.set()
    assert list(chunks) == [{"b": "late"}]


@pytest.mark.parametrize("verb", ["invoke", "stream"])
def test_assign_and_pick_take_dicts(verb: str) -> None:
    """Other inputs are refused, and it is said by whom."""
    with pytest.raises(TypeError, match="assign takes a dict, not str"):
        list(getattr(RunnablePassthrough.assign(a=len), verb)("text"))
    with pytest.raises(TypeError, match="pick takes a dict, not str"):
        list(getattr(RunnablePick("a"), verb)("text"))


def test_pick_names_the_key_that_is_missing() -> None:
    """The error tells what there is instead."""
    with pytest.raises(KeyError, match="no 'c' among 'a', 'b'"):
        RunnablePick(["a", "c"]).invoke({"a": 1, "b": 2})


@pytest.mark.parametrize("keys", ["c", ["a", "c"]])
def test_every_verb_names_the_key_that_is_missing(keys: str | list[str]) -> None:
    """A stream without the key fails when it is over, like the verbs that see all at once."""
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
    """Text adds up, snapshots replace, and keys that only one side has stay."""
    left = AddableDict({"a": "x", "b": [1], "c": 1}, replaced=["b"])
    assert left + {"a": "y", "b": [1, 2], "d": None} == {"a": "xy", "b": [1, 2], "c": 1, "d": None}
    assert {"a": "x"} + AddableDict({"a": "y"}) == {"a": "xy"}
    with pytest.raises(TypeError):
        left + 3  # type: ignore[operator]
