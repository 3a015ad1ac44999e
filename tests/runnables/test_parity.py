"""Every method, sync and async, over one table of runnables."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from chatnb.output_parsers import JsonOutputParser, StrOutputParser
from chatnb.prompts import ChatPromptTemplate
from chatnb.runnables import (
    ConfigurableField,
    Runnable,
    RunnableBranch,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
)
from chatnb.runnables.chunks import add_up
from chatnb.schema.messages import AIMessage, HumanMessage
from chatnb.schema.prompt_values import ChatPromptValue


class OnlyInvokes(Runnable[str, str]):
    mark = "!"

    def invoke(self, input: str, config: Any = None, **kwargs: Any) -> str:
        return input + self.mark


class OnlyStreams(Runnable[str, str]):
    def stream(self, input: str, config: Any = None, **kwargs: Any) -> Iterator[str]:
        yield input
        yield "!"


class OnlyTransforms(Runnable[str, str]):
    def transform(self, input: Iterator[str], config: Any = None, **kwargs: Any) -> Iterator[str]:
        yield from input
        yield "!"


class OnlyAwaits(Runnable[str, str]):
    async def ainvoke(self, input: str, config: Any = None, **kwargs: Any) -> str:
        await asyncio.sleep(0)
        return input + "!"


class OnlyStreamsAsync(Runnable[str, str]):
    async def astream(
        self, input: str, config: Any = None, **kwargs: Any
    ) -> AsyncGenerator[str, None]:
        yield input
        await asyncio.sleep(0)
        yield "!"


class OnlyTransformsAsync(Runnable[str, str]):
    async def atransform(
        self, input: AsyncIterator[str], config: Any = None, **kwargs: Any
    ) -> AsyncGenerator[str, None]:
        async for chunk in input:
            yield chunk
        yield "!"


def exclaim(text: str) -> str:
    return text + "!"


async def aexclaim(text: str) -> str:
    return text + "!"


def words(text: str) -> Iterator[str]:
    yield text
    yield "!"


async def awords(text: str) -> AsyncIterator[str]:
    yield text
    yield "!"


def per_chunk(chunks: Iterator[str]) -> Iterator[str]:
    yield from chunks
    yield "!"


async def aper_chunk(chunks: AsyncIterator[str]) -> AsyncGenerator[str, None]:
    async for chunk in chunks:
        yield chunk
    yield "!"


def fails(text: str) -> str:
    raise ValueError(text)


def passing() -> Runnable[Any, Any]:
    return RunnablePassthrough()


SHOUTS: dict[str, Callable[[], Runnable[Any, Any]]] = {
    "invoke": OnlyInvokes,
    "stream": OnlyStreams,
    "transform": OnlyTransforms,
    "ainvoke": OnlyAwaits,
    "astream": OnlyStreamsAsync,
    "atransform": OnlyTransformsAsync,
    "function": lambda: RunnableLambda(exclaim),
    "coroutine": lambda: RunnableLambda(aexclaim),
    "generator": lambda: RunnableLambda(words),
    "agenerator": lambda: RunnableLambda(awords),
    "both": lambda: RunnableLambda(exclaim, aexclaim),
    "returned": lambda: RunnableLambda(lambda _: OnlyStreams()),
    "areturned": lambda: RunnableLambda(_areturned),
    "chunks": lambda: RunnableGenerator(per_chunk),
    "achunks": lambda: RunnableGenerator(aper_chunk),
    "sequence": lambda: passing() | OnlyTransforms() | str,
    "mixed": lambda: passing() | OnlyStreamsAsync() | RunnableLambda(words) | aexclaim | _less,
    "binding": lambda: OnlyStreams().bind(x=1).with_config(tags=["a"]),
    "retry": lambda: OnlyStreams().with_retry(),
    "fallback": lambda: RunnableLambda(fails).with_fallbacks([OnlyStreams()]),
    "branch": lambda: RunnableBranch((lambda text: text == "b", fails), OnlyStreams()),
    "configurable": lambda: OnlyInvokes().configurable_fields(mark=ConfigurableField(id="m")),
    "pick": lambda: RunnableParallel(a=OnlyStreams(), b=len).pick("a"),
    "parser": lambda: OnlyStreams() | StrOutputParser(),
}


async def _areturned(_: str) -> Runnable[str, str]:
    return OnlyStreams()


def _less(text: str) -> str:
    return text[:-2]


DICTS: dict[str, tuple[Callable[[], Runnable[Any, Any]], Any, Any]] = {
    "parallel": (
        lambda: RunnableParallel(a=OnlyStreams(), b=OnlyAwaits(), c=len),
        "x",
        {"a": "x!", "b": "x!", "c": 1},
    ),
    "one branch": (lambda: RunnableParallel(a=OnlyStreams()), "x", {"a": "x!"}),
    "assign": (
        lambda: RunnablePassthrough.assign(n=lambda d: len(d["a"]), a=lambda d: d["a"] * 2),
        {"a": "xy"},
        {"a": "xyxy", "n": 2},
    ),
    "pick some": (
        lambda: RunnableParallel(a=OnlyStreams(), b=len).pick(["a"]),
        "x",
        {"a": "x!"},
    ),
    "map": (lambda: OnlyStreamsAsync().map(), ["a", "b"], ["a!", "b!"]),
    "json": (lambda: passing() | JsonOutputParser(), '{"a": [1, 2]}', {"a": [1, 2]}),
    "json kept": (
        lambda: JsonOutputParser() | RunnablePassthrough() | dict,
        '{"a": "x"}',
        {"a": "x"},
    ),
    "prompt": (
        lambda: ChatPromptTemplate.from_template("Hi {x}"),
        {"x": "Bob"},
        ChatPromptValue([HumanMessage("Hi Bob")]),
    ),
    "message": (StrOutputParser, AIMessage("a"), "a"),
}
CASES = {name: (make, "a", "a!") for name, make in SHOUTS.items()} | DICTS


def total(runnable: Runnable[Any, Any], chunks: list[Any]) -> Any:
    return add_up(chunks, replace=bool(runnable.chunks_replace))


def sync_methods(runnable: Runnable[Any, Any], input: Any) -> list[Any]:
    streamed = total(runnable, list(runnable.stream(input)))
    transformed = total(runnable, list(runnable.transform(iter([input]))))
    batched = runnable.batch([input, input])
    completed = sorted(runnable.batch_as_completed([input, input]), key=lambda pair: pair[0])
    return [runnable.invoke(input), streamed, transformed, *batched, *(o for _, o in completed)]


async def async_methods(runnable: Runnable[Any, Any], input: Any) -> list[Any]:
    async def one() -> AsyncIterator[Any]:
        yield input

    streamed = total(runnable, [c async for c in runnable.astream(input)])
    transformed = total(runnable, [c async for c in runnable.atransform(one())])
    batched = await runnable.abatch([input, input])
    pairs = [pair async for pair in runnable.abatch_as_completed([input, input])]
    completed = [output for _, output in sorted(pairs, key=lambda pair: pair[0])]
    return [await runnable.ainvoke(input), streamed, transformed, *batched, *completed]


async def sync_methods_in_a_loop(runnable: Runnable[Any, Any], input: Any) -> list[Any]:
    await asyncio.sleep(0)
    return sync_methods(runnable, input)


async def sync_methods_on_a_thread_of_a_loop(runnable: Runnable[Any, Any], input: Any) -> list[Any]:
    return await asyncio.to_thread(sync_methods, runnable, input)


WAYS: dict[str, Callable[[Runnable[Any, Any], Any], list[Any]]] = {
    "sync": sync_methods,
    "async": lambda runnable, input: asyncio.run(async_methods(runnable, input)),
    "sync in a loop": lambda *case: asyncio.run(sync_methods_in_a_loop(*case)),
    "sync on a thread": lambda *case: asyncio.run(sync_methods_on_a_thread_of_a_loop(*case)),
    "sync in async in sync": lambda runnable, input: RunnableLambda(
        lambda _: sync_methods(runnable, input), _nested(runnable)
    ).invoke(input),
    "sync in async lambda": lambda runnable, input: RunnableLambda(_nested(runnable)).invoke(input),
}


def _nested(runnable: Runnable[Any, Any]) -> Callable[[Any], Any]:
    async def run(input: Any) -> list[Any]:
        return sync_methods(runnable, input)

    return run


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", CASES)
def test_every_method_gives_the_same(case: str, way: str) -> None:
    """All methods agree, for any implementation and any caller."""
    make, input, expected = CASES[case]
    assert WAYS[way](make(), input) == [expected] * 7


@pytest.mark.parametrize("case", SHOUTS)
def test_every_method_raises_the_same(case: str) -> None:
    """An error comes out of every method as it was raised."""
    failing = SHOUTS[case]() | fails

    async def arun() -> None:
        with pytest.raises(ValueError, match=r"^a!$"):
            await failing.ainvoke("a")
        with pytest.raises(ValueError, match=r"^a!$"):
            _ = [chunk async for chunk in failing.astream("a")]

    with pytest.raises(ValueError, match=r"^a!$"):
        failing.invoke("a")
    with pytest.raises(ValueError, match=r"^a!$"):
        list(failing.stream("a"))
    asyncio.run(arun())
