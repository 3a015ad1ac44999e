"""Messages that tools return, and parameters that the model does not see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from chatnb.chat_models import ScriptedChatModel
from chatnb.runnables import RunnableConfig
from chatnb.schema import AIMessage, BaseMessage, ToolMessage
from chatnb.tools import (
    InjectedToolArg,
    InjectedToolCallId,
    Tool,
    ToolLoop,
    arun_tools,
    run_tools,
    to_openai_tool,
    tool,
)
from chatnb.tools.results import content_from_value, cut_result, messages_from_value


def run(
    tools: list[Any], *calls: tuple[str, dict[str, Any]], way: str = "sync"
) -> list[BaseMessage]:
    """The results of calls that a model makes in one reply."""
    written: Any = [{"name": n, "args": a, "id": f"c{i}"} for i, (n, a) in enumerate(calls, 1)]
    chat = ScriptedChatModel([AIMessage("", tool_calls=written), "Done."])
    if way == "sync":
        return run_tools(chat, tools, "Go.")[1:-1]
    return asyncio.run(arun_tools(chat, tools, "Go."))[1:-1]


both = pytest.mark.parametrize("way", ["sync", "async"])
FAILED = ToolMessage("No.", tool_call_id="", status="error", artifact=[1])
RETURNED: dict[str, tuple[Any, list[ToolMessage]]] = {
    "one": (
        FAILED,
        [ToolMessage("No.", tool_call_id="c1", status="error", artifact=[1], name="f")],
    ),
    "named": (
        ToolMessage("a", tool_call_id="c1", name="g"),
        [ToolMessage("a", tool_call_id="c1", name="g")],
    ),
    "another id": (
        ToolMessage("a", tool_call_id="other"),
        [ToolMessage("a", tool_call_id="c1", name="f")],
    ),
    "several": (
        [FAILED, ToolMessage("b", tool_call_id="c1", artifact=2)],
        [
            ToolMessage("No.", tool_call_id="c1", status="error", artifact=[1], name="f"),
            ToolMessage("b", tool_call_id="c1", artifact=2, name="f"),
        ],
    ),
}


@both
@pytest.mark.parametrize("case", RETURNED)
@pytest.mark.parametrize("response_format", ["content", "content_and_artifact"])
def test_messages_of_a_tool_stay_as_they_are(case: str, response_format: Any, way: str) -> None:
    """With status and artifact; they answer the call, and other results follow them."""
    value, answers = RETURNED[case]
    made = Tool(lambda: value, name="f", response_format=response_format)
    other = Tool(lambda: "2", name="g")
    assert run([made, other], ("f", {}), ("g", {}), way=way) == [
        *answers,
        ToolMessage("2", tool_call_id="c2", name="g"),
    ]
    assert made.invoke({}) == value


@pytest.mark.parametrize("value", [[], [1, 2]])
def test_other_lists_are_plain_results(value: list[int]) -> None:
    """An empty list is no list of messages."""
    [result] = run([Tool(lambda: value, name="f")], ("f", {}))
    assert result.text == str(value).replace(" ", "")


def with_config(x: int, config: RunnableConfig) -> str:
    return f"{x} {config.get('tags')}"


def with_optional_config(x: int, config: RunnableConfig | None = None) -> str:
    return f"{x} {(config or {}).get('tags')}"


async def with_config_awaited(config: RunnableConfig, x: int) -> str:
    return f"{x} {config.get('tags')}"


@both
@pytest.mark.parametrize("func", [with_config, with_optional_config, with_config_awaited])
def test_a_config_is_filled_and_hidden(func: Callable[..., Any], way: str) -> None:
    """With that of the run; the model sees the other parameters, and cannot give it."""
    made = Tool(func, name="f")
    assert (
        list(made.args)
        == list(to_openai_tool(func)["function"]["parameters"]["properties"])
        == ["x"]
    )
    call: Any = {"name": "f", "args": {"x": 1}, "id": "c1"}
    loop = ToolLoop(ScriptedChatModel([AIMessage("", tool_calls=[call]), "Done."]), [made])
    config: RunnableConfig = {"tags": ["t"]}

    async def arun() -> list[Any]:
        return [item async for item in loop.astream("Go.", config)]

    streamed = list(loop.stream("Go.", config)) if way == "sync" else asyncio.run(arun())
    [result] = [item for item in streamed if isinstance(item, ToolMessage)]
    assert result.text == "1 ['t']"
    assert made.invoke({"x": 1}, config) == "1 ['t']"
    [refused] = run([made], ("f", {"x": 1, "config": {"tags": ["mine"]}}))
    assert isinstance(refused, ToolMessage)
    assert refused.status == "error"


class Args(BaseModel):
    """Arguments with a hidden one."""

    x: int
    user: Annotated[str, InjectedToolArg] = "nobody"


class Secret(InjectedToolArg):
    """A marker of another package, such as those for state and stores."""


def by_marker(x: int, user: Annotated[str, InjectedToolArg] = "nobody") -> str:
    return f"{x} {user}"


def by_instance(x: int, user: Annotated[str, "Who asks", Secret()] = "nobody") -> str:
    return f"{x} {user}"


@pytest.mark.parametrize(
    "made",
    [
        Tool(by_marker, name="f"),
        Tool(by_instance, name="f"),
        Tool(lambda x, user="nobody": f"{x} {user}", name="f", args_schema=Args),
        Tool(
            by_marker,
            name="f",
            args_schema={"type": "object", "properties": {"x": {"type": "integer"}}},
        ),
    ],
)
def test_an_injected_argument_is_for_the_program_alone(made: Tool) -> None:
    """The program may give it, with the arguments or in a call; what a model gives is ignored."""
    assert list(made.args) == ["x"]
    assert made.invoke({"x": 1, "user": "Ada"}) == "1 Ada"
    call: Any = {"name": "f", "args": {"x": 1, "user": "Ada"}, "id": "c1", "type": "tool_call"}
    assert made.invoke(call).text == "1 Ada"
    assert made.invoke({"x": 1}) == "1 nobody"
    [of_model] = run([made], ("f", {"x": 1, "user": "Eve"}))
    assert (
        "Eve" not in of_model.text or "Extra" in of_model.text or "not permitted" in of_model.text
    )


def test_a_tool_gets_the_id_of_its_call() -> None:
    """So that it can return a message of its own."""

    @tool
    def answer(id: Annotated[str, InjectedToolCallId]) -> ToolMessage:
        return ToolMessage(id, tool_call_id=id, artifact=1)

    assert answer.args == {}
    assert run([answer], ("answer", {})) == [
        ToolMessage("c1", tool_call_id="c1", name="answer", artifact=1)
    ]


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ("a", "a"),
        ("", ""),
        (None, "null"),
        ({"é": [1, 2.5]}, '{"é":[1,2.5]}'),
        ([], "[]"),
        (["a"], '["a"]'),
        ([{"type": "text", "text": "a"}], [{"type": "text", "text": "a"}]),
        (
            [{"type": "text", "text": "a"}, {"type": "mine"}],
            '[{"type":"text","text":"a"},{"type":"mine"}]',
        ),
        ({"type": "text", "text": "a"}, '{"type":"text","text":"a"}'),
        (Args(x=1), '{"x":1,"user":"nobody"}'),
        (1j, '"1j"'),
        (ImportError("a"), "a"),
    ],
)
def test_a_value_is_the_content_of_a_message(value: Any, content: Any) -> None:
    """Text and parts as they are, all else as JSON, and what JSON has not as its text."""
    assert content_from_value(value) == content


NOTE = "[The result was cut: these are the first {} of its 5 characters.]"
PICTURE: dict[str, Any] = {"type": "image_url", "image_url": {"url": "u"}}


@pytest.mark.parametrize(
    ("content", "limit", "expected"),
    [
        ("abcde", None, "abcde"),
        ("abcde", 5, "abcde"),
        ("abcde", 4, f"abcd\n{NOTE.format(4)}"),
        ("abcde", 0, f"\n{NOTE.format(0)}"),
        (["abc", PICTURE, {"type": "text", "text": "de"}], 5, None),
        (
            ["abc", PICTURE, {"type": "text", "text": "de"}],
            4,
            ["abc", PICTURE, {"type": "text", "text": "d"}, NOTE.format(4)],
        ),
        (
            [{"type": "text", "text": "abc"}, "de", PICTURE],
            2,
            [{"type": "text", "text": "ab"}, "", PICTURE, NOTE.format(2)],
        ),
    ],
)
def test_a_long_result_is_cut_to_a_number_of_characters(
    content: Any, limit: int | None, expected: Any
) -> None:
    """A note tells the model; pictures stay, and a result at the limit is whole."""
    message = ToolMessage(content, tool_call_id="c1", name="f")
    cut = cut_result(message, limit)
    if expected in (None, content):
        assert cut is message
    else:
        assert cut == ToolMessage(expected, tool_call_id="c1", name="f")


def test_messages_of_a_result_are_told_from_values() -> None:
    """A list with anything else in it is a value."""
    assert messages_from_value(FAILED) == [FAILED]
    assert messages_from_value([FAILED, FAILED]) == [FAILED, FAILED]
    assert messages_from_value([FAILED, "a"]) == messages_from_value("a") == []
