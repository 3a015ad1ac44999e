"""Usage tables of checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatnb import InMemoryCache, SQLiteCache, UsageTable
from chatnb.chat_models import BaseChatModel
from chatnb.errors import ConfigurationError
from chatnb.notebook.usage_table.summary import sum_up
from chatnb.runnables.batches.checkpoint import PROVIDER_FIELD, Checkpoint
from chatnb.runnables.batches.checkpoint_calls import CheckpointCalls
from chatnb.schema import AIMessage, BaseMessage
from chatnb.schema.model_call import ModelCall, Sum, sum_calls
from chatnb.schema.serialization import messages_to_json
from chatnb.store.database import Database
from tests.support.model_calls import tokens

_MANY = 12_000  # More than a table holds in memory.


class Priced(BaseChatModel):
    """A model that the price list knows, and that counts tokens unless it is asked not to."""

    model_name = "gpt-4o-mini"
    provider = "openai"

    def _generate(self, messages: list[BaseMessage], **_: Any) -> AIMessage:
        prompt = messages[-1].text
        usage: Any = None if prompt == "unknown" else tokens(1_000_000, len(prompt))
        metadata = {"model_name": self.model_name, "finish_reason": "stop"}
        return AIMessage("Fine.", usage_metadata=usage, response_metadata=metadata)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of many calls of two models; every tenth one has no usage."""
    path = tmp_path_factory.mktemp("large") / "run.sqlite"
    checkpoint = Checkpoint(path)
    for number in range(_MANY):
        name = ("gpt-4o", "gpt-4o-mini")[number % 2]
        metadata = {"model_name": name, "finish_reason": "stop", PROVIDER_FIELD: "openai"}
        usage: Any = tokens(number, 1) if number % 10 else None
        reply = AIMessage("Fine.", usage_metadata=usage, response_metadata=metadata)
        checkpoint.append(f"{number:06}", messages_to_json([reply]))
    checkpoint.flush()
    return path


def test_a_batch_leaves_its_usage_and_cost_in_its_checkpoint(tmp_path: Path) -> None:
    """The table has what the batch counted, but no prompts; unknown usage stays unknown."""
    path = tmp_path / "run.sqlite"
    prompts = ["a", "ab", "unknown", "a"]
    result = Priced().generate([[prompt] for prompt in prompts], checkpoint=path, progress=False)
    table = UsageTable(path)
    totals, counted = table.totals, UsageTable(result).totals
    assert (totals.tokens, totals.cost) == (counted.tokens, counted.cost)
    assert totals.cost.unknown == 1
    assert {call.model for call in table.rows} == {"gpt-4o-mini"}
    assert "Total · 4 calls" in repr(table)
    assert UsageTable(str(path)).to_csv().count("\n") == 5


def test_replies_of_a_checkpoint_and_a_cache_do_not_tell_their_provider(tmp_path: Path) -> None:
    """A stored reply is equal to the reply that the model gave."""
    path, cache = tmp_path / "run.sqlite", InMemoryCache()
    chat = Priced()
    chat.cache = cache
    [new], [kept] = (chat.batch(["a"], checkpoint=path, progress=False) for _ in range(2))
    assert kept == new
    assert PROVIDER_FIELD not in chat.invoke("a").response_metadata


@pytest.mark.slow
def test_a_large_checkpoint_is_added_up_without_reading_its_calls(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows that come out of the file are those that are shown, and one for each model."""
    expected = sum_calls(list(CheckpointCalls(large)))
    loaded = list[int]()

    def counting(read: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
        def counted(*given: Any) -> list[Any]:
            rows = read(*given)
            loaded.append(len(rows))
            return rows

        return counted

    for method in ("read", "read_with"):
        monkeypatch.setattr(Database, method, counting(getattr(Database, method)))
    table = UsageTable(large)
    html = table.static_mimebundle().get("text/html", "")
    assert "11,900 more calls" in html
    assert "gpt-4o-mini" in repr(table)
    totals = table.totals
    assert 100 <= sum(loaded) <= 250
    assert len(table) == totals.calls == _MANY
    assert totals.tokens == expected.tokens
    assert totals.tokens["output"] == Sum(_MANY * 9 // 10, _MANY // 10)
    assert totals.cost.known == pytest.approx(expected.cost.known)
    assert totals.cost.unknown == expected.cost.unknown


@pytest.mark.slow
def test_calls_of_a_large_checkpoint_are_read_by_the_page(large: Path) -> None:
    """They are indexed and sliced as a list is, and a widget gets the first of them."""
    table = UsageTable(large)
    rows, calls = table.rows, list(table.rows)
    assert len(calls) == _MANY
    for index in (0, 6_001, -1):
        assert rows[index] == calls[index]
    for index in (slice(5_000, 5_003), slice(-2, None), slice(3, 0, -1), slice(9, 2)):
        assert rows[index] == calls[index]
    with pytest.raises(IndexError):
        rows[_MANY]
    assert table.table["length"] == 10_000
    assert "application/vnd.jupyter.widget-view+json" not in table.mimebundle("widget")[0]


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    """The error names the file and what is the matter, and nothing is written to it."""
    with pytest.raises(FileNotFoundError, match=r"no checkpoint '.*none.sqlite'"):
        UsageTable(tmp_path / "none.sqlite")
    assert not list(tmp_path.iterdir())
    (text := tmp_path / "notes.txt").write_text("These are no replies.\n" * 50)
    SQLiteCache(cache := tmp_path / "cache.sqlite").store("a", "b")
    for path in (text, cache, tmp_path):
        with pytest.raises(ConfigurationError, match=r"cannot be used as a checkpoint"):
            UsageTable(path)
    assert text.read_text().startswith("These are")


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    """A row that chatnb cannot have written is an error, in totals and in rows."""
    rows = ("no JSON", '[{"data": {"usage_metadata": {"input_tokens": "many"}}}]')
    for number, text in enumerate(rows):
        path = tmp_path / f"{number}.sqlite"
        checkpoint = Checkpoint(path)
        checkpoint.append("key", text)
        checkpoint.flush()
        calls = CheckpointCalls(path)
        for read in (lambda calls=calls: calls.totals, lambda calls=calls: list(calls)):
            with pytest.raises(ConfigurationError, match=rf"{number}.sqlite cannot be used"):
                read()


def test_an_empty_checkpoint_is_an_empty_table(tmp_path: Path) -> None:
    """A run that has begun has no calls yet."""
    Checkpoint(path := tmp_path / "run.sqlite").flush()
    assert repr(UsageTable(path)) == "No calls yet."
    assert isinstance(UsageTable([ModelCall("m"), ModelCall("m")]).rows, list)


@pytest.mark.filterwarnings("ignore:The price of model-")
@pytest.mark.parametrize("models", [1, 2, 20, 21, 23])
@pytest.mark.parametrize("known", [True, False])
def test_a_checkpoint_is_summed_up_as_its_calls_are(
    tmp_path: Path, models: int, known: bool
) -> None:
    """The same columns, decimals, totals and note, whether the file adds up or Python does."""
    path = tmp_path / "run.sqlite"
    checkpoint = Checkpoint(path)
    for number in range(2 * models):
        name = "gpt-4o-mini" if number % models == 0 else f"model-{number % models:02}"
        metadata = {"model_name": name, PROVIDER_FIELD: "openai"}
        if known:
            metadata["finish_reason"] = "stop"
        usage: Any = tokens(number + 1, 1) if known else None
        reply = AIMessage("Fine.", usage_metadata=usage, response_metadata=metadata)
        checkpoint.append(f"{number:06}", messages_to_json([reply]))
    checkpoint.flush()
    calls = CheckpointCalls(path)
    by_file, by_python = sum_up(calls), sum_up(list(calls))
    assert [column.name for column in by_file.columns] == [
        column.name for column in by_python.columns
    ]
    assert by_file.price_digits == by_python.price_digits
    assert by_file.prices_note == by_python.prices_note
    assert bool(by_file.prices_note) is known
    assert by_file.totals == by_python.totals
    labels = [label for label, _ in by_file.totals]
    assert labels[-1] == "Total"
    assert len(labels) == (1 if models == 1 else min(models, 20) + 1 + (models > 20))
    assert ("1 more models" in labels) is (models == 21)
    assert ("3 more models" in labels) is (models == 23)
