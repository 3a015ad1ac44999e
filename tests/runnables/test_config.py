from __future__ import annotations

import asyncio
from copy import deepcopy
from typing import Any

import pytest

from chatnb.runnables import (
    ConfigurableField,
    Runnable,
    RunnableConfig,
    RunnableLambda,
    ensure_config,
)
from chatnb.runnables.config import child_config, merge_configs
from chatnb.tracing import add_handler


def seen(_: Any) -> RunnableConfig:
    return without_run(ensure_config())


async def aseen(_: Any) -> RunnableConfig:
    return without_run(ensure_config())


def without_run(config: RunnableConfig) -> RunnableConfig:
    """Return a config without its run, which is there with a handler."""
    config.pop("parent_run", None)
    return config


class Someone:
    """A handler that equals its copies."""

    def on_start(self, run: Any) -> None: ...

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Someone)

    __hash__ = None  # type: ignore[assignment]


FULL: RunnableConfig = {
    "tags": ["a"],
    "metadata": {"k": {"deep": 1}},
    "callbacks": [Someone()],
    "configurable": {"x": 1},
    "max_concurrency": 2,
}


@pytest.mark.parametrize("func", [seen, aseen])
def test_a_chain_called_inside_a_function_inherits_the_config(func: Any) -> None:
    """Nested runs inherit tags, metadata and callbacks without being passed a config."""
    inner = RunnableLambda(func)
    outer = RunnableLambda(lambda _: inner.invoke("")) | RunnableLambda(lambda x: x)
    assert outer.invoke("", FULL) == FULL
    assert outer.invoke("") == {}
    assert asyncio.run(outer.ainvoke("", FULL)) == FULL
    assert outer.batch(["", ""], FULL) == [FULL, FULL]
    assert list(outer.stream("", FULL)) == [FULL]


def test_what_is_passed_inside_adds_to_what_is_inherited() -> None:
    """Tags of both count, and the inner value of a key wins."""
    inner = RunnableLambda(seen)
    given: RunnableConfig = {"tags": ["b", "a"], "metadata": {"k": 2}}
    outer = RunnableLambda(lambda _: inner.invoke("", given))
    assert outer.invoke("", FULL) == FULL | {"tags": ["a", "b"], "metadata": {"k": 2}}


def test_name_and_id_are_not_inherited() -> None:
    """They are those of one run."""
    config: RunnableConfig = {"run_name": "outer", "run_id": "1", "tags": ["a"]}
    assert child_config(config) == {"tags": ["a"]}
    assert RunnableLambda(seen).invoke("", config) == {"tags": ["a"]}


def test_the_config_does_not_outlive_the_run() -> None:
    """After a run, and between its chunks, the caller's inherited config is as before."""

    def chunks(_: str) -> Any:
        yield str(ensure_config())
        yield str(ensure_config())

    stream = RunnableLambda(chunks).stream("", {"tags": ["a"]})
    assert next(stream) == "{'tags': ['a']}"
    assert ensure_config() == {}
    assert next(stream) == "{'tags': ['a']}"
    with pytest.raises(ZeroDivisionError):
        RunnableLambda(lambda _: 1 / 0).invoke("", {"tags": ["a"]})
    assert ensure_config() == {}


def test_configs_are_never_changed() -> None:
    """Neither a run nor a merge changes the dict that it was given, at any depth."""
    config = deepcopy(FULL)
    chain = RunnableLambda(seen).with_config(tags=["z"], metadata={"m": 1}) | RunnableLambda(len)
    chain.with_retry().with_config(config).invoke("", config)
    chain.batch(["", ""], config)
    merged = merge_configs(config, {"tags": ["b"], "metadata": {"n": 1}})
    merged["tags"].append("c")
    assert config == FULL


def test_with_config_stays_beneath_the_config_of_the_call() -> None:
    """The call's values win over bound ones."""
    bound = RunnableLambda(seen).with_config({"tags": ["a"]}, metadata={"k": 1, "l": 1})
    assert bound.invoke("", {"tags": ["b"], "metadata": {"k": 2}}) == {
        "tags": ["a", "b"],
        "metadata": {"k": 2, "l": 1},
    }


@pytest.mark.parametrize("config", ["tags", 3, ["a"], 0, []])
def test_a_config_is_a_dict(config: Any) -> None:
    """Anything else raises."""
    with pytest.raises(TypeError, match="A config is a dict"):
        RunnableLambda(len).invoke("", config)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"max_concurency": 1}, "Unknown config keys: max_concurency. Known keys: tags, "),
        ({"max_concurrency": 0}, "must be 1 or more, not 0"),
    ],
)
def test_a_mistake_in_a_config_is_noticed(config: Any, message: str) -> None:
    """In the call, in a batch, and in a bound config."""
    with pytest.raises(ValueError, match=message):
        RunnableLambda(len).invoke("", config)
    with pytest.raises(ValueError, match=message):
        RunnableLambda(len).batch([""], config)
    with pytest.raises(ValueError, match=message):
        RunnableLambda(len).with_config(config)


NONE: Any = dict.fromkeys(RunnableConfig.__annotations__)


def test_none_stands_for_no_value_in_a_config() -> None:
    """In every method, in a bound config, and below handlers; it hides no inherited value."""
    chain = RunnableLambda(seen)
    assert chain.invoke("", NONE) == chain.with_config(NONE).invoke("", NONE) == {}
    assert chain.batch([""], NONE) == list(chain.stream("", NONE)) == [{}]
    assert asyncio.run(chain.ainvoke("", NONE)) == {}
    assert chain.with_config(FULL).invoke("", NONE) == FULL
    outer = RunnableLambda(lambda _: chain.invoke("", NONE))
    assert outer.invoke("", {**NONE, "callbacks": [Someone()]}) == {"callbacks": [Someone()]}


@pytest.mark.parametrize("handler", ["log", 3, object(), Someone])
def test_what_is_no_handler_is_refused(handler: Any) -> None:
    """In a config and for all runs; a class is no handler but its objects are."""
    with pytest.raises(TypeError, match="A callback handler is an object with some of the methods"):
        RunnableLambda(len).invoke("", {"callbacks": [Someone(), handler]})
    with pytest.raises(TypeError, match="or one of LangChain's, not"):
        add_handler(handler)


class Repeat(Runnable[str, str]):
    times = 1

    def invoke(self, input: str, config: Any = None, **kwargs: Any) -> str:
        return input * self.times


def test_a_config_sets_the_fields_that_are_open() -> None:
    """For one run, from outside or inherited; the runnable itself stays as it is."""
    repeat = Repeat()
    open_one = repeat.configurable_fields(times=ConfigurableField(id="n"))
    config: RunnableConfig = {"configurable": {"n": 2}}
    assert open_one.invoke("a", config) == "aa"
    assert open_one.with_config(config).invoke("a") == "aa"
    assert (open_one | str.upper).invoke("a", config) == "AA"
    assert RunnableLambda(lambda x: open_one.invoke(x)).invoke("a", config) == "aa"
    assert asyncio.run(open_one.ainvoke("a", config)) == "aa"
    assert (open_one.invoke("a"), repeat.times) == ("a", 1)


def test_only_fields_that_exist_can_be_opened() -> None:
    """A mistyped attribute is noticed at once."""
    with pytest.raises(ValueError, match="Repeat has no attribute 'tims' to configure"):
        Repeat().configurable_fields(tims=ConfigurableField(id="n"))


def test_a_bound_runnable_has_the_name_of_what_it_calls() -> None:
    """Unless it has one of its own."""
    bound = RunnableLambda(len).with_config(tags=["x"])
    assert bound.get_name() == "len"
    bound.name = "length"
    assert bound.get_name() == "length"
