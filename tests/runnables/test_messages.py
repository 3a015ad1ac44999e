"""`trim_messages`, `filter_messages` and `merge_message_runs` of any input, and in chains."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from chatnb.chat_models import ScriptedChatModel
from chatnb.prompts import ChatPromptTemplate
from chatnb.schema import (
    AIMessage,
    BaseMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    filter_messages,
    merge_message_runs,
    trim_messages,
)

FUNCTIONS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "trim": (trim_messages, {"max_tokens": 9, "token_counter": len}),
    "filter": (filter_messages, {"exclude_types": "system"}),
    "merge": (merge_message_runs, {}),
}
every_function = pytest.mark.parametrize("name", FUNCTIONS)
INPUTS: list[Any] = [
    "Hi",
    HumanMessage("Hi"),
    [("human", "Hi")],
    (HumanMessage("Hi"),),
    [{"role": "user", "content": "Hi"}],
    ChatPromptTemplate.from_messages([("human", "Hi")]).invoke({}),
]


@every_function
@pytest.mark.parametrize("input", INPUTS)
def test_they_take_whatever_a_model_takes(name: str, input: Any) -> None:
    """As functions, and as runnables by every method."""
    function, options = FUNCTIONS[name]
    runnable = function(**options)
    hi = [HumanMessage("Hi")]
    assert function(input, **options) == runnable.invoke(input) == hi
    assert runnable.batch([input]) == list(runnable.stream(input)) == [hi]
    assert asyncio.run(runnable.ainvoke(input)) == hi


@every_function
def test_they_are_steps_of_a_chain(name: str) -> None:
    """Before a model, and after a prompt."""
    function, options = FUNCTIONS[name]
    prompt = ChatPromptTemplate.from_messages([("human", "{x}")])
    chain = prompt | function(**options) | ScriptedChatModel(["Hello."])
    assert chain.invoke({"x": "Hi"}).text == "Hello."
    assert "".join(chunk.text for chunk in chain.stream({"x": "Hi"})) == "Hello."
    assert function.__name__ in repr(function(**options))


def test_a_wrong_option_is_refused_at_once() -> None:
    """Not when the chain runs."""
    with pytest.raises(TypeError, match="max_token"):
        trim_messages(max_token=3)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="token_counter"):
        trim_messages(max_tokens=3)  # type: ignore[call-overload]


def talk(seed: int) -> list[BaseMessage]:
    """A conversation in which each result of a tool follows its call."""
    chance, messages = random.Random(seed), list[BaseMessage]([SystemMessage("s")])
    for turn in range(chance.randint(1, 4)):
        messages.append(HumanMessage(f"h{turn}", name=chance.choice(["ada", "bob"])))
        for round in range(chance.randint(0, 2)):
            ids = [f"{turn}.{round}.{n}" for n in range(chance.randint(1, 3))]
            calls: Any = [{"name": "f", "args": {}, "id": id} for id in ids]
            messages.append(AIMessage("", tool_calls=calls))
            messages += [ToolMessage("t", tool_call_id=id, id=f"t{id}") for id in ids]
        messages.append(AIMessage(f"a{turn}", id=f"a{turn}"))
    return messages


OPTIONS: list[Any] = [
    *((trim_messages, {"max_tokens": n, "token_counter": len}) for n in range(9)),
    (trim_messages, {"max_tokens": 4, "token_counter": len, "include_system": True}),
    (trim_messages, {"max_tokens": 5, "token_counter": len, "start_on": ("human", "tool")}),
    (trim_messages, {"max_tokens": 3, "token_counter": len, "strategy": "first"}),
    (trim_messages, {"max_tokens": 5, "token_counter": len, "end_on": "tool"}),
    (
        trim_messages,
        {"max_tokens": 25, "token_counter": "approximate", "allow_partial": True},
    ),
    (filter_messages, {"exclude_types": "ai"}),
    (filter_messages, {"include_types": ["human", "tool"]}),
    (filter_messages, {"include_types": "tool"}),
    (filter_messages, {"exclude_tool_calls": ["0.0.0", "1.0.1"]}),
    (filter_messages, {"exclude_tool_calls": True}),
    (merge_message_runs, {}),
]


@pytest.mark.parametrize(("function", "options"), OPTIONS)
def test_no_result_of_a_tool_is_left_without_its_call(function: Any, options: Any) -> None:
    """Each call stays with its result after any cut; `start_on` and the limit hold, too."""
    for seed in range(20):
        kept = function(talk(seed), **options)
        called = {""}
        for message in kept:
            called |= {call["id"] for call in getattr(message, "tool_calls", ())}
            assert getattr(message, "tool_call_id", "") in called
        if "start_on" in options and kept:
            assert kept[0].type in options["start_on"]
        if options.get("token_counter") is len:
            assert len(kept) <= options["max_tokens"]


def test_results_of_invalid_calls_and_of_functions_count_as_answers() -> None:
    """They stay with what called for them, and go with it."""
    call: Any = {"name": "f", "args": "{", "id": "c1", "error": "e"}
    function = {"function_call": {"name": "f", "arguments": "{}"}}
    given: list[BaseMessage] = [
        AIMessage("", invalid_tool_calls=[call], id="1"),
        ToolMessage("failed", tool_call_id="c1"),
        AIMessage("", additional_kwargs=function, id="2"),
        FunctionMessage("4", name="f"),
    ]
    assert filter_messages(given) == given
    assert filter_messages(given, exclude_ids=["1", "2"]) == []
    assert filter_messages(given, exclude_tool_calls=["c1"]) == given[2:]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "tool_use", "id": "c1", "name": "f", "input": {}},
        {"type": "tool_call", "id": "c1", "name": "f", "args": {}},
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c1", "name": "f", "input": "x"},
    ],
)
def test_a_call_that_is_excluded_leaves_the_content_too(part: dict[str, Any]) -> None:
    """In every provider's form, and among the items of a reply; other parts stay."""
    calls: Any = [{"name": "f", "args": {}, "id": id} for id in ("c1", "c2")]
    other = {**part, **{key: "c2" for key in ("id", "call_id") if part.get(key) == "c1"}}
    text = {"type": "text", "text": "Let me see."}
    message = AIMessage(
        [text, part, other],
        tool_calls=calls,
        additional_kwargs={"items": [part, other], "n": 1},
    )
    [kept] = filter_messages([message], exclude_tool_calls=["c1"])
    assert kept == AIMessage(
        [text, other], tool_calls=calls[1:], additional_kwargs={"items": [other], "n": 1}
    )
    assert message.content == [text, part, other]
    assert filter_messages([message], exclude_tool_calls=True) == []
