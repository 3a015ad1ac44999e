"""Schemas of runnables, their reprs, and what wraps them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from operator import itemgetter
from typing import Any

import pytest
from pydantic import BaseModel

from chatnb.errors import DeadlineExceededError
from chatnb.prompts import ChatPromptTemplate
from chatnb.runnables import RunnableGenerator, RunnableLambda, RunnablePassthrough
from chatnb.runnables.wrappers.schemas import input_type, output_type


class Bird(BaseModel):
    name: str


class Unknown:
    """A class that Pydantic has no schema for."""


def length(bird: Bird) -> int:
    return len(bird.name)


def double(number: int) -> float:
    return 2.0 * number


def named(number: int) -> Bird:
    return Bird(name=str(number))


def know(thing: Unknown) -> Unknown:
    return thing


STEP, DOUBLE, NAMED = RunnableLambda(length), RunnableLambda(double), RunnableLambda(named)


@pytest.mark.parametrize(
    ("runnable", "given", "returned"),
    [
        (STEP, Bird, int),
        (STEP | DOUBLE, Bird, float),
        (STEP.with_config(tags=["t"]), Bird, int),
        (STEP.with_retry(), Bird, int),
        (STEP.with_fallbacks([STEP]), Bird, int),
        (STEP.map(), list[Bird], list[int]),
        (RunnableLambda(lambda x: x), Any, Any),
        (RunnableLambda(len), Any, Any),
        (RunnableLambda(itemgetter("a", "b")), {"a": Any, "b": Any}, Any),
        (ChatPromptTemplate(["{a} {b}"]), {"a": Any, "b": Any}, Any),
        (RunnableLambda(itemgetter("a")).map(), list[dict[str, Any]], list[Any]),
        (DOUBLE | {"a": DOUBLE, "b": NAMED}, int, {"a": float, "b": Bird}),
        (STEP | {"a": DOUBLE | {"b": NAMED}}, Bird, {"a": dict[str, Any]}),
        (RunnablePassthrough.assign(a=DOUBLE), int, None),
        (RunnablePassthrough.assign(a=itemgetter("b"), c=itemgetter("d")),
         {"b": Any, "d": Any}, None),
        (RunnablePassthrough.assign(a=DOUBLE, b=STEP), Any, None),
        (RunnablePassthrough.assign(a=DOUBLE, b=lambda x: x), Any, None),
        (STEP.with_types(input_type=str), str, int),
        (STEP.with_types(output_type=str), Bird, str),
    ],
    ids=lambda value: f"{value!r:.40}",
)  # fmt: skip
def test_types_are_those_of_hints(runnable: Any, given: Any, returned: Any) -> None:
    """Of the first and the last step; branches agree on one type or have fields."""
    assert input_type(runnable) == given
    if returned is not None:
        assert output_type(runnable) == returned


def test_schemas_are_those_of_the_types() -> None:
    """A model of Pydantic is its own schema; a type without one is anything."""
    assert STEP.get_input_jsonschema() == Bird.model_json_schema()
    assert STEP.input_schema is Bird
    assert (DOUBLE | {"a": NAMED}).get_output_jsonschema()["required"] == ["a"]
    assert STEP.get_output_jsonschema()["type"] == "integer"

    assert "type" not in RunnableLambda(lambda x: x).get_input_jsonschema()
    assert RunnableLambda(know).input_schema.model_validate(3).model_dump() == 3


def generate(chunks: Iterator[str]) -> Iterator[str]:
    yield from chunks


@pytest.mark.parametrize(
    ("runnable", "shown"),
    [
        (STEP.with_listeners(on_start=print), f"RunnableWithListeners({STEP!r})"),
        (STEP.with_types(input_type=str), repr(STEP)),
        (RunnableGenerator(generate), "RunnableGenerator(generate)"),
        (
            STEP.with_retry(stop_after_attempt=2),
            f"RunnableRetry({STEP!r}, stop_after_attempt=2)",
        ),
        (STEP.with_fallbacks([DOUBLE]), f"RunnableWithFallbacks({STEP!r}, [{DOUBLE!r}])"),
    ],
)
def test_a_wrapper_is_shown_with_what_it_wraps(runnable: Any, shown: str) -> None:
    """As the code that made it, where that is short."""
    assert repr(runnable) == shown


def test_a_listener_is_a_function() -> None:
    """Anything else is refused as the chain is made."""
    with pytest.raises(TypeError, match=r"^on_end is a function of a run, not 3$"):
        STEP.with_listeners(on_end=3)  # type: ignore[arg-type]


def test_entries_are_added_to_a_runnable_s_dict() -> None:
    """By functions of it; those with a name that it has win."""
    chain = RunnableLambda(lambda n: {"a": n, "b": 0}).assign(b=lambda d: d["a"] + 1)
    assert chain.invoke(1) == {"a": 1, "b": 2}
    assert chain.pick("b").invoke(1) == 2
    assert chain.pick(["a"]).invoke(1) == {"a": 1}


def fails(_: str) -> str:
    raise TimeoutError("mine")


async def afails(_: str) -> str:
    raise TimeoutError("mine")


async def pieces(_: str) -> AsyncIterator[str]:
    for piece in "ab":
        yield piece


def test_a_timeout_within_a_deadline_is_not_the_deadline() -> None:
    """It comes out as it is, and a stream in time to its end."""
    config: Any = {"deadline": 60.0}
    chain = RunnableLambda(fails, afails)
    for run in (
        lambda: chain.invoke("", config),
        lambda: list(chain.stream("", config)),
        lambda: asyncio.run(chain.ainvoke("", config)),
    ):
        with pytest.raises(TimeoutError, match=r"^mine$") as caught:
            run()
        assert not isinstance(caught.value, DeadlineExceededError)

    async def stream(chain: Any) -> list[str]:
        return [piece async for piece in chain.astream("", config)]

    with pytest.raises(TimeoutError, match=r"^mine$"):
        asyncio.run(stream(chain))
    assert "".join(asyncio.run(stream(RunnableLambda(pieces)))) == "ab"
