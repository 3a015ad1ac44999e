"""The inputs of batches, as tables and iterators give them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pandas as pd
import polars as pl
import pytest

from chatnb.chat_models import ScriptedChatModel
from chatnb.prompts import ChatPromptTemplate
from chatnb.runnables import RunnableLambda
from chatnb.schema import HumanMessage

TEXTS = ["a", "bc"]
ITERABLES: dict[str, Callable[[], Any]] = {
    "list": lambda: TEXTS,
    "tuple": lambda: tuple(TEXTS),
    "generator": lambda: (text for text in TEXTS),
    "map": lambda: map(str, TEXTS),
    "keys": lambda: dict.fromkeys(TEXTS).keys(),
    "pandas": lambda: pd.Series(TEXTS, index=[7, 5]),
    "polars": lambda: pl.Series(TEXTS),
    "numpy": lambda: pd.Series(TEXTS).to_numpy(),
    "index": lambda: pd.Index(TEXTS),
}
RUNS: dict[str, Callable[[Any], list[Any]]] = {
    "batch": lambda inputs: RunnableLambda(len).batch(inputs),
    "abatch": lambda inputs: asyncio.run(RunnableLambda(len).abatch(inputs)),
    "map": lambda inputs: list(RunnableLambda(len).map(inputs)),
    "map()": lambda inputs: RunnableLambda(len).map().invoke(inputs),
    "completed": lambda i: [o for _, o in sorted(RunnableLambda(len).batch_as_completed(i))],
}
SCRIPTED = ScriptedChatModel(["Fine."])
ALL_RUNS = {
    **RUNS,
    "generate": lambda inputs: SCRIPTED.generate(inputs).generations,
    "agenerate": lambda inputs: asyncio.run(SCRIPTED.agenerate(inputs)).generations,
}
each_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
each_of_all = pytest.mark.parametrize("run", ALL_RUNS.values(), ids=ALL_RUNS)
each_iterable = pytest.mark.parametrize("inputs", ITERABLES.values(), ids=ITERABLES)


@each_run
@each_iterable
def test_any_iterable_is_a_batch(inputs: Any, run: Any) -> None:
    """Columns of tables, generators and views are read in their order."""
    assert run(inputs()) == [1, 2]


@pytest.mark.parametrize("method", ["generate", "agenerate"])
@each_iterable
def test_generate_takes_prompts_in_any_iterable(inputs: Any, method: str) -> None:
    """A string, a prompt value or a list of messages is one prompt."""

    def generated(prompts: Any) -> list[str]:
        chat = ScriptedChatModel(["One.", "Two."])
        result = getattr(chat, method)(prompts)
        result = asyncio.run(result) if method == "agenerate" else result
        return [call.prompt for call in result.calls]

    assert generated(inputs()) == TEXTS
    value = ChatPromptTemplate.from_messages([("human", "{x}")]).invoke({"x": "v"})
    assert generated(iter(["a", [HumanMessage("b")], value])) == ["a", "b", "v"]


@each_of_all
@pytest.mark.parametrize(
    ("table", "records"),
    [
        (pd.DataFrame({"question": TEXTS}), r'df\.to_dict\("records"\)'),
        (pl.DataFrame({"question": TEXTS}), r"df\.to_dicts\(\)"),
    ],
    ids=["pandas", "polars"],
)
def test_a_table_is_refused_with_what_to_write(table: Any, records: str, run: Any) -> None:
    """It would be iterated over by its columns, which nobody means."""
    with pytest.raises(TypeError, match=rf"Write df\['question'\] .*{records}"):
        run(table)


@pytest.mark.parametrize("run", [RUNS["batch"], RUNS["abatch"]], ids=["batch", "abatch"])
def test_an_asynchronous_iterable_is_sent_elsewhere(run: Any) -> None:
    """`batch` needs all inputs at once; the error names the methods that do not."""

    async def inputs() -> AsyncIterator[str]:
        yield "a"

    with pytest.raises(TypeError, match=r"map\(\) and batch_as_completed\(\) take"):
        run(inputs())


def test_messages_are_not_taken_for_prompts() -> None:
    """A flat list of messages is one prompt; the error says how to write it."""
    with pytest.raises(TypeError, match=r"For one prompt write generate\(\[messages\]\)"):
        SCRIPTED.generate([HumanMessage("a")])  # type: ignore[list-item]
