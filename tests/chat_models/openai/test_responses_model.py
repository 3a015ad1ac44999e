from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

import pytest
from typing_extensions import TypedDict

from chatnb.chat_models import ChatLocal, ChatOpenAI
from chatnb.errors import BadRequestError, ModelConnectionError, ServerError, StreamInterruptedError
from chatnb.schema import AIMessage, HumanMessage, SystemMessage, ToolMessage
from chatnb.schema.messages import join_chunks
from tests.support.loopback import Exchange, LoopbackServer, Script, head, refusal, reset, saying
from tests.support.responses_events import (
    CALL,
    CREATED,
    REASONING,
    SAID,
    completed,
    response,
    said,
    text,
)

KEY = "sk-very-secret-key"
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}
Ask = Callable[..., AIMessage]


def invoked(chat: ChatOpenAI, *args: Any, **params: Any) -> AIMessage:
    return chat.invoke(*args, **params)


def ainvoked(chat: ChatOpenAI, *args: Any, **params: Any) -> AIMessage:
    return asyncio.run(chat.ainvoke(*args, **params))


def streamed(chat: ChatOpenAI, *args: Any, **params: Any) -> AIMessage:
    return join_chunks(chat.stream(*args, **params)).to_message()


def astreamed(chat: ChatOpenAI, *args: Any, **params: Any) -> AIMessage:
    async def collect() -> AIMessage:
        chunks = [chunk async for chunk in chat.astream(*args, **params)]
        return join_chunks(chunks).to_message()

    return asyncio.run(collect())


all_ways = pytest.mark.parametrize("ask", [invoked, ainvoked, streamed, astreamed])
both_streams = pytest.mark.parametrize("ask", [streamed, astreamed])


def replying(*output: dict[str, Any], **fields: Any) -> Script:
    """The reply in the form that was asked for, its text in two deltas."""

    async def script(exchange: Exchange) -> AsyncIterator[bytes]:
        if not exchange.body.get("stream"):
            whole = json.dumps(response(*output, **fields))
            yield head(kind="application/json") + whole.encode()
            return
        yield head() + CREATED
        for item in output:
            if item["type"] == "message":
                spoken = item["content"][0]["text"]
                yield text(spoken[:3])
                yield text(spoken[3:])
            yield said("output_item.done", item=item)
        yield completed(*output, **fields)

    return script


def chat_at(server: LoopbackServer, **params: Any) -> ChatOpenAI:
    given = {"max_retries": 0, "use_responses_api": True, **params}
    return ChatOpenAI("gpt-x", openai_api_key=KEY, base_url=server.base_url, **given)


@all_ways
def test_the_responses_api_is_asked(loopback: LoopbackServer, ask: Ask) -> None:
    """The request goes to /responses with the key, in that API's form, and the reply is read."""
    loopback.plays(replying(SAID))
    chat = chat_at(loopback, temperature=0.5, max_tokens=20, reasoning_effort="low", store=False)
    reply = ask(chat, [SystemMessage("Be brief."), HumanMessage("Hi")], tools=[WEATHER])
    assert (reply.content, reply.id) == ("Let me see.", "resp_1")
    exchange = loopback.exchanges[0]
    assert exchange.path == "/v1/responses"
    assert exchange.headers["authorization"] == f"Bearer {KEY}"
    streaming = {"stream": True} if exchange.body.get("stream") else {}
    assert exchange.body == {
        "model": "gpt-x",
        "input": [
            {"type": "message", "role": "system", "content": "Be brief."},
            {"type": "message", "role": "user", "content": "Hi"},
        ],
        "temperature": 0.5,
        "max_output_tokens": 20,
        "reasoning": {"effort": "low"},
        "store": False,
        "tools": [
            {
                "type": "function",
                "name": "weather",
                "strict": False,
                "parameters": {"type": "object", "properties": {}},
            }
        ],
        **streaming,
    }


@all_ways
def test_a_conversation_with_tools_goes_on(loopback: LoopbackServer, ask: Ask) -> None:
    """The call is answered; what the model reasoned, with its encrypted content, is sent back."""
    loopback.plays(replying(REASONING, CALL), replying(SAID))
    chat = chat_at(loopback, include=["reasoning.encrypted_content"])
    asked = HumanMessage("The weather in Paris?")
    called = ask(chat, [asked], tools=[WEATHER])
    answer = ToolMessage("Rain.", tool_call_id=called.tool_calls[0]["id"] or "")
    assert ask(chat, [asked, called, answer]).content == "Let me see."
    assert loopback.exchanges[1].body["input"] == [
        {"type": "message", "role": "user", "content": "The weather in Paris?"},
        REASONING,
        CALL,
        {"type": "function_call_output", "call_id": "c1", "output": "Rain."},
    ]


class City(TypedDict):
    """A city."""

    name: str


@pytest.mark.parametrize("method", ["json_schema", "tools"])
def test_structured_output_is_asked_for(
    loopback: LoopbackServer, method: Literal["json_schema", "tools"]
) -> None:
    """The schema is in `text.format`, or a tool that has to be called; the answer is a value."""
    answer = '{"name": "Oslo"}'
    spoken = {**SAID, "content": [{"type": "output_text", "text": answer, "annotations": []}]}
    called = {**CALL, "name": "City", "arguments": answer}
    loopback.plays(replying(spoken if method == "json_schema" else called))
    chat = chat_at(loopback).with_structured_output(City, method=method, strict=True)
    assert chat.invoke("Norway's capital?") == {"name": "Oslo"}
    body = loopback.exchanges[0].body
    if method == "json_schema":
        asked = body["text"]["format"]
        assert (asked["type"], asked["name"], asked["strict"]) == ("json_schema", "City", True)
        assert asked["schema"]["required"] == ["name"]
    else:
        assert body["tools"][0]["name"] == "City"
        assert body["tools"][0]["strict"] is True
        assert body["tool_choice"] == {"type": "function", "name": "City"}


def test_bound_tools_are_offered_flat(loopback: LoopbackServer) -> None:
    """`bind_tools` takes functions and what the API has built in, and calls come back."""

    def weather(city: str) -> str:
        """Tell the weather."""
        return city

    loopback.plays(replying(CALL))
    chat = chat_at(loopback).bind_tools([weather, {"type": "web_search"}])
    called = chat.invoke("The weather in Paris?")
    assert called.tool_calls[0]["args"] == {"city": "Paris"}
    first, second = loopback.exchanges[0].body["tools"]
    assert (first["type"], first["name"]) == ("function", "weather")
    assert second == {"type": "web_search"}


@all_ways
def test_a_reply_names_itself_for_the_next_call(loopback: LoopbackServer, ask: Ask) -> None:
    """`previous_response_id` of the reply's id goes on without sending the conversation again."""
    loopback.plays(replying(SAID))
    chat = chat_at(loopback)
    reply = ask(chat, "Hi")
    assert reply.response_metadata["id"] == reply.id
    ask(chat, "Go on.", previous_response_id=reply.id)
    body = loopback.exchanges[1].body
    assert (body["previous_response_id"], len(body["input"])) == ("resp_1", 1)


@all_ways
@pytest.mark.parametrize("given", [{"stop": [" me"]}, {}])
def test_stop_is_heeded_though_the_api_has_none(
    loopback: LoopbackServer, ask: Ask, given: dict[str, Any]
) -> None:
    """The reply ends at the text, given for the call or for the model; nothing is sent of it."""
    loopback.plays(replying(SAID))
    chat = chat_at(loopback, stop=None if given else [" me"])
    assert ask(chat, "Hi", **given).content == "Let"
    assert "stop" not in loopback.exchanges[0].body


@all_ways
def test_what_the_api_lacks_never_reaches_it(loopback: LoopbackServer, ask: Ask) -> None:
    """The error comes before the request."""
    loopback.plays(replying(SAID))
    with pytest.raises(BadRequestError, match="has no seed"):
        ask(chat_at(loopback, seed=1), "Hi")
    assert loopback.exchanges == []


@all_ways
def test_a_server_without_this_api_is_a_clear_error(loopback: LoopbackServer, ask: Ask) -> None:
    """Refusals are mapped as those of the other API, and the key is not in them."""
    loopback.plays(refusal("500 Oops", f"Broken for {KEY}."))
    with pytest.raises(ServerError) as raised:
        ask(chat_at(loopback), "Hi")
    assert KEY not in str(raised.value)


@both_streams
def test_a_stream_that_breaks_off_keeps_what_had_come(loopback: LoopbackServer, ask: Ask) -> None:
    """A torn connection is an error with the partial reply; without a chunk it never began."""
    loopback.plays(reset(head() + CREATED + text("Hel"), text("lo")))
    with pytest.raises(StreamInterruptedError) as raised:
        ask(chat_at(loopback), "Hi")
    assert raised.value.partial == AIMessage("Hello")
    loopback.plays(reset())
    with pytest.raises(ModelConnectionError):
        ask(chat_at(loopback), "Hi")


@both_streams
def test_a_server_that_does_not_stream_still_answers(loopback: LoopbackServer, ask: Ask) -> None:
    """One JSON reply to a streaming request is one chunk."""
    whole = json.dumps(response(SAID)).encode()
    loopback.plays(saying(head(kind="application/json") + whole))
    assert ask(chat_at(loopback), "Hi").content == "Let me see."


@pytest.fixture(scope="module")
def llama() -> ChatOpenAI:
    """The embedded llama.cpp server, asked through its own /v1/responses."""
    connection = ChatLocal()._connection()
    return ChatOpenAI(
        "smollm2",
        api_key=connection["api_key"],
        base_url=connection["base_url"],
        use_responses_api=True,
        temperature=0,
        max_tokens=12,
    )


@pytest.mark.slow
@all_ways
def test_a_real_server_answers(llama: ChatOpenAI, ask: Ask) -> None:
    """llama.cpp's Responses API: text, ids, finish reason and usage with details."""
    reply = ask(llama, [SystemMessage("You are brief."), HumanMessage("Name a colour.")])
    assert reply.text
    assert (reply.id or "").startswith("resp_")
    assert reply.response_metadata == {
        "finish_reason": "stop",
        "model_name": "smollm2-135m-instruct",
        "id": reply.id,
    }
    assert reply.usage_metadata is not None
    assert reply.usage_metadata["output_tokens"] == 12


@pytest.mark.slow
def test_a_real_server_streams_what_it_says_at_once(llama: ChatOpenAI) -> None:
    """Several chunks, which are the whole reply of the same greedy words."""
    chunks = list(llama.stream("Name a colour."))
    assert len(chunks) > 3
    assert join_chunks(chunks).content == llama.invoke("Name a colour.").content


@pytest.mark.slow
@all_ways
def test_a_real_server_takes_a_conversation_with_tools(llama: ChatOpenAI, ask: Ask) -> None:
    """Replies, calls, results, parts and tools are items that llama.cpp accepts."""
    call = {"name": "weather", "args": {"city": "Paris"}, "id": "c1"}
    messages = [
        HumanMessage([{"type": "text", "text": "The weather in Paris?"}]),
        AIMessage("Let me see.", tool_calls=[call]),
        ToolMessage("Rain.", tool_call_id="c1"),
        AIMessage("Rain."),
        HumanMessage("And now?"),
    ]
    assert ask(llama, messages, tools=[WEATHER], tool_choice="auto").usage_metadata


@pytest.mark.slow
def test_a_real_server_gives_structured_output(llama: ChatOpenAI) -> None:
    """llama.cpp does not read `text.format` yet; its own parameter passes through, and the answer
    is a value."""
    schema = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 8}}}
    schema["required"] = ["name"]
    chat = copy.copy(llama)
    chat.model_kwargs = {"json_schema": {**schema, "additionalProperties": False}}
    chat.max_tokens = 60
    assert set(chat.with_structured_output(City).invoke("Name a city.")) == {"name"}


@pytest.mark.slow
def test_a_real_server_s_refusal_is_ours(llama: ChatOpenAI) -> None:
    """llama.cpp keeps no responses, and says so."""
    with pytest.raises(BadRequestError, match="previous_response_id"):
        llama.invoke("Go on.", previous_response_id="resp_1")
