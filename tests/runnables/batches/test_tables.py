"""Replies as columns of tables."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chatnb import mapper
from chatnb.chat_models import ChatOpenAI, ScriptedChatModel
from chatnb.prompts import ChatPromptTemplate
from chatnb.runnables import RunnableLambda
from chatnb.schema import AIMessage
from chatnb.schema.prompt_values import PromptValue
from tests.support.many_workers import Logged
from tests.tracing.test_usage_tracking import Charged

Make = Callable[[dict[str, list[Any]]], Any]
NAMES = ["n", "prompt", "reply", "reply_tokens", "reply_cost", "reply_error"]


def to_pandas(columns: dict[str, list[Any]]) -> Any:
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(columns, index=[5] * len(columns["n"]))


def to_polars(columns: dict[str, list[Any]]) -> Any:
    return pytest.importorskip("polars").DataFrame(columns)


def to_arrow(columns: dict[str, list[Any]]) -> Any:
    return pytest.importorskip("pyarrow").table(columns)


def to_numpy(columns: dict[str, list[Any]]) -> Any:
    numpy = pytest.importorskip("numpy")
    return {name: numpy.array(values, dtype=object) for name, values in columns.items()}


def to_rows(columns: dict[str, list[Any]]) -> Any:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def values(table: Any, name: str) -> list[Any]:
    if isinstance(table, list):
        return [row[name] for row in table]
    column = table[name]
    found = column.to_pylist() if hasattr(column, "to_pylist") else list(column)
    return [None if str(value) in ("<NA>", "nan", "None") else value for value in found]


LIBRARIES: dict[str, Make] = {
    "pandas": to_pandas,
    "polars": to_polars,
    "arrow": to_arrow,
    "numpy": to_numpy,
    "lists": dict,
    "rows": to_rows,
}
each_library = pytest.mark.parametrize("make", LIBRARIES.values(), ids=LIBRARIES)


@each_library
def test_replies_are_columns_and_a_failure_is_its_row_s(make: Make, tmp_path: Path) -> None:
    """The table keeps its rows and columns; a row without a prompt has an error."""
    ask = pickle.loads(pickle.dumps(mapper(Logged(tmp_path / "log"), "prompt")))
    table = make({"n": [1, 2, 3], "prompt": ["a", None, "c"]})
    found = ask(table)
    assert type(found) is type(table)
    assert values(found, "n") == [1, 2, 3]
    assert values(found, "reply") == ["reply to a", None, "reply to c"]
    assert values(found, "reply_tokens") == [3, None, 3]
    errors = values(found, "reply_error")
    assert errors[0] is errors[2] is None
    assert "no value in the column 'prompt'" in errors[1]


def test_a_row_has_the_tokens_and_the_cost_of_all_its_calls() -> None:
    """A chain may call a model several times for a row, which is charged for each."""
    chat = Charged()

    def ask_twice(text: str) -> AIMessage:
        return chat.invoke(chat.invoke(text).text)

    once, twice = (
        mapper(chain, "prompt")([{"prompt": "Hi"}])[0]
        for chain in (chat, RunnableLambda(ask_twice))
    )
    assert (once["reply_tokens"], twice["reply_tokens"]) == (10, 20)
    assert twice["reply_cost"] == pytest.approx(2 * once["reply_cost"])
    assert once["reply_cost"] > 0


@each_library
def test_an_empty_table_gets_the_columns(make: Make) -> None:
    """An engine that asks for the columns makes no call; polars and pandas have their types."""
    ask = mapper(ScriptedChatModel([AssertionError("called")]), {"question": "prompt"})
    table = make({"n": [], "prompt": []})
    if isinstance(table, list | dict):
        assert len(ask(table)) == (0 if isinstance(table, list) else len(NAMES))
        return
    found = ask.meta(table)
    assert [*getattr(found, "column_names", found.columns)] == NAMES
    if make is to_pandas:
        assert str(found["reply_tokens"].dtype) == "Int64"


@dataclass
class City:
    name: str
    people: int


def test_fields_of_objects_are_columns() -> None:
    """Of dataclasses and dicts; the reply itself is their JSON."""
    chat = ScriptedChatModel(['{"name": "Oslo", "people": 7}'])
    for schema in (City, {"title": "City", "type": "object", "properties": {}}):
        ask = mapper(chat.with_structured_output(schema), "q", "city", fields=["name", "people"])
        [row] = ask([{"q": "?"}])
        assert (row["city_name"], row["city_people"]) == ("Oslo", 7)
        assert row["city"] == '{"name": "Oslo", "people": 7}'


def test_columns_fill_the_variables_of_a_prompt() -> None:
    """Each key of the inputs has a column."""
    text = RunnableLambda[PromptValue, str](lambda prompt: prompt.to_string())
    chain = ChatPromptTemplate.from_template("{a}-{b}") | text
    [row] = mapper(chain, {"a": "x", "b": "y"}, "out")([{"x": 1, "y": 2}])
    assert row["out"].endswith("1-2")


def test_a_table_is_mapped_again_from_the_checkpoint(tmp_path: Path) -> None:
    """A partition that runs twice requests its replies once."""
    chat = Logged(tmp_path / "log")
    ask = mapper(chat, "q", checkpoint=tmp_path / "run.sqlite")
    rows = [{"q": "a"}, {"q": "b"}]
    assert ask(rows) == ask(rows)
    assert sorted(chat.log.read_text().split()) == ["a", "b"]


def test_spark_s_iterators_of_tables() -> None:
    """An iterator gives an iterator, as mapInPandas has it."""
    ask = mapper(ScriptedChatModel(["r"]), "q")
    parts = ask(iter([[{"q": "a"}], [{"q": "b"}, {"q": "c"}]]))
    assert [len(part) for part in parts] == [1, 2]


def test_pickles_have_keys_only_if_they_are_to_be_sent() -> None:
    """As those of batches."""
    chat = ChatOpenAI("m", api_key="sk-very-secret")
    assert b"sk-very-secret" not in pickle.dumps(mapper(chat, "q"))
    assert b"sk-very-secret" in pickle.dumps(mapper(chat, "q", send_keys=True))


REFUSED: dict[str, tuple[Any, Any, str]] = {
    "no such column": ("q", [{"p": 1}], "no column 'q'; it has p"),
    "no such column in a dict": ("q", {"p": [1]}, "no column 'q'; it has p"),
    "no table": ("q", 5, "takes a DataFrame of pandas or polars"),
}


@pytest.mark.parametrize(("column", "table", "problem"), REFUSED.values(), ids=REFUSED)
def test_other_tables_are_refused(column: Any, table: Any, problem: str) -> None:
    """The error names what there is."""
    with pytest.raises((KeyError, TypeError), match=problem):
        mapper(ScriptedChatModel(["r"]), column)(table)
    no_columns: Any = [column]
    with pytest.raises(TypeError, match="mapper takes a column"):
        mapper(ScriptedChatModel(["r"]), no_columns)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_row_without_a_value_has_an_error_and_makes_no_call(library: str) -> None:
    """A missing prompt, or variable of one, would be sent as nan or None, and paid for."""
    table = LIBRARIES[library]({"n": [1, 2], "prompt": ["a", None]})
    sent = list[object]()
    chain = RunnableLambda(lambda given: [sent.append(given), "Yes."][1])
    for ask in (mapper(chain, "prompt"), mapper(chain, {"n": "n", "text": "prompt"})):
        mapped = ask(table)
        assert values(mapped, "reply") == ["Yes.", None]
        assert "no value in the column 'prompt'" in values(mapped, "reply_error")[1]
        assert values(mapped, "reply_error")[0] is None
    assert sent == ["a", {"n": 1, "text": "a"}]


@pytest.mark.parametrize("library", ["polars", "arrow"])
def test_parts_of_a_table_have_the_same_types(library: str) -> None:
    """Engines put the parts together: one without rows, without replies, and without errors."""
    make = LIBRARIES[library]
    replies = mapper(ScriptedChatModel(["Yes."]), "prompt")
    errors = mapper(ScriptedChatModel([RuntimeError("No.")]), "prompt")
    rows = make({"n": [1], "prompt": ["a"]})
    parts = [replies(rows), errors(rows), replies(rows[:0])]
    assert parts[0].schema == parts[1].schema == parts[2].schema


def test_columns_that_would_be_lost_are_refused() -> None:
    """A new column replaces neither the prompts nor another new one; an older one of its name it
    does, so that a table can be mapped again."""
    chat = ScriptedChatModel(["Yes."])
    with pytest.raises(ValueError, match="would replace the prompts"):
        mapper(chat, {"text": "prompt", "n": "reply_cost"})
    with pytest.raises(ValueError, match="there is a column reply_tokens"):
        mapper(chat, "prompt", fields=["tokens"])
    assert mapper(chat, "prompt")([{"prompt": "a", "reply": "old"}])[0]["reply"] == "Yes."


def test_what_is_no_table_or_has_no_such_column_is_told() -> None:
    """Also where the names of columns are no texts, or several are equal."""
    pandas, ask = pytest.importorskip("pandas"), mapper(ScriptedChatModel(["Yes."]), "prompt")
    with pytest.raises(KeyError, match="it has 0, 1"):
        ask(pandas.DataFrame([["a", "b"]]))
    with pytest.raises(ValueError, match="2 columns 'prompt'"):
        ask(pandas.DataFrame([["a", "b"]], columns=["prompt", "prompt"]))
    with pytest.raises(TypeError, match="not Series"):
        ask(pandas.Series(["a"]))
