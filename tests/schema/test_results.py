from __future__ import annotations

import copy
import pickle
from typing import Any
from uuid import UUID

import pytest

from chatnb.schema import (
    AIMessage,
    ChatGeneration,
    ChatPromptValue,
    ChatResult,
    Generation,
    HumanMessage,
    LLMResult,
    RunInfo,
    StringPromptValue,
    SystemMessage,
    get_buffer_string,
    to_messages,
)
from chatnb.schema.message_types import message_markdown
from chatnb.schema.results import token_usage
from chatnb.schema.usage import add_usage, latest_usage, sum_counts, usage_text

USAGE: Any = {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4}


def result() -> LLMResult:
    replies = [AIMessage("it's"), AIMessage("b")]
    return LLMResult(
        [[ChatGeneration(message=r, generation_info={"finish_reason": "stop"})] for r in replies],
        {"token_usage": {"total_tokens": 7}, "model_name": "m"},
        [RunInfo(UUID(int=number)) for number in (1, 2)],
    )


def test_the_reprs_show_every_field_in_order() -> None:
    """Results, candidates and runs are shown as one would write them."""
    assert repr(result()) == (
        "LLMResult(generations=[["
        """ChatGeneration(text="it's", generation_info={'finish_reason': 'stop'}, """
        """message=AIMessage(content="it's"))], ["""
        "ChatGeneration(text='b', generation_info={'finish_reason': 'stop'}, "
        "message=AIMessage(content='b'))]], "
        "llm_output={'token_usage': {'total_tokens': 7}, 'model_name': 'm'}, "
        "run=[RunInfo(run_id=UUID('00000000-0000-0000-0000-000000000001')), "
        "RunInfo(run_id=UUID('00000000-0000-0000-0000-000000000002'))])"
    )
    assert repr(Generation("a")) == "Generation(text='a')"
    assert repr(ChatResult([])) == "ChatResult(generations=[], llm_output=None)"


def test_flatten_gives_a_result_a_prompt_with_the_usage_once() -> None:
    """Each prompt's part has its run; the usage is on the first, so that it still sums up."""
    first, second = result().flatten()
    assert [first.generations, second.generations] == [[g] for g in result().generations]
    assert first.llm_output == {"token_usage": {"total_tokens": 7}, "model_name": "m"}
    assert second.llm_output == {"token_usage": {}, "model_name": "m"}
    assert second.run == [RunInfo(UUID(int=2))]
    assert LLMResult([[]]).flatten() == [LLMResult([[]])]
    assert LLMResult([]).flatten() == []


def test_a_result_is_a_dict_down_to_its_messages() -> None:
    """The dict has the fields of each candidate; messages stay messages."""
    candidate = result().as_dict()["generations"][1][0]
    assert candidate == {
        "text": "b",
        "generation_info": {"finish_reason": "stop"},
        "message": AIMessage("b"),
    }


def test_which_runs_made_a_result_does_not_count() -> None:
    """Two results with the same candidates are equal."""
    other = result()
    other.run = None
    assert other == result()


def test_a_candidate_needs_a_message() -> None:
    """Anything else is refused."""
    with pytest.raises(TypeError, match="ChatGeneration takes a message, not 'Hi'"):
        ChatGeneration(message="Hi")  # type: ignore[arg-type]


def test_usage_sums_up_whatever_is_missing() -> None:
    """Answers of a cache or without usage do not crash the sum; nested counts add up too."""
    usages: list[Any] = [
        {**token_usage(USAGE), "details": {"cached": 1}},
        None,
        {},
        {"total_tokens": 1, "odd": None, "details": {"cached": 2, "x": 1}},
    ]
    assert sum_counts(usages) == {
        "prompt_tokens": 3,
        "completion_tokens": 1,
        "total_tokens": 5,
        "details": {"cached": 3, "x": 1},
    }
    assert sum_counts([]) == {}
    assert token_usage(None) == {}


def test_costs_of_calls_add_up_with_their_details() -> None:
    """Each count is summed; a call without counts adds nothing."""
    detailed: Any = {**USAGE, "input_token_details": {"cached": 2}}
    detailed["output_token_details"] = {"reasoning": 1}
    assert add_usage(detailed, detailed) == {
        "input_tokens": 6,
        "output_tokens": 2,
        "total_tokens": 8,
        "input_token_details": {"cached": 4},
        "output_token_details": {"reasoning": 2},
    }
    assert add_usage(None, USAGE) == add_usage(USAGE, None) == USAGE
    assert add_usage(None, None) is None


def test_prompt_values_are_text_and_messages() -> None:
    """Either kind of prompt goes into models of text and of messages."""
    messages = [SystemMessage("Be brief."), HumanMessage("Hi")]
    chat, text = ChatPromptValue(messages), StringPromptValue("Hi")
    assert (chat.to_string(), text.to_string()) == ("System: Be brief.\nHuman: Hi", "Hi")
    assert to_messages(chat) == messages
    assert to_messages(text) == [HumanMessage("Hi")]
    assert chat.to_messages() is not messages


def test_prompts_of_something_else_are_refused() -> None:
    """A prompt of text takes text, and one of messages takes messages."""
    with pytest.raises(TypeError, match="StringPromptValue takes a string, not 3"):
        StringPromptValue(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="ChatPromptValue takes messages, not 'Hi'"):
        ChatPromptValue(["Hi"])  # type: ignore[list-item]


def test_a_transcript_names_each_speaker() -> None:
    """Prefixes can be chosen, roles of one's own are used, and tool calls are shown."""
    from chatnb.schema import AIMessageChunk, ChatMessage, FunctionMessage, ToolMessage

    call: Any = {"name": "add", "args": {"a": 1}, "id": "c1"}
    messages = [
        HumanMessage("Hi"),
        AIMessageChunk("Wait.", tool_calls=[call]),
        ToolMessage("4", tool_call_id="c1"),
        FunctionMessage("5", name="f"),
        ChatMessage("Hm.", role="critic"),
    ]
    assert get_buffer_string(messages, "User", "Bot") == (
        'User: Hi\nBot: Wait.[{"name": "add", "args": {"a": 1}, "id": "c1", "type": "tool_call"}]\n'
        "Tool: 4\nFunction: 5\ncritic: Hm."
    )


def test_a_message_is_markdown_with_its_parts_named() -> None:
    """Text stays as it is, other parts are named, and tool calls cannot end their fence."""
    assert message_markdown(HumanMessage(["a", {"type": "image_url"}])) == "a\n\n*[image_url]*"
    call: Any = {"name": "run", "args": {"code": "```"}, "id": "c1"}
    shown = message_markdown(AIMessage("", tool_calls=[call]))
    assert shown == '```\nrun({"code": "` ` `"})\n```'


def test_a_run_keeps_its_random_id() -> None:
    """The id is made when it is first needed: by a copy and a pickle as by reading it."""
    for copied in (copy.copy, copy.deepcopy, lambda run: pickle.loads(pickle.dumps(run))):
        run = RunInfo()
        assert copied(run) == run
        assert {run} == {RunInfo(run.run_id)}
        assert run != RunInfo()


def usage_of(inputs: int, outputs: int, **more: Any) -> Any:
    total = inputs + outputs
    return {"input_tokens": inputs, "output_tokens": outputs, "total_tokens": total, **more}


@pytest.mark.parametrize(
    ("left", "right", "latest", "added"),
    [
        (None, None, None, None),
        (usage_of(1, 2), None, usage_of(1, 2), usage_of(1, 2)),
        (None, usage_of(1, 2), usage_of(1, 2), usage_of(1, 2)),
        (usage_of(3, 1), usage_of(2, 2), {**usage_of(3, 2), "total_tokens": 4}, usage_of(5, 3)),
        (
            usage_of(1, 1, cost=0.5, service_tier="flex"),
            usage_of(1, 1, cost=0.25, service_tier="flex"),
            usage_of(1, 1, cost=0.25, service_tier="flex"),
            usage_of(2, 2, cost=0.75, service_tier="flex"),
        ),
        (
            usage_of(1, 1, cost=0.5, service_tier="flex"),
            usage_of(1, 1),
            usage_of(1, 1, cost=0.5, service_tier="flex"),
            usage_of(2, 2),
        ),
        (
            usage_of(1, 1, service_tier="flex"),
            usage_of(1, 1, cost=0.5, service_tier="priority"),
            usage_of(1, 1, cost=0.5, service_tier="priority"),
            usage_of(2, 2),
        ),
        (
            usage_of(1, 1, input_token_details={"cached": 1, "audio": 2}),
            usage_of(1, 1, input_token_details={"cached": 3}, output_token_details={"audio": 0}),
            usage_of(
                1,
                1,
                input_token_details={"cached": 3, "audio": 2},
                output_token_details={"audio": 0},
            ),
            usage_of(
                2,
                2,
                input_token_details={"cached": 4, "audio": 2},
                output_token_details={"audio": 0},
            ),
        ),
    ],
)
def test_usage_of_one_reply_is_the_latest_and_of_two_calls_the_sum(
    left: Any, right: Any, latest: Any, added: Any
) -> None:
    """A sum has a cost and a tier only if both have them, and the tiers are the same."""
    assert latest_usage(left, right) == latest
    assert add_usage(left, right) == added


def test_usage_is_written_for_people() -> None:
    """Thousands are separated; what is not known is nothing."""
    assert usage_text(usage_of(1_234, 5)) == "1,234 tokens in, 5 out"
    assert usage_text(None) == ""


def test_sums_of_counts_leave_out_what_is_no_number() -> None:
    """A number that follows a text or a dict begins anew, and so does a dict after a number."""
    assert sum_counts([{"a": "x"}, {"a": 1}, {"a": 2.5}]) == {"a": 3.5}
    assert sum_counts([{"a": {"b": 1}}, {"a": 2}]) == {"a": 2}
    assert sum_counts([{"a": 2}, {"a": {"b": 1}}]) == {"a": {"b": 1}}
