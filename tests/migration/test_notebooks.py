"""Notebooks of eight styles, as people bring them, over the wire of a loopback server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from openai.types.chat import ChatCompletionMessage

from chatnb.chat_models import ChatOpenAI
from chatnb.conversations import Conversation
from chatnb.errors import ModelError
from chatnb.output_parsers import StrOutputParser
from chatnb.prompts import ChatPromptTemplate, MessagesPlaceholder
from chatnb.runnables import RunnableWithMessageHistory
from chatnb.schema import AIMessage, HumanMessage, SystemMessage
from chatnb.store import Store
from chatnb.tools import StructuredTool, run_tools
from tests.support.loopback import LoopbackServer, delta, head, refusal, saying, usage, whole

STREAM = saying(head(), delta("Oslo"), delta(" it is."), delta(None, "stop"), usage(3, 2))
CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
}
ASKING = saying(
    head(kind="application/json")
    + json.dumps(
        {
            "id": "chatcmpl-1",
            "model": "loopback-1",
            "choices": [
                {
                    "message": {"role": "assistant", "content": None, "tool_calls": [CALL]},
                    "finish_reason": "tool_calls",
                }
            ],
        }
    ).encode()
)


@pytest.fixture
def chat(loopback: LoopbackServer) -> Callable[..., ChatOpenAI]:
    def make(**options: Any) -> ChatOpenAI:
        given = {"base_url": loopback.base_url, "api_key": "none", "max_retries": 0, **options}
        return ChatOpenAI(model="loopback-1", **given)

    return make


def sent(loopback: LoopbackServer, number: int = -1) -> list[Any]:
    return loopback.exchanges[number].body["messages"]


def weather(city: str) -> str:
    """Tell the weather."""
    return f"Sunny in {city}"


def test_a_chat_that_streams(loopback: LoopbackServer, chat: Any) -> None:
    """Prompt, model and parser in a row: chunks in a loop, and the events of the run."""
    loopback.plays(STREAM)
    prompt = ChatPromptTemplate.from_messages([(SystemMessage, "Be brief."), ("human", "{topic}")])
    chain = prompt | chat() | StrOutputParser()
    assert "".join(chain.stream("The capital?")) == "Oslo it is."
    assert sent(loopback) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "The capital?"},
    ]

    async def tokens() -> list[str]:
        return [
            event["data"]["chunk"].text()
            async for event in chain.astream_events({"topic": "The capital?"}, version="v2")
            if event["event"] == "on_chat_model_stream"
        ]

    assert "".join(asyncio.run(tokens())) == "Oslo it is."


def test_a_batch_under_a_rate_limit(loopback: LoopbackServer, chat: Any) -> None:
    """A refusal for too many requests is waited out, and the answers keep their order."""
    loopback.plays(refusal("429 Too Many Requests", "Slow down", retry_after="0"), whole("Yes."))
    model = chat(max_retries=2)
    replies = model.batch(["One?", "Two?"], {"max_concurrency": 1})
    assert [reply.text for reply in replies] == ["Yes.", "Yes."]
    assert len(loopback.exchanges) == 3


def test_a_model_with_a_fallback(loopback: LoopbackServer, chat: Any) -> None:
    """The other model answers where the first one fails; listeners hear of it."""
    loopback.plays(refusal("500 Internal Server Error", "Broken"), whole("From the other."))
    failed = list[str]()
    first = chat().with_listeners(on_error=lambda run: failed.append(run.error["type"]))
    reply = first.with_fallbacks([chat()], exceptions_to_handle=(ModelError,)).invoke("Hi")
    assert reply.text == "From the other."
    assert len(failed) == 1


def test_messages_that_branch(loopback: LoopbackServer, chat: Any) -> None:
    """A history goes on in two ways, by copies of its messages and by a prompt of them."""
    loopback.plays(whole("Hello."))
    history: list[Any] = [SystemMessage("Be brief."), HumanMessage("Hi")]
    history.append(chat().invoke(history))
    other = [*history[:-1], history[-1].model_copy(update={"content": "Good day."})]
    chat().invoke([*other, ("human", "And now?")])
    assert [message["content"] for message in sent(loopback)] == [
        *("Be brief.", "Hi", "Good day.", "And now?"),
    ]
    prompt = SystemMessage("Be long.") + MessagesPlaceholder("before") + "{question}"
    (prompt | chat()).invoke({"before": history[1:], "question": "And now?"})
    assert [message["content"] for message in sent(loopback)] == [
        *("Be long.", "Hi", "Hello.", "And now?"),
    ]


def test_a_memory_for_each_session(loopback: LoopbackServer, chat: Any) -> None:
    """Sessions are conversations: each has its own messages, and keeps them."""
    loopback.plays(whole("Hello."))
    store = Store(":memory:")
    remembering = RunnableWithMessageHistory(chat(), lambda id: Conversation(id, store=store))
    for session, text in (("a", "I am Ada."), ("b", "Hi"), ("a", "Who am I?")):
        remembering.invoke(text, {"configurable": {"session_id": session}})
    assert [message["content"] for message in sent(loopback)] == [
        *("I am Ada.", "Hello.", "Who am I?"),
    ]


def test_tools_with_a_history_of_dicts(loopback: LoopbackServer, chat: Any) -> None:
    """The openai SDK's loop: its dicts, its message objects, and the result as a dict."""
    loopback.plays(ASKING, whole("It is sunny."))
    tool = StructuredTool.from_function(weather)
    history: list[Any] = [{"role": "user", "content": "The weather in Oslo?"}]
    reply = chat().bind_tools([tool]).invoke(history)
    given = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    assert [call["args"] for call in reply.tool_calls] == [{"city": "Oslo"}]
    for answer in (reply, given, ChatCompletionMessage.model_validate(given)):
        result = {"role": "tool", "tool_call_id": "c1", "content": tool.invoke("Oslo")}
        assert chat().invoke([*history, answer, result]).text == "It is sunny."
        assert sent(loopback) == [
            *history,
            given,
            {"role": "tool", "content": "Sunny in Oslo", "tool_call_id": "c1"},
        ]
    loopback.plays(ASKING, whole("It is sunny."))
    direct = StructuredTool.from_function(weather, return_direct=True)
    assert run_tools(chat(), [direct], history)[-1].text == "Sunny in Oslo"
    assert len(loopback.exchanges) == 1


def test_a_router_by_the_sdk_s_names(loopback: LoopbackServer, chat: Any) -> None:
    """Address, key and headers by the names of the SDK; the reply by those of both."""
    loopback.plays(whole("Routed."))
    model = chat(default_headers={"X-Title": "notebook"}, api_key="sk-or-1")
    reply = model.invoke([{"role": "user", "content": "Hi"}])
    assert (reply.text(), reply.text, reply.usage_metadata["input_tokens"]) == (
        "Routed.",
        "Routed.",
        3,
    )
    headers = loopback.exchanges[-1].headers
    assert (headers["x-title"], headers["authorization"]) == ("notebook", "Bearer sk-or-1")
    assert loopback.exchanges[-1].path.endswith("/chat/completions")


def test_errors_that_are_shown_and_handled(loopback: LoopbackServer, chat: Any) -> None:
    """A refused key is an error of the provider with advice, and the next call works."""
    loopback.plays(refusal("401 Unauthorized", "Incorrect API key", "invalid_api_key"), whole("Hi"))
    model = chat()
    with pytest.raises(ModelError) as caught:
        model.invoke("Hi")
    assert "API key" in str(caught.value)
    assert model.invoke("Hi").model_dump(include={"content"}) == {"content": "Hi"}
    assert isinstance(model.invoke("Hi"), AIMessage)


def test_cells_instead_of_magics(
    loopback: LoopbackServer,
    chat: Any,
    bare_shell: InteractiveShell,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cell with variables in braces, its reply as a variable, and a failure as an exception."""
    monkeypatch.setenv("CHATNB_STORE", ":memory:")
    loopback.plays(STREAM, refusal("401 Unauthorized", "Incorrect API key"))
    bare_shell.run_line_magic("load_ext", "chatnb")
    bare_shell.push({"model": chat(), "country": "Norway"})
    cell = "%%chat -m model -o answer\nThe capital of {country}?"
    assert bare_shell.run_cell(cell).error_in_exec is None
    assert bare_shell.user_ns["answer"].text == "Oslo it is."
    assert sent(loopback)[-1] == {"role": "user", "content": "The capital of Norway?"}
    assert isinstance(bare_shell.run_cell(cell).error_in_exec, ModelError)
