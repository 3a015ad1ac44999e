from __future__ import annotations

import asyncio
import copy
import gc
import json
import os
import pickle
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Callable

import anthropic
import pytest

from chatnb import errors
from chatnb.chat_models import BaseChatModel, ChatAnthropic, ChatLocal, init_chat_model
from chatnb.chat_models.cache import InMemoryCache
from chatnb.concurrency.pickling import dumps
from chatnb.schema import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from chatnb.schema.messages import join_chunks
from tests.support.anthropic_events import (
    SIGNATURE,
    answering,
    calling,
    error,
    finish,
    grown,
    opened,
    refusing,
    sent,
    start,
    streaming,
    text,
    thinking,
    whole,
)
from tests.support.loopback import LoopbackServer, Script, head, reset, saying

KEY = "sk-ant-very-secret-key"
HELLO = {"type": "text", "text": "Hello."}
Collect = Callable[..., list[AIMessageChunk]]
Invoke = Callable[..., AIMessage]


@pytest.fixture(autouse=True)
def no_anthropic_key_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may depend on, or spend, a key that happens to be set."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def sync_stream(chat: BaseChatModel, *args: object, **params: object) -> list[AIMessageChunk]:
    return list(chat.stream(*args, **params))  # type: ignore[arg-type]


def async_stream(chat: BaseChatModel, *args: object, **params: object) -> list[AIMessageChunk]:
    async def collect() -> list[AIMessageChunk]:
        return [chunk async for chunk in chat.astream(*args, **params)]  # type: ignore[arg-type]

    return asyncio.run(collect())


def sync_invoke(chat: BaseChatModel, *args: object, **params: object) -> AIMessage:
    return chat.invoke(*args, **params)  # type: ignore[arg-type]


def async_invoke(chat: BaseChatModel, *args: object, **params: object) -> AIMessage:
    return asyncio.run(chat.ainvoke(*args, **params))  # type: ignore[arg-type]


both_streams = pytest.mark.parametrize("stream", [sync_stream, async_stream])
both_invokes = pytest.mark.parametrize("invoke", [sync_invoke, async_invoke])


def chat_at(server: LoopbackServer, **params: object) -> ChatAnthropic:
    given = {"max_retries": 0, **params}
    return ChatAnthropic("claude-x", api_key=KEY, base_url=server.base_url, **given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def llama() -> ChatAnthropic:
    """llama.cpp's server, which answers /v1/messages, with its small real model."""
    local = ChatLocal(max_tokens=1)
    local.invoke("Hi")
    connection = local._connection()
    return ChatAnthropic(
        local.model_name,
        anthropic_api_key=connection["api_key"],
        base_url=connection["base_url"],
        max_tokens=12,
        temperature=0,
    )


@pytest.mark.process
@both_invokes
def test_a_real_server_answers(llama: ChatAnthropic, invoke: Invoke) -> None:
    """A system prompt, parts and a history get a reply with its reason and its usage."""
    history = [
        SystemMessage([{"type": "text", "text": "Be brief."}]),
        HumanMessage("Name a colour."),
        AIMessage("Blue."),
        HumanMessage(["Name", " another."]),
    ]
    message = invoke(llama, history)
    assert message.text
    assert message.response_metadata["model_name"] == "smollm2-135m-instruct"
    assert message.response_metadata["finish_reason"] in ("stop", "length")
    assert message.usage_metadata is not None
    assert message.usage_metadata["input_tokens"] > 20
    assert 0 < message.usage_metadata["output_tokens"] <= 12


@pytest.mark.process
@both_streams
def test_a_real_server_streams(llama: ChatAnthropic, stream: Collect) -> None:
    """Several chunks add up to what the whole reply is."""
    chunks = stream(llama, "Say hello.")
    message = join_chunks(chunks).to_message()
    assert len([chunk for chunk in chunks if chunk.content]) > 3
    assert message.content == llama.invoke("Say hello.").content
    assert message.usage_metadata is not None
    assert message.usage_metadata["output_tokens"] == 12
    assert message.response_metadata["stop_reason"] == "max_tokens"


@pytest.mark.process
def test_a_real_server_stops_at_a_text(llama: ChatAnthropic) -> None:
    """The server ends the reply there, and says at what."""
    message = llama.invoke("Say hello.", stop=["e"])
    assert "e" not in message.text
    assert message.response_metadata["stop_sequence"] == "e"


@pytest.mark.process
def test_a_real_server_takes_calls_and_their_results(llama: ChatAnthropic) -> None:
    """The server accepts tool calls and their results."""
    schema = {"type": "object", "properties": {}}
    function = {"name": "now", "description": "The time.", "parameters": schema}
    messages = [
        HumanMessage("What time is it?"),
        AIMessage("", tool_calls=[{"name": "now", "args": {}, "id": "c1"}]),
        ToolMessage("Noon.", tool_call_id="c1"),
    ]
    tools = [{"type": "function", "function": function}]
    assert llama.invoke(messages, tools=tools).usage_metadata is not None


@pytest.mark.process
@both_streams
def test_a_real_server_s_refusals_are_typed(llama: ChatAnthropic, stream: Collect) -> None:
    """Too long a prompt, and a wrong key."""
    with pytest.raises(errors.ContextOverflowError):
        stream(llama, "hello " * 9000)
    stranger = ChatAnthropic("x", api_key="sk-wrong", base_url=llama.base_url)
    with pytest.raises(errors.AuthenticationError, match="ANTHROPIC_API_KEY"):
        stream(stranger, "Hi")


@both_invokes
def test_invoke_asks_for_a_whole_reply(loopback: LoopbackServer, invoke: Invoke) -> None:
    """To /v1/messages, whether base_url has the /v1 or not, with the key and what is set."""
    loopback.plays(answering(whole(HELLO)))
    message = invoke(chat_at(loopback), [SystemMessage("Be brief."), HumanMessage("Hi")])
    assert repr(message) == "AIMessage(content='Hello.')"
    (exchange,) = loopback.exchanges
    assert exchange.path == "/v1/messages"
    assert exchange.headers["authorization"] == f"Bearer {KEY}"
    assert exchange.body == {
        "model": "claude-x",
        "max_tokens": 16_000,
        "stream": False,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
    }


@both_invokes
def test_a_reply_that_may_get_long_is_streamed(loopback: LoopbackServer, invoke: Invoke) -> None:
    """The SDK waits at most ten minutes for a whole reply, so a longer one is streamed."""
    loopback.plays(streaming(start(), *text(0, "Hel", "lo."), *finish("end_turn")))
    assert invoke(chat_at(loopback), "Hi", max_tokens=64_000).content == "Hello."
    sent_body = loopback.exchanges[0].body
    assert (sent_body["stream"], sent_body["max_tokens"]) == (True, 64_000)


@both_streams
def test_a_stream_gives_its_chunks_and_usage(loopback: LoopbackServer, stream: Collect) -> None:
    """Chunks are cut as the server cut them, and add up to text, finish reason and usage."""
    ping = {"type": "ping"}
    loopback.plays(streaming(start(), ping, *text(0, "Hel", "lo"), *finish("end_turn")))
    chunks = stream(chat_at(loopback), "Hi")
    assert [chunk.content for chunk in chunks] == ["", "Hel", "lo", ""]
    message = join_chunks(chunks).to_message()
    assert (message.content, message.id) == ("Hello", "msg_1")
    assert message.response_metadata["finish_reason"] == "stop"
    assert message.usage_metadata == {"input_tokens": 8, "output_tokens": 5, "total_tokens": 13}


@both_streams
def test_thinking_with_tools_makes_the_round(loopback: LoopbackServer, stream: Collect) -> None:
    """A call after thinking, its result, and the answer; the thinking went back as it came."""
    asked = [*thinking(0, "Let me", " add."), *calling(1, "toolu_1", "add", '{"a"', ": 1}")]
    loopback.plays(
        streaming(start(), *asked, *finish("tool_use")),
        streaming(start(), *text(0, "2"), *finish("end_turn")),
    )
    chat = chat_at(loopback, thinking={"type": "adaptive"})
    question = HumanMessage("1 + 1?")
    call = join_chunks(stream(chat, [question])).to_message()
    assert (call.reasoning, call.tool_calls[0]["args"]) == ("Let me add.", {"a": 1})
    result = ToolMessage("2", tool_call_id="toolu_1")
    assert join_chunks(stream(chat, [question, call, result])).content == "2"
    first, second = (exchange.body for exchange in loopback.exchanges)
    assert first["thinking"] == {"type": "adaptive"}
    assert second["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "Let me add.", "signature": SIGNATURE},
        {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1}},
    ]


@both_invokes
def test_parameters_reach_the_wire(loopback: LoopbackServer, invoke: Invoke) -> None:
    """Those of the constructor are sent, those of the call win, and unset ones are left out."""
    loopback.plays(answering(whole(HELLO)))
    chat = chat_at(
        loopback, temperature=0.5, top_k=3, stop=["a"], max_tokens=9, model_kwargs={"speed": "fast"}
    )
    invoke(chat, "Hi", temperature=0.0, stop=["b"], model="claude-y")
    (exchange,) = loopback.exchanges
    sent_body = {k: v for k, v in exchange.body.items() if k not in ("messages", "stream")}
    assert sent_body == {
        "model": "claude-y",
        "max_tokens": 9,
        "temperature": 0.0,
        "top_k": 3,
        "stop_sequences": ["b"],
        "speed": "fast",
    }
    assert exchange.headers["anthropic-version"] == "2023-06-01"
    invoke(chat_at(loopback), "Hi")
    assert loopback.exchanges[1].headers["anthropic-version"] > "2023-06-01"


@both_invokes
def test_a_schema_is_fitted_to_what_the_api_takes(loopback: LoopbackServer, invoke: Invoke) -> None:
    """The API rejects open objects and limits of numbers; the SDK closes or describes them."""
    loopback.plays(answering(whole({"type": "text", "text": '{"age": 3}'})))
    age = {"type": "integer", "minimum": 0}
    schema = {"type": "object", "properties": {"age": age}, "required": ["age"]}
    form = {"type": "json_schema", "json_schema": {"name": "cat", "schema": schema}}
    invoke(chat_at(loopback), "How old?", response_format=form)
    fitted = {"type": "integer", "description": "{minimum: 0}"}
    assert loopback.exchanges[0].body["output_config"]["format"] == {
        "type": "json_schema",
        "schema": {**schema, "properties": {"age": fitted}, "additionalProperties": False},
    }


@both_streams
def test_a_server_that_does_not_stream_still_answers(
    loopback: LoopbackServer, stream: Collect
) -> None:
    """One JSON reply to a streaming request is one chunk."""
    loopback.plays(answering(whole(HELLO)))
    (chunk,) = stream(chat_at(loopback), "Hi")
    assert chunk.content == "Hello."


HEL = [start(), opened(0, "text", text=""), grown(0, "text_delta", text="Hel")]
BROKEN: dict[str, tuple[Script, type[errors.ModelError], str, str | None]] = {
    "401": (
        refusing("401 Unauthorized", "authentication_error", "invalid x-api-key"),
        errors.AuthenticationError,
        "ANTHROPIC_API_KEY",
        None,
    ),
    "404": (
        refusing("404 Not Found", "not_found_error", "model: claude-x"),
        errors.NotFoundError,
        "base_url",
        None,
    ),
    "429": (
        refusing("429 Slow", "rate_limit_error", "Slow.", retry_after="7"),
        errors.RateLimitError,
        "wait 7 s",
        None,
    ),
    "529": (
        refusing("529 Overloaded", "overloaded_error", "Overloaded"),
        errors.ServerError,
        "again",
        None,
    ),
    "html": (
        saying(head(kind="text/html") + b"<html>It works!</html>"),
        errors.MalformedReplyError,
        "/v1/messages",
        None,
    ),
    "broken json": (
        saying(head(), sent(*HEL), b'data: {"type": \n\n'),
        errors.MalformedReplyError,
        "not of the Messages API",
        "Hel",
    ),
    "a block without a beginning": (
        streaming(*HEL, grown(1, "text_delta", text="lo")),
        errors.MalformedReplyError,
        "not of the Messages API",
        "Hel",
    ),
    "a call without a name": (
        streaming(*HEL, opened(1, "tool_use", id="c1")),
        errors.MalformedReplyError,
        "content_block_start",
        "Hel",
    ),
    "no end": (streaming(*HEL), errors.StreamInterruptedError, "again", "Hel"),
    "reset before the first byte": (
        reset(),
        errors.ModelConnectionError,
        "Run it again",
        None,
    ),
    "reset in mid-stream": (
        reset(head(), sent(*HEL)),
        errors.StreamInterruptedError,
        "again",
        "Hel",
    ),
    "error in stream": (
        streaming(*HEL, error("overloaded_error", "Overloaded")),
        errors.ServerError,
        "Overloaded. Try again in a moment. (request req_9)",
        "Hel",
    ),
}
each_fault = pytest.mark.parametrize("fault", BROKEN)


@both_streams
@each_fault
def test_each_fault_is_one_error_that_says_what_to_do(
    loopback: LoopbackServer, stream: Collect, fault: str
) -> None:
    """Every way a call goes wrong is an error of chatnb's tree, with a hint and the partial."""
    script, error_class, hint, partial = BROKEN[fault]
    loopback.plays(script)
    with pytest.raises(error_class) as raised:
        stream(chat_at(loopback), "Hi")
    assert hint in str(raised.value)
    assert (raised.value.partial.text if raised.value.partial else None) == partial


@each_fault
def test_no_fault_leaves_anything_behind(loopback: LoopbackServer, fault: str) -> None:
    """After an error the connection is closed, and no task or thread runs on."""
    loopback.plays(BROKEN[fault][0])
    chat = chat_at(loopback)

    async def fail() -> set[asyncio.Task[object]]:
        with pytest.raises(errors.ModelError):
            [chunk async for chunk in chat.astream("Hi")]
        await asyncio.sleep(0)
        return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]

    with pytest.raises(errors.ModelError):
        list(chat.stream("Hi"))
    threads = set(threading.enumerate())
    assert asyncio.run(fail()) == set()
    assert {thread for thread in threading.enumerate() if thread.is_alive()} <= threads
    assert all(exchange.closed.wait(60) for exchange in loopback.exchanges)


def test_event_loops_that_have_ended_leave_no_clients(loopback: LoopbackServer) -> None:
    """Each `asyncio.run` has a loop and a client of its own, which goes with it."""
    loopback.plays(answering(whole(HELLO)))
    chat, before = chat_at(loopback), living_clients()
    assert [asyncio.run(chat.ainvoke("Hi")).content for _ in range(5)] == ["Hello."] * 5
    assert living_clients() <= before + 1


def living_clients() -> int:
    gc.collect()
    return sum(type(thing) is anthropic.AsyncAnthropic for thing in gc.get_objects())


@pytest.mark.process
def test_connections_that_are_kept_open_end_with_their_event_loop(llama: ChatAnthropic) -> None:
    """llama.cpp keeps connections open; the loop that ends leaves no warning and no stray task."""
    told: list[dict[str, object]] = []

    async def ask() -> str:
        asyncio.get_running_loop().set_exception_handler(lambda _, said: told.append(said))
        reply = await llama.ainvoke("Hi", max_tokens=1)
        gc.collect()
        return reply.text

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert all(asyncio.run(ask()) for _ in range(3))
        gc.collect()
    assert [str(one.message) for one in warned if one.category is ResourceWarning] == []
    assert told == []


def test_without_a_key_the_error_names_three_ways_out() -> None:
    """ChatAnthropic() with no key says: the variable, the argument, or the embedded model."""
    with pytest.raises(errors.MissingKeyError) as raised:
        ChatAnthropic()
    for way in ("ANTHROPIC_API_KEY", "api_key=", "ChatLocal()"):
        assert way in str(raised.value)


def test_key_and_address_come_from_the_environment(
    loopback: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK's own environment variables give the key and the address."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", loopback.base_url.removesuffix("/v1"))
    loopback.plays(answering(whole(HELLO)))
    assert ChatAnthropic().invoke("Hi").content == "Hello."
    assert loopback.exchanges[0].headers["authorization"] == f"Bearer {KEY}"


def test_the_key_is_never_shown(loopback: LoopbackServer, caplog: pytest.LogCaptureFixture) -> None:
    """Not in a repr, a log or a traceback, not even when the server repeats it."""
    loopback.plays(refusing("401 Unauthorized", "authentication_error", f"No such key: {KEY}"))
    chat = chat_at(loopback)
    with caplog.at_level("DEBUG"), pytest.raises(errors.AuthenticationError) as raised:
        chat.invoke("Hi")
    shown = "".join(traceback.format_exception(raised.value, chain=True))
    causes = (str(vars(raised.value)), str(vars(raised.value.__cause__)))
    assert repr(chat) == "ChatAnthropic(model='claude-x')"
    for said in (repr(chat), str(vars(chat)), shown, caplog.text, *causes):
        assert KEY not in said
    loopback.plays(streaming(*HEL, error("api_error", f"No such key: {KEY}")))
    with pytest.raises(errors.ServerError, match=r"No such key: \*\*\*"):
        list(chat.stream("Hi"))


def test_an_error_names_the_request_and_keeps_the_sdk_s(loopback: LoopbackServer) -> None:
    """The provider's message and request id are in the error, the SDK's error is its cause."""
    loopback.plays(refusing("429 Slow", "rate_limit_error", "Slow down.", request_id="req_42"))
    with pytest.raises(errors.RateLimitError, match=r"Slow down\..*req_42") as raised:
        chat_at(loopback).invoke("Hi")
    assert (raised.value.request_id, raised.value.status) == ("req_42", 429)
    assert isinstance(raised.value.__cause__, anthropic.RateLimitError)


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda c: pickle.loads(dumps(c, send_keys=True))]
)
def test_a_model_can_be_copied_and_pickled(
    loopback: LoopbackServer, again: Callable[[ChatAnthropic], ChatAnthropic]
) -> None:
    """A copy, also one that comes from another process, has connections of its own."""
    loopback.plays(answering(whole(HELLO)))
    chat = chat_at(loopback, thinking={"type": "adaptive"})
    assert chat.invoke("Hi").content == "Hello."
    assert again(chat).invoke("Hi").content == "Hello."
    assert loopback.exchanges[-1].body["thinking"] == {"type": "adaptive"}


def test_replies_are_kept_in_a_cache(loopback: LoopbackServer) -> None:
    """The same request is sent once; another limit is another request, another timeout not."""
    loopback.plays(answering(whole(HELLO)))
    cache = InMemoryCache()
    for params in ({}, {"timeout": 9.0}, {"max_tokens": 5}):
        assert chat_at(loopback, cache=cache, **params).invoke("Hi").content == "Hello."
    assert len(loopback.exchanges) == 2


def test_it_is_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """`anthropic:MODEL`, and `anthropic` for the default; the model alone is enough."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    chat = init_chat_model("anthropic:claude-opus-5-5", max_tokens=5)
    assert isinstance(chat, ChatAnthropic)
    assert (chat.model_name, chat.max_tokens) == ("claude-opus-5-5", 5)
    assert init_chat_model("anthropic").model_name == ChatAnthropic().model_name
    assert isinstance(init_chat_model("claude-opus-5-5"), ChatAnthropic)


@pytest.mark.process
def test_a_missing_sdk_names_the_command_that_installs_it() -> None:
    """Making the model needs no SDK; without it the first call says what to type."""
    code = (
        "import sys; sys.modules['anthropic'] = None\n"
        "from chatnb import ChatAnthropic\n"
        "chat = ChatAnthropic(api_key='sk-none-at-all'); print(chat)\n"
        "chat.invoke('Hi')"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment
    )
    assert ran.stdout.startswith("ChatAnthropic(")
    last = ran.stderr.splitlines()[-1]
    assert last.startswith("chatnb.errors.MissingRuntimeError")
    assert 'pip install "chatnb[anthropic]"' in last


@pytest.mark.process
def test_the_sdk_is_loaded_at_the_first_call_only() -> None:
    """Naming, making and showing the model loads neither SDK."""
    code = (
        "import json, sys\n"
        "from chatnb import ChatAnthropic\n"
        "ChatAnthropic(api_key='sk-none-at-all')\n"
        "print(json.dumps([name for name in ('anthropic', 'openai') if name in sys.modules]))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment
    )
    assert json.loads(ran.stdout) == []
