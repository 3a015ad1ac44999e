from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

import pytest

from chatnb.output_parsers import StrOutputParser
from chatnb.runnables import Runnable, RunnableLambda, RunnablePassthrough, RunnableSequence
from chatnb.schema.messages import AIMessageChunk


class Source(Runnable[Any, AIMessageChunk]):
    """A source of three words that records the words it yielded."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.given: dict[str, Any] = {}
        self.closed = threading.Event()

    def stream(self, input: Any, config: Any = None, **kwargs: Any) -> Iterator[AIMessageChunk]:
        self.given = kwargs
        try:
            for word in ("one ", "two ", "three"):
                self.said.append(word)
                yield AIMessageChunk(word)
        finally:
            self.closed.set()

    async def astream(
        self, input: Any, config: Any = None, **kwargs: Any
    ) -> AsyncGenerator[AIMessageChunk, None]:
        try:
            for word in ("one ", "two ", "three"):
                self.said.append(word)
                yield AIMessageChunk(word)
        finally:
            self.closed.set()


class Upper(Runnable[str, str]):
    def transform(self, input: Iterator[str], config: Any = None, **kwargs: Any) -> Iterator[str]:
        yield from (chunk.upper() for chunk in input)

    async def atransform(
        self, input: AsyncIterator[str], config: Any = None, **kwargs: Any
    ) -> AsyncGenerator[str, None]:
        async for chunk in input:
            yield chunk.upper()


def test_chunks_flow_through_without_waiting() -> None:
    """The first chunk is out before the second is requested."""
    source = Source()
    chunks = (source | StrOutputParser() | Upper() | RunnablePassthrough()).stream("")
    assert next(chunks) == "ONE "
    assert source.said == ["one "]
    assert list(chunks) == ["TWO ", "THREE"]


def test_chunks_flow_through_without_waiting_in_a_loop() -> None:
    """The same for asynchronous streams; closing one closes its source at once."""
    source = Source()

    async def first() -> str:
        chunks = (source | StrOutputParser() | Upper() | RunnablePassthrough()).astream("")
        chunk = await anext(chunks)
        assert source.said == ["one "]
        await chunks.aclose()
        assert source.closed.is_set()
        return chunk

    assert asyncio.run(first()) == "ONE "


def test_a_step_that_cannot_stream_gathers_its_input() -> None:
    """A function gets the sum of the chunks, once; what follows it streams again."""
    chain = Source() | StrOutputParser() | len
    assert list(chain.stream("")) == [13]


def test_closing_a_stream_closes_its_source() -> None:
    """Breaking off ends the run at once, not at the next garbage collection."""
    source = Source()
    chunks = (source | StrOutputParser() | Upper()).stream("")
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]
    assert source.closed.is_set()
    assert source.said == ["one "]


def test_sequences_are_flat() -> None:
    """Sequences have the same steps with any grouping; a named one stays one step."""
    a, b, c = RunnableLambda(str.strip), RunnableLambda(str.upper), RunnableLambda(len)
    assert RunnableSequence(a, b | c).steps == (a, b, c)
    assert a.pipe(b, c).steps == (a, b, c)  # type: ignore[attr-defined]
    named = RunnableSequence(b, c, name="inner")
    assert RunnableSequence(a, named).steps == (a, named)


def test_arguments_go_to_the_first_step() -> None:
    """Arguments of a call reach the first step only."""
    source = Source()
    (source | StrOutputParser() | len).invoke("", stop=["."])
    assert source.given == {"stop": ["."]}
    list((source | StrOutputParser() | len).stream("", stop=["!"]))
    assert source.given == {"stop": ["!"]}


@pytest.mark.parametrize("thing", [3, None, "text", [len]])
def test_other_things_do_not_compose(thing: Any) -> None:
    """The error lists the types that can run."""
    with pytest.raises(TypeError, match="runnables, functions of one argument, and dicts"):
        RunnableLambda(len) | thing
    with pytest.raises(TypeError, match="runnables, functions of one argument, and dicts"):
        thing | RunnableLambda(len)
    with pytest.raises(TypeError, match="runnables, functions"):
        RunnableLambda(len) | {"a": thing}


def test_functions_and_dicts_compose_from_the_left() -> None:
    """A chain may begin with a function or a dict."""
    assert (str.strip | RunnableLambda(len)).invoke(" a ") == 1
    assert ({"n": len} | RunnablePassthrough[Any]()).invoke("abc") == {"n": 3}


def test_a_sequence_of_nothing_is_refused() -> None:
    """There is nothing to run."""
    with pytest.raises(ValueError, match="at least one step"):
        RunnableSequence()


def test_a_runnable_that_implements_nothing_is_refused() -> None:
    """A missing method raises when the class is defined."""
    with pytest.raises(TypeError, match="Empty must implement invoke, stream or transform"):

        class Empty(Runnable[str, str]):
            pass


def test_a_stream_without_chunks_has_no_result() -> None:
    """Both `invoke` and `transform` raise without a chunk."""

    def nothing(_: str) -> Iterator[str]:
        yield from ()

    with pytest.raises(ValueError, match="ended without a chunk"):
        RunnableLambda(nothing).invoke("a")
    with pytest.raises(ValueError, match="ended without a chunk"):
        list((RunnableLambda(nothing) | len).stream("a"))


def test_a_generator_function_in_a_chain_gets_the_chunks() -> None:
    """After `|` a generator function reads the stream as it comes, and does not wait for all."""
    read = list[str]()

    def one_by_one(text: str) -> Iterator[str]:
        for word in text.split():
            read.append(word)
            yield word

    def shout(chunks: Iterator[str]) -> Iterator[str]:
        for chunk in chunks:
            yield chunk.upper()

    chain = RunnableLambda(one_by_one) | shout
    stream = chain.stream("a b c")
    assert (next(stream), read) == ("A", ["a"])
    assert list(stream) == ["B", "C"]
    assert chain.invoke("a b") == "AB"
