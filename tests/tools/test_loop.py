from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from chatnb.chat_models import BaseChatModel, ChatOpenAI, ScriptedChatModel
from chatnb.errors import RateLimitError, ToolRoundsError
from chatnb.output_parsers import StrOutputParser
from chatnb.runnables import RunnableLambda
from chatnb.schema import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from chatnb.tools import Reject, ToolLoop, arun_tools, run_tools, tool
from chatnb.tools.loop import join_streamed
from tests.support.loopback import LoopbackServer, delta, event, head, saying


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
async def fail(a: int) -> int:
    """Fail."""
    raise LookupError(f"no {a}")


def asks(*calls: tuple[str, dict[str, Any]], text: str = "") -> AIMessage:
    """A reply with calls, numbered c1, c2, ..."""
    made = [{"name": name, "args": args, "id": f"c{n}"} for n, (name, args) in enumerate(calls, 1)]
    return AIMessage(text, tool_calls=made)  # type: ignore[arg-type]


def run(way: str, chat: Any, tools: list[Any], messages: Any = "Go.", **given: Any) -> Any:
    if way == "run_tools":
        return run_tools(chat, tools, messages, **given)
    return asyncio.run(arun_tools(chat, tools, messages, **given))


def results(messages: list[BaseMessage]) -> list[tuple[str, Any, str]]:
    return [(m.tool_call_id, m.content, m.status) for m in messages if isinstance(m, ToolMessage)]


each_way = pytest.mark.parametrize("way", ["run_tools", "arun_tools"])
ONE = asks(("add", {"a": 1, "b": 2}), text="Let me see.")


@each_way
def test_calls_are_made_until_there_is_an_answer(way: str) -> None:
    """The result has all messages: replies, results, and the answer at the end."""
    chat = ScriptedChatModel([ONE, asks(("add", {"a": 3, "b": 3})), "It is 6."])
    messages = run(way, chat, [add])
    assert [type(m) for m in messages] == [
        AIMessage,
        ToolMessage,
        AIMessage,
        ToolMessage,
        AIMessage,
    ]
    assert (messages[0].content, messages[0].tool_calls[0]["id"]) == ("Let me see.", "c1")
    assert results(messages) == [("c1", "3", "success"), ("c1", "6", "success")]
    assert messages[-1].content == "It is 6."


@each_way
def test_an_answer_without_calls_is_all(way: str) -> None:
    """Tools need not be called."""
    assert [m.content for m in run(way, ScriptedChatModel(["Hello."]), [add])] == ["Hello."]


class Replaying(BaseChatModel):
    """A model with replies from a list that records its requests."""

    model_name = "replaying"

    def __init__(self, replies: list[AIMessage]) -> None:
        self.replies = iter(replies)
        self.asked = list[list[BaseMessage]]()
        self.params = list[dict[str, Any]]()

    def _generate(self, messages: list[BaseMessage], *, stop: Any = None, **params: Any) -> Any:
        self.asked.append(messages)
        self.params.append(params)
        return next(self.replies)


@each_way
def test_the_model_is_told_of_tools_and_results(way: str) -> None:
    """Each round sends the tools, the input, and all messages since."""
    chat = Replaying([ONE, AIMessage("Done.")])
    given = [HumanMessage("Add.")]
    messages = run(way, chat, [add, {"type": "web_search"}], given)
    assert chat.asked == [given, [*given, *messages[:-1]]]
    assert given == [HumanMessage("Add.")]
    assert [len(each["tools"]) for each in chat.params] == [2, 2]
    assert chat.params[0]["tools"][0]["function"]["name"] == "add"


@each_way
def test_what_was_bound_before_holds(way: str) -> None:
    """A model with tools keeps its choices, such as strict mode."""
    chat = Replaying([AIMessage("Done.")])
    run(way, chat.bind_tools([add], strict=True, parallel_tool_calls=False), [add])
    assert chat.params[0]["tools"][0]["function"]["strict"] is True
    assert chat.params[0]["parallel_tool_calls"] is False


@each_way
def test_what_goes_wrong_is_told_to_the_model(way: str) -> None:
    """Exceptions, unknown tools and arguments that do not fit are results, marked as errors."""
    calls = asks(("fail", {"a": 7}), ("add", {"a": "x", "b": 1}), ("gone", {}), ("add", {}))
    messages = run(way, ScriptedChatModel([calls, "Sorry."]), [add, fail])
    failed, *invalid = results(messages)
    assert failed == ("c1", "LookupError: no 7", "error")
    assert [(id, status) for id, _, status in invalid] == [
        ("c2", "error"),
        ("c3", "error"),
        ("c4", "error"),
    ]
    assert "do not fit add: a: Input should be a valid integer" in invalid[0][1]
    assert "There is no tool 'gone'. The tools are: add, fail" in invalid[1][1]
    assert messages[-1].content == "Sorry."


@each_way
def test_broken_arguments_can_be_repaired(way: str) -> None:
    """Arguments that are no JSON are answered with what is wrong, and the loop goes on."""
    broken = {"name": "add", "args": '{"a": 1, "b"', "id": "c1", "error": None}
    chat = ScriptedChatModel([AIMessage("", invalid_tool_calls=[broken]), ONE, "3"])  # type: ignore[list-item]
    first, second = results(run(way, chat, [add]))
    assert first[2] == "error"
    assert "The call is invalid" in first[1]
    assert second == ("c1", "3", "success")


@each_way
def test_calls_of_one_reply_run_at_the_same_time_and_stay_in_order(way: str) -> None:
    """The first waits for the last here, and its result still comes first."""
    last_ran = threading.Event()

    @tool
    def first() -> str:
        assert last_ran.wait(60)
        return "one"

    @tool
    async def second() -> str:
        return "two"

    @tool
    def third() -> str:
        last_ran.set()
        return "three"

    chat = ScriptedChatModel([asks(("first", {}), ("second", {}), ("third", {})), "Done."])
    messages = run(way, chat, [first, second, third])
    assert [content for _, content, _ in results(messages)] == ["one", "two", "three"]


@each_way
def test_concurrency_can_be_bounded(way: str) -> None:
    """`max_concurrency` of the config holds for tools."""
    running, most = list[int](), list[int]()

    @tool
    def work(n: int) -> None:
        running.append(n)
        most.append(len(running))
        running.remove(n)

    chat = ScriptedChatModel([asks(*(("work", {"n": n}) for n in range(8))), "Done."])
    run(way, chat, [work], config={"max_concurrency": 1})
    assert (len(most), max(most)) == (8, 1)


async def astrict(call: Any) -> bool | Reject:
    return call["args"]["a"] < 2 or Reject("Too large.")


def strict(call: Any) -> bool | Reject:
    return call["args"]["a"] < 2 or Reject("Too large.")


@each_way
@pytest.mark.parametrize("approve", [strict, astrict])
def test_calls_need_leave(way: str, approve: Any) -> None:
    """Rejected calls are not run, and the model gets the reason."""
    ran = list[int]()

    @tool
    def work(a: int) -> str:
        ran.append(a)
        return "done"

    chat = ScriptedChatModel([asks(("work", {"a": 2}), ("work", {"a": 1})), "Well."])
    messages = run(way, chat, [work], approve=approve)
    assert results(messages) == [
        ("c1", "The call was rejected: Too large.", "error"),
        ("c2", "done", "success"),
    ]
    assert ran == [1]


@each_way
def test_false_rejects_without_a_reason(way: str) -> None:
    """The model gets the text of a rejection by the user."""
    messages = run(way, ScriptedChatModel([ONE, "Well."]), [add], approve=lambda call: False)
    assert results(messages) == [("c1", "The call was rejected by the user.", "error")]


@each_way
@pytest.mark.parametrize("verdict", [None, "yes", 1])
def test_what_is_no_verdict_allows_nothing(way: str, verdict: Any) -> None:
    """A `return` that was forgotten is an error, and no leave."""
    ran = list[int]()
    work = tool("add")(lambda a, b: ran.append(a))
    with pytest.raises(TypeError, match="return True, False or Reject"):
        run(way, ScriptedChatModel([ONE, "Well."]), [work], approve=lambda call: verdict)
    assert ran == []


@each_way
def test_rounds_are_bounded_and_nothing_is_lost(way: str) -> None:
    """The error has every message that was paid for; the last calls are not made."""
    chat = ScriptedChatModel([ONE])
    with pytest.raises(ToolRoundsError, match=r"after 2 rounds.*max_rounds=") as caught:
        run(way, chat, [add], max_rounds=2)
    assert [type(m) for m in caught.value.messages] == [AIMessage, ToolMessage, AIMessage]
    with pytest.raises(ValueError, match="max_rounds must be 1 or more, not 0"):
        run(way, chat, [add], max_rounds=0)


@each_way
def test_an_error_of_the_model_keeps_what_came_before(way: str) -> None:
    """It is of its own class, and has the messages of the rounds before."""
    chat = ScriptedChatModel([ONE, ["Wel", RateLimitError("Slow down.")]])
    with pytest.raises(RateLimitError) as caught:
        run(way, chat, [add])
    assert [type(m) for m in caught.value.messages] == [AIMessage, ToolMessage]


@each_way
def test_long_results_are_cut_and_the_model_is_told(way: str) -> None:
    """The artifact stays whole."""

    @tool(response_format="content_and_artifact")
    def read() -> tuple[str, str]:
        return "x" * 100, "x" * 100

    chat = ScriptedChatModel([asks(("read", {})), "Long."])
    answer = run(way, chat, [read], max_result_chars=10)[1]
    note = "[The result was cut: these are the first 10 of its 100 characters.]"
    assert (answer.content, len(answer.artifact)) == (f"{'x' * 10}\n{note}", 100)
    assert run(way, chat, [read], max_result_chars=None)[1].content == "x" * 100


def test_parts_are_cut_too() -> None:
    """Text among parts counts together."""
    parts = [{"type": "text", "text": "abc"}, {"type": "text", "text": "def"}]
    chat = ScriptedChatModel([asks(("read", {})), "Long."])
    answer = run_tools(chat, [tool("read")(lambda: parts)], "Go.", max_result_chars=4)[1]
    assert [part if isinstance(part, str) else part["text"] for part in answer.content[:2]] == [
        "abc",
        "d",
    ]


@pytest.mark.parametrize("way", ["stream", "astream"])
def test_everything_is_streamed_as_it_comes(way: str) -> None:
    """Chunks of the model, and results between them; together they are the messages."""
    loop = ToolLoop(ScriptedChatModel([ONE, "It is 3."]), [add])

    async def read() -> list[Any]:
        return [each async for each in loop.astream("Go.")]

    said: list[Any] = list(loop.stream("Go.")) if way == "stream" else asyncio.run(read())
    kinds = [type(each) for each in said]
    middle = kinds.index(ToolMessage)
    assert kinds == [AIMessageChunk] * middle + [ToolMessage] + [AIMessageChunk] * 3
    assert "".join(each.text for each in said[middle + 1 :]) == "It is 3."
    assert join_streamed(said) == run_tools(ScriptedChatModel([ONE, "It is 3."]), [add], "Go.")


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "batch"])
def test_a_loop_is_a_chat_model_in_a_chain(way: str) -> None:
    """Whole, it gives the answer."""
    chain = ToolLoop(ScriptedChatModel([ONE, "It is 3."]), [add]) | StrOutputParser()
    match way:
        case "invoke":
            said = chain.invoke("Go.")
        case "ainvoke":
            said = asyncio.run(chain.ainvoke("Go."))
        case _:
            said = chain.batch(["Go."])[0]
    assert said == "It is 3."


def test_models_and_tools_run_with_the_config_of_the_loop() -> None:
    """All that is started inherits tags, and not the name of the run."""
    seen = list[Any]()
    note = RunnableLambda(lambda _, config: seen.append(config))

    @tool
    def look() -> None:
        note.invoke("")

    def approve(call: Any, config: Any) -> bool:
        seen.append(config)
        return True

    chat = ScriptedChatModel([asks(("look", {})), "Done."])
    run_tools(chat, [look], "Go.", approve=approve, config={"tags": ["t"], "run_name": "r"})
    assert seen == [{"tags": ["t"]}, {"tags": ["t"]}]


@pytest.mark.parametrize(
    "given", [{"title": "f", "properties": {}}, {"name": "f"}, int, "add"], ids=str
)
def test_what_cannot_be_run_is_refused(given: Any) -> None:
    """A mere description of a tool is for `bind_tools`."""
    with pytest.raises(TypeError, match="needs tools that it can run"):
        ToolLoop(ScriptedChatModel(["Hi"]), [given])


@each_way
def test_a_model_that_does_not_stream_will_do(way: str) -> None:
    """Its whole reply is one chunk."""
    replies = iter([ONE, AIMessage("Done.")])
    chat = RunnableLambda[Any, AIMessage](lambda messages, tools: next(replies))
    assert [m.content for m in run(way, chat, [add])] == ["Let me see.", "3", "Done."]


@each_way
def test_over_the_wire_results_answer_their_calls(way: str, loopback: LoopbackServer) -> None:
    """A provider gets the calls, invalid ones too, and a result for each, by id."""

    def piece(id: str, args: str, index: int) -> dict[str, Any]:
        function = {"name": "add", "arguments": args}
        return {"index": index, "id": id, "type": "function", "function": function}

    calls = [piece("c1", '{"a": 1, "b": 2}', 0), piece("c2", '{"a": 1}', 1)]
    asked = event({"choices": [{"index": 0, "delta": {"tool_calls": calls}}]})
    loopback.plays(
        saying(head(), asked, delta("", "tool_calls"), event("[DONE]")),
        saying(head(), delta("It is 3."), delta("", "stop"), event("[DONE]")),
    )
    chat = ChatOpenAI("m", api_key="sk-12345678", base_url=loopback.base_url)
    assert run(way, chat, [add])[-1].content == "It is 3."
    _, reply, *answers = loopback.exchanges[1].body["messages"]
    assert [json.loads(c["function"]["arguments"]) for c in reply["tool_calls"]] == [
        {"a": 1, "b": 2},
        {"a": 1},
    ]
    assert [(a["role"], a["tool_call_id"]) for a in answers] == [("tool", "c1"), ("tool", "c2")]
    assert answers[0]["content"] == "3"
    assert "b: Field required" in answers[1]["content"]
