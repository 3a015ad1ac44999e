from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from chatnb import InMemoryCache
from chatnb.chat_models import ScriptedChatModel
from chatnb.notebook.usage_table.sources import calls_from_source
from chatnb.schema import (
    AIMessage,
    ChatGeneration,
    HumanMessage,
    LLMResult,
    RunLog,
    SystemMessage,
    ToolMessage,
)
from chatnb.schema.model_call import ModelCall, Sum, group_by_model, sum_calls
from chatnb.schema.run_logs.log import RunLogPatch
from tests.support.call_counting import calls_during
from tests.support.model_calls import made_up, tokens
from tests.support.run_logs import LogWriter, failure

USAGE = tokens(30, 4)


class Charged(ScriptedChatModel):
    provider = "openai"


def reply(text: str = "Hello.", **about: Any) -> AIMessage:
    metadata = {"model_name": "m", "finish_reason": "stop", **about}
    return AIMessage(text, usage_metadata=USAGE, response_metadata=metadata)


def log_of(chain: Any, given: Any = "Hi") -> RunLog:
    return sum(chain.stream_log(given), start=RunLog())


# Who tells of calls.


def test_a_result_tells_of_the_calls_it_was_made_with() -> None:
    """The calls that `generate` recorded are used as they are, in a new list."""
    calls = [ModelCall("m"), ModelCall("n")]
    found = calls_from_source(LLMResult([[]], calls=calls))
    assert found == calls
    assert found is not calls


def test_a_result_without_them_says_what_its_messages_say() -> None:
    """One a prompt, of which the first candidate tells the tokens of all."""
    first = [ChatGeneration(message=reply()), ChatGeneration(message=reply("Hey."))]
    second = [ChatGeneration(message=AIMessage("?"))]
    result = LLMResult([first, second, []], {"model_name": "of the result"})
    assert calls_from_source(result) == [
        ModelCall("m", usage=USAGE, finish_reason="stop"),
        ModelCall("of the result"),
    ]


def test_a_log_tells_of_every_call_within_it() -> None:
    """Model, prompt, tokens, cost, times and finish reason are those of the entry."""
    chat = Charged(["Hello there."], usage=[USAGE], model_name="gpt-4o-mini")
    log = log_of(chat | str)
    [call] = calls_from_source(log)
    entry = log.state["logs"]["Charged"]
    assert (call.model, call.provider, call.prompt) == ("gpt-4o-mini", "openai", "Hi")
    assert (call.usage, call.finish_reason, call.cached, call.error) == (USAGE, "stop", False, None)
    assert call.cost == entry["cost"]
    assert call.seconds is not None
    assert call.first_seconds is not None
    assert 0 <= call.first_seconds <= call.seconds


def test_a_log_of_a_model_is_one_call() -> None:
    """A log of a model call itself has in its root the fields of an entry."""
    chat = Charged(["Hello."], usage=[USAGE], model_name="gpt-4o-mini")
    [call] = calls_from_source(log_of(chat, [SystemMessage("Be brief."), HumanMessage("Hi\nyou")]))
    assert (call.model, call.prompt, call.usage) == ("gpt-4o-mini", "Hi you", USAGE)
    assert call.cost
    assert call.finish_reason == "stop"


def test_a_log_may_hold_generations_as_objects() -> None:
    """Code that writes a log of its own has what `generate` returns."""
    writer = LogWriter("gpt-4o-mini", type="llm")
    value = {"generations": [[ChatGeneration(message=reply())]]}
    end = RunLogPatch({"op": "replace", "path": "/final_output", "value": value})
    [call] = calls_from_source(RunLog(*writer.patches, end))
    assert (call.model, call.finish_reason) == ("m", "stop")


def test_a_log_from_a_file_tells_the_same() -> None:
    """Nothing is lost on the way to a file and back."""
    log = log_of(Charged(["Hello."], usage=[USAGE], model_name="gpt-4o-mini") | str)
    lines = [patch.to_json() for patch in log.patches]
    assert calls_from_source(RunLog.load(lines)) == calls_from_source(log)


def test_calls_that_failed_or_go_on_are_rows_too() -> None:
    """A failure keeps its name; of a run that goes on no latency is known."""
    log = LogWriter("log")
    failed = log.start("ChatOpenAI", "llm", inputs=[HumanMessage("Why?")])
    log.later(0.5)
    log.end(failed, error=failure("RateLimitError", "no"))
    log.start("ChatOpenAI", "llm", metadata={"ls_model_name": "m", "ls_provider": "openai"})
    assert calls_from_source(RunLog(*log.patches)) == [
        ModelCall("ChatOpenAI", "", "Why?", seconds=0.5, error="RateLimitError"),
        ModelCall("m", "openai"),
    ]


def test_a_call_around_another_one_is_none() -> None:
    """A log's calls add up to its usage: a model that hands on to another is counted once."""
    log = LogWriter("log", type="llm")
    outer = log.start("outer", "llm")
    inner = log.start("inner", "llm", outer)
    log.end(inner, "x", usage=USAGE)
    log.end(outer, "x", usage=USAGE)
    log.finish("x")
    whole = RunLog(*log.patches)
    assert [call.model for call in calls_from_source(whole)] == ["inner"]
    assert whole.usage == USAGE


def test_a_cached_reply_says_so() -> None:
    """Its tokens are not unknown: there were none."""
    chat = Charged(["Hello."], usage=[USAGE], model_name="gpt-4o-mini", cache=InMemoryCache())
    asked, found = (calls_from_source(log_of(chat)) for _ in range(2))
    assert (asked[0].cached, found[0].cached) == (False, True)
    assert sum_calls([*asked, *found]).tokens["total"] == Sum(34, 0)
    [message] = calls_from_source(chat.invoke("Hi"))
    assert message.cached


def test_a_conversation_has_a_row_for_each_reply() -> None:
    """The prompt is what a person said before it, also where tools had their say since."""
    talk = [
        SystemMessage("Be brief."),
        HumanMessage("What is\n a cell?"),
        reply(),
        ToolMessage("42", tool_call_id="1"),
        reply("It is."),
        HumanMessage("And now?"),
        AIMessage("Well."),
    ]
    prompts = [call.prompt for call in calls_from_source(talk)]
    assert prompts == ["What is a cell?", "What is a cell?", "And now?"]
    assert calls_from_source(reply()) == [ModelCall("m", usage=USAGE, finish_reason="stop")]
    assert calls_from_source(SimpleNamespace(messages=talk)) == calls_from_source(talk)


def test_a_list_of_all_of_these() -> None:
    """Messages beside each other are a conversation; everything else tells its own calls."""
    tracker = SimpleNamespace(calls=[ModelCall("tracked")])
    result = LLMResult([[ChatGeneration(message=reply(model_name="generated"))]])
    talk = [HumanMessage("One"), reply(model_name="said")]
    nested = [HumanMessage("Two"), reply(model_name="nested")]
    found = calls_from_source([tracker, *talk, result, nested])
    assert [(call.model, call.prompt) for call in found] == [
        ("tracked", ""),
        ("said", "One"),
        ("generated", ""),
        ("nested", "Two"),
    ]
    assert calls_from_source([]) == []


@pytest.mark.parametrize("source", ["text", None, 3, {"role": "user"}, [reply(), "text"]])
def test_anything_else_is_refused(source: object) -> None:
    """The error says what would be taken, and what was given."""
    with pytest.raises(TypeError, match=r"LLMResult, a RunLog, a message.*, not \w+: "):
        calls_from_source(source)


# What they add up to.


def test_what_is_not_known_is_never_nothing() -> None:
    """A sum says of how many it does not know; of nothing known there is no sum."""
    calls = [ModelCall("m", usage=USAGE), ModelCall("m"), ModelCall("m", error="OSError")]
    totals = sum_calls(calls)
    assert str(totals.tokens["total"]) == "34 + 2 unknown"
    assert totals.tokens["cached"] == Sum(None, 3)
    assert totals.cost == Sum(None, 3)
    assert str(totals.cost) == ""
    assert (totals.calls, totals.failed) == (3, 1)


def test_cached_replies_take_nothing_and_hide_nothing() -> None:
    """They add nothing to a sum, neither tokens nor something unknown; alone they make a 0."""
    cached = ModelCall("m", cached=True)
    assert sum_calls([cached, cached]).cost == Sum(0, 0)
    assert sum_calls([cached, ModelCall("m")]).tokens["input"] == Sum(None, 1)
    assert sum_calls([cached, ModelCall("m", usage=USAGE)]).tokens["input"] == Sum(30, 0)
    assert sum_calls([cached]).from_cache == 1


def test_mean_times_are_of_what_models_answered() -> None:
    """Failures and cached replies are quick and say nothing of a model."""
    calls = [
        ModelCall("m", seconds=1.0, first_seconds=0.5),
        ModelCall("m", seconds=2.0),
        ModelCall("m", seconds=0.01, error="OSError"),
        ModelCall("m", seconds=0.01, cached=True),
    ]
    totals = sum_calls(calls)
    assert (totals.seconds, totals.first_seconds) == (1.5, 0.5)


def test_subtotals_add_up_to_the_total() -> None:
    """Every call belongs to one model."""
    calls = made_up(100, gaps=True)
    parts = [sum_calls(some) for some in group_by_model(calls).values()]
    total = sum_calls(calls)
    assert len(parts) == 3
    assert sum(part.calls for part in parts) == total.calls == 100
    for name, whole in total.tokens.items():
        assert sum(part.tokens[name].known or 0 for part in parts) == whole.known
        assert sum(part.tokens[name].unknown for part in parts) == whole.unknown


@pytest.mark.slow
def test_the_work_grows_with_the_rows_and_no_faster() -> None:
    """Ten times the rows are ten times the work: of making them, and of summing them up."""

    def work(rows: int) -> int:
        messages = [HumanMessage("Hi"), reply()] * rows

        def fold() -> None:
            calls = calls_from_source(messages)
            sum_calls(calls)
            for some in group_by_model(calls).values():
                sum_calls(some)

        return sum(calls_during(fold).values())

    assert work(10_000) <= 10 * work(1_000)
    assert work(10_000) < 10_000 * 60
