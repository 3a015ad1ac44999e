from __future__ import annotations

import asyncio
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import pytest

from chatnb import budget
from chatnb.chat_models import BaseChatModel, ScriptedChatModel
from chatnb.chat_models.generate import count_tokens, llm_result, run_output
from chatnb.errors import ServerError
from chatnb.notebook.usage_table.sources import calls_from_source
from chatnb.schema import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from chatnb.schema.model_call import Sum, sum_calls
from chatnb.schema.prompt_values import StringPromptValue
from chatnb.schema.results import LLMResult
from chatnb.schema.usage import UsageMetadata
from tests.support.recording_handler import Recorder

Generate = Callable[..., LLMResult]


class Echo(BaseChatModel):
    """Repeats the last message; a number of calls may be held together at a barrier."""

    model_name = "echo"

    def __init__(self, together: int = 0) -> None:
        self._barrier = threading.Barrier(together, timeout=60) if together else None

    def _generate(self, messages: list[BaseMessage], **_: Any) -> AIMessage:
        if self._barrier:
            self._barrier.wait()
        text = messages[-1].text
        if text == "fail":
            raise ServerError("Slow down.", retry_after=3.0)
        size = len(text)
        usage = {"input_tokens": size, "output_tokens": 1, "total_tokens": size + 1}
        return AIMessage(text, usage_metadata=usage, response_metadata={"finish_reason": "stop"})


def sync_generate(chat: BaseChatModel, *args: Any, **params: Any) -> LLMResult:
    return chat.generate(*args, **params)


def async_generate(chat: BaseChatModel, *args: Any, **params: Any) -> LLMResult:
    return asyncio.run(chat.agenerate(*args, **params))


both = pytest.mark.parametrize("generate", [sync_generate, async_generate])


@both
def test_generate_keeps_the_order_and_sums_the_usage(generate: Generate) -> None:
    """Each prompt has its candidates in its place, and the usage is that of all calls."""
    result = generate(Echo(), [[HumanMessage("one")], ["seven"]])
    assert [some[0].text for some in result.generations] == ["one", "seven"]
    assert result.generations[0][0].generation_info == {"finish_reason": "stop"}
    assert result.llm_output == {
        "token_usage": {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10},
        "model_name": "echo",
    }
    assert result.run is not None
    assert len({info.run_id for info in result.run}) == 2


@both
def test_generate_of_nothing_is_empty(generate: Generate) -> None:
    """No prompts, no calls, no error."""
    assert generate(Echo(), []).generations == []


@both
def test_calls_run_at_the_same_time(generate: Generate) -> None:
    """Four calls that wait for each other all come through."""
    result = generate(Echo(together=4), [["a"], ["b"], ["c"], ["d"]])
    assert [some[0].text for some in result.generations] == ["a", "b", "c", "d"]


@both
def test_a_failure_keeps_what_was_paid_for(generate: Generate) -> None:
    """The error is the first failure's own kind, and carries the replies that came."""
    with pytest.raises(ServerError) as raised:
        generate(Echo(), [["a"], ["fail"]], max_concurrency=1)
    assert raised.value.retry_after == 3.0
    assert raised.value.results[0][0].text == "a"  # type: ignore[attr-defined]


@both
@pytest.mark.parametrize("messages", [[HumanMessage("Hi")], "Hi", StringPromptValue("Hi"), None])
def test_a_flat_list_is_refused_with_what_to_write(generate: Generate, messages: Any) -> None:
    """The commonest mistake, one list too few, says what to write instead."""
    with pytest.raises(TypeError, match="list of lists of messages"):
        generate(Echo(), messages)


def test_unknown_usage_does_not_break_the_sum() -> None:
    """A provider that does not count leaves the sum to those that do."""
    chat = ScriptedChatModel(
        [
            "a",
            AIMessage(
                "b", usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
            ),
        ]
    )
    result = chat.generate([["x"], ["y"]], max_concurrency=1)
    assert result.llm_output is not None
    assert result.llm_output["token_usage"] == {
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "total_tokens": 3,
    }


def test_the_call_and_predict_answer_in_messages_and_in_text() -> None:
    """`chat(messages)`, `predict` and `predict_messages` are the page's, and have async twins."""
    chat = Echo()
    assert chat([HumanMessage("Hi")]).content == "Hi"
    assert chat.predict("Hi") == asyncio.run(chat.apredict("Hi")) == "Hi"
    asked = [HumanMessage("Hi")]
    assert chat.predict_messages(asked) == asyncio.run(chat.apredict_messages(asked))


def test_tokens_are_counted_about() -> None:
    """Without tiktoken the count is a quarter of the bytes; messages add their frames."""
    assert count_tokens("", "some-model") == 0
    assert count_tokens("x" * 41, "some-model") == 11
    assert Echo().get_num_tokens_from_messages([HumanMessage("abcd"), HumanMessage("abcd")]) == 10


@pytest.mark.parametrize(
    ("known", "name", "count"),
    [(True, "m", 2), (True, "other", 4), (False, "m", 4)],
)
def test_tokens_are_those_of_an_encoding_that_is_known(
    monkeypatch: pytest.MonkeyPatch, known: bool, name: str, count: int
) -> None:
    """With tiktoken, and a model that it knows; what looks like a special token is text."""

    class Encoding:
        def encode(self, text: str, disallowed_special: Any = "all") -> list[str]:
            assert disallowed_special == ()
            return text.split()

    def encoding_for_model(name: str) -> Encoding:
        return {"m": Encoding()}[name]

    tiktoken: Any = types.ModuleType("tiktoken")
    tiktoken.encoding_for_model = encoding_for_model
    monkeypatch.setitem(sys.modules, "tiktoken", tiktoken if known else None)
    assert count_tokens("One, <|endtext|>", name) == count


@both
def test_what_describes_the_run_is_not_sent_to_the_model(generate: Generate) -> None:
    """`callbacks`, `tags` and `metadata` beside the prompts belong to the run."""
    seen = list[dict[str, Any]]()

    class Notes(Echo):
        def _generate(self, messages: list[BaseMessage], **params: Any) -> AIMessage:
            seen.append({k: v for k, v in params.items() if v is not None})
            return super()._generate(messages)

    generate(Notes(), [["Hi"]], callbacks=[Recorder()], tags=["a"], metadata={"b": 1}, seed=3)
    assert seen == [{"seed": 3}]


@pytest.mark.parametrize("config", ["abc", {"tag": []}])
def test_a_config_that_is_none_is_refused(config: Any) -> None:
    """A misspelt key of a config is noticed by a model as by a chain."""
    with pytest.raises((TypeError, ValueError)):
        Echo().invoke("Hi", config)


def test_text_in_the_place_of_a_prompt_value_is_refused() -> None:
    """`generate_prompt` says what it takes, and what to write for text."""
    with pytest.raises(TypeError, match="takes prompt values"):
        Echo().generate_prompt(["Hi"])  # type: ignore[list-item]
    prompts = [StringPromptValue("Hi"), StringPromptValue("Hey")]
    for result in (
        Echo().generate_prompt(prompts),
        asyncio.run(Echo().agenerate_prompt(prompts)),
    ):
        assert [some[0].text for some in result.generations] == ["Hi", "Hey"]


@both
def test_prompts_that_failed_are_told_of_as_well(generate: Generate) -> None:
    """Each prompt has its call, the failed ones with what they failed with, also split by prompt;
    a call that a budget kept from being made is one of them."""

    class Fails(Echo):
        def _generate(self, messages: list[BaseMessage], **params: Any) -> AIMessage:
            if messages[-1].text == "bad":
                raise ServerError("Down.")
            tokens = UsageMetadata(input_tokens=1, output_tokens=1, total_tokens=2)
            return AIMessage("ok", usage_metadata=tokens)

    prompts = [["bad"], ["a"], ["b"]]
    with budget(tokens=2):
        result = generate(Fails(), prompts, max_concurrency=1, return_exceptions=True)
    errors = ["ServerError", None, "BudgetSpentError"]
    assert [call.error for call in calls_from_source(result)] == errors
    # The call that was not made took nothing; what the failed one took is unknown.
    tokens = sum_calls(calls_from_source(result)).tokens
    assert [tokens[name] for name in ("input", "output", "total")] == [
        Sum(1, 1),
        Sum(1, 1),
        Sum(2, 1),
    ]
    parts = result.flatten()
    assert [call.error for part in parts for call in calls_from_source(part)] == errors
    assert [list(part.errors) for part in parts] == [[0], [], [0]]
    assert sum_calls(calls_from_source(result)).tokens["total"] == Sum(2, unknown=1)


def replied(text: str, **metadata: Any) -> AIMessage:
    usage = metadata.pop("usage", None)
    tokens = usage and UsageMetadata(input_tokens=usage, output_tokens=1, total_tokens=usage + 1)
    return AIMessage(text, usage_metadata=tokens, response_metadata=metadata)


@pytest.mark.parametrize(
    ("replies", "output"),
    [
        ([], {"token_usage": {}, "model_name": "m"}),
        ([[], []], {"token_usage": {}, "model_name": "m"}),
        (
            [[replied("a", model_name="first")], [replied("b", from_cache=True)]],
            {"token_usage": {}, "model_name": "first", "calls_without_usage": 1},
        ),
        (
            [
                [replied("a", usage=3, model_name="first"), replied("b", model_name="other")],
                [],
                [replied("c", usage=4, model_name="last"), replied("d", usage=5)],
            ],
            {
                "token_usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
                "model_name": "last",
            },
        ),
    ],
)
def test_the_usage_is_that_of_the_first_candidates(
    replies: list[list[AIMessage]], output: dict[str, Any]
) -> None:
    """They have that of all; the name is the last that a server gave."""
    result = llm_result(replies, "m")
    assert result.llm_output == output
    assert [[each.text for each in some] for some in result.generations] == [
        [reply.text for reply in candidates] for candidates in replies
    ]


def test_a_generation_has_the_ending_and_the_probabilities() -> None:
    """And no empty ones; the chunk of a run has no output of the model."""
    reply = replied("a", finish_reason="stop", logprobs={"content": []}, model_name="m")
    ((generation,),) = llm_result([[reply]], "m").generations
    assert generation.generation_info == {"finish_reason": "stop", "logprobs": {"content": []}}
    ((plain,),) = llm_result([[replied("a", finish_reason="", logprobs=None)]], "m").generations
    assert plain.generation_info is None
    assert run_output(AIMessageChunk("a"), "m")["llm_output"] is None
    assert (
        run_output(reply, "m") == run_output([reply], "m") == llm_result([[reply]], "m").as_dict()
    )
