from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from chatnb.cassettes.requests import request_to_dict
from chatnb.chat_models import AzureChatOpenAI, BaseChatModel, ChatAnthropic, ChatOpenAI
from chatnb.chat_models.wire.model_options import warn_once
from chatnb.errors import BadRequestError
from chatnb.schema import AIMessage, BaseMessage, HumanMessage, SystemMessage
from tests.support.loopback import Exchange, LoopbackServer, Script, delta, event, head
from tests.support.recording_handler import Recorder
from tests.support.responses_events import CREATED, SAID, completed, response, text

KEY = "sk-very-secret-key"
TOOL = {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}


def replying() -> Script:
    """Reply in the form that was requested, of both APIs."""

    async def script(exchange: Exchange) -> AsyncIterator[bytes]:
        is_response, streams = exchange.path.endswith("/responses"), exchange.body.get("stream")
        if not streams:
            choice = {"message": {"content": "Let me see."}, "finish_reason": "stop"}
            whole = response(SAID) if is_response else {"id": "c-1", "choices": [choice]}
            yield head(kind="application/json") + json.dumps(whole).encode()
        elif is_response:
            yield head() + CREATED + text("Let me ") + text("see.") + completed(SAID)
        else:
            yield head() + delta("Let me ") + delta("see.") + delta("", "stop") + event("[DONE]")

    return script


@pytest.fixture
def server(loopback: LoopbackServer) -> LoopbackServer:
    loopback.plays(replying())
    return loopback


def chat_at(server: LoopbackServer, **arguments: Any) -> ChatOpenAI:
    if not arguments.keys() & {"base_url", "openai_api_base"}:
        arguments["base_url"] = server.base_url
    return ChatOpenAI("some-model", api_key=KEY, max_retries=0, **arguments)


def requested(server: LoopbackServer, chat: BaseChatModel, **params: Any) -> Exchange:
    chat.invoke("Hi", **params)
    return server.exchanges[-1]


SENT_BY_BOTH: list[tuple[str, Any]] = [
    ("max_completion_tokens", 7),
    ("service_tier", "flex"),
    ("verbosity", "low"),
    ("prompt_cache_key", "k"),
    ("prompt_cache_retention", "24h"),
    ("safety_identifier", "s"),
    ("user", "me"),
    ("response_format", {"type": "json_object"}),
    ("temperature", 0.5),
    ("top_p", 0.5),
    ("store", True),
]
SENT_BY_COMPLETIONS: list[tuple[str, Any]] = [
    ("frequency_penalty", 0.5),
    ("presence_penalty", -0.5),
    ("logit_bias", {"50256": -100}),
    ("modalities", ["text"]),
    ("audio", {"voice": "alloy"}),
    ("prediction", {"type": "content", "content": "x"}),
]
IN_RESPONSES = {
    "max_completion_tokens": lambda body: body["max_output_tokens"],
    "verbosity": lambda body: body["text"]["verbosity"],
    "response_format": lambda body: body["text"]["format"],
}


@pytest.mark.parametrize(("name", "value"), SENT_BY_BOTH + SENT_BY_COMPLETIONS)
def test_an_argument_is_sent_with_every_request(
    server: LoopbackServer, name: str, value: Any
) -> None:
    """It is a field of chat completions, and a cassette tells replies with it apart."""
    chat = chat_at(server, **{name: value})
    assert requested(server, chat).body[name] == value
    assert request_to_dict(chat, [], None, {})["parameters"] == {name: value}
    assert requested(server, chat_at(server, model_kwargs={name: value})).body[name] == value


@pytest.mark.parametrize(("name", "value"), SENT_BY_BOTH)
def test_the_responses_api_gets_it_where_it_looks_for_it(
    server: LoopbackServer, name: str, value: Any
) -> None:
    """The same arguments are sent in the form of the Responses API."""
    exchange = requested(server, chat_at(server, use_responses_api=True, **{name: value}))
    assert exchange.path == "/v1/responses"
    assert IN_RESPONSES.get(name, lambda body: body[name])(exchange.body) == value


@pytest.mark.parametrize(("name", "value"), SENT_BY_COMPLETIONS)
def test_what_the_responses_api_has_not_is_an_error(
    server: LoopbackServer, name: str, value: Any
) -> None:
    """Nothing that changes the reply is left out silently."""
    with pytest.raises(BadRequestError, match=name):
        chat_at(server, use_responses_api=True, **{name: value}).invoke("Hi")
    assert not server.exchanges


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"truncation": "auto"}, {"truncation": "auto"}),
        ({"background": True}, {"background": True, "stream": True}),
        ({"use_previous_response_id": True}, {}),
        ({"output_version": "responses/v1"}, {}),
    ],
)
def test_arguments_of_the_responses_api_choose_it(
    server: LoopbackServer, arguments: dict[str, Any], field: dict[str, Any]
) -> None:
    """They need no `use_responses_api`, and the reply is whole."""
    chat = chat_at(server, **arguments)
    assert chat.invoke("Hi").text == "Let me see."
    assert server.exchanges[-1].path == "/v1/responses"
    assert field.items() <= server.exchanges[-1].body.items()
    assert asyncio.run(chat.ainvoke("Hi")).text == "Let me see."


def test_reasoning_settings_choose_the_responses_api_of_openai_alone(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenAI's chat completions have no `reasoning`; those of other servers have."""
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert ChatOpenAI("m", api_key=KEY, reasoning={"effort": "low"}).use_responses_api
    assert ChatOpenAI("m", api_key=KEY, include=["file_search_call.results"]).use_responses_api
    assert not ChatOpenAI("m", api_key=KEY, reasoning_effort="low").use_responses_api
    assert not chat_at(server, reasoning={"effort": "low"}).use_responses_api


def reply(id: str, finish_reason: str = "stop") -> AIMessage:
    return AIMessage("a", id=id, response_metadata={"finish_reason": finish_reason})


@pytest.mark.parametrize(
    ("messages", "sent", "previous"),
    [
        ([HumanMessage("1")], 1, None),
        ([SystemMessage("s"), HumanMessage("1"), reply("resp_1"), HumanMessage("2")], 1, "resp_1"),
        ([HumanMessage("1"), reply("chatcmpl-1"), HumanMessage("2")], 3, None),
        (
            [HumanMessage("1"), reply("resp_1"), HumanMessage("2"), reply("resp_2", "length")],
            2,
            "resp_1",
        ),
        ([HumanMessage("1"), reply("resp_1"), HumanMessage("2"), reply("resp_2")], 0, "resp_2"),
    ],
)
def test_the_previous_response_stands_for_the_messages_before_it(
    server: LoopbackServer, messages: list[BaseMessage], sent: int, previous: str | None
) -> None:
    """Only what follows the last whole response is sent; without one, all of it."""
    chat = chat_at(server, use_previous_response_id=True)
    chat.invoke(messages)
    body = server.exchanges[-1].body
    assert (len(body["input"]), body.get("previous_response_id")) == (sent, previous)
    chat.invoke(messages, store=False)
    assert "previous_response_id" not in server.exchanges[-1].body
    chat.invoke(messages, previous_response_id="resp_9")
    assert server.exchanges[-1].body["previous_response_id"] == "resp_9"
    assert len(server.exchanges[-1].body["input"]) == len(messages)


@pytest.mark.parametrize("uses_responses_api", [False, True])
def test_parallel_calls_are_only_a_matter_of_tools(
    server: LoopbackServer, *, uses_responses_api: bool
) -> None:
    """OpenAI rejects `parallel_tool_calls` in a request without tools; so it is left out there."""
    chat = chat_at(server, parallel_tool_calls=False, use_responses_api=uses_responses_api)
    assert "parallel_tool_calls" not in requested(server, chat).body
    assert requested(server, chat, tools=[TOOL]).body["parallel_tool_calls"] is False
    tooled = chat.bind_tools([TOOL], parallel_tool_calls=True)
    tooled.invoke("Hi")
    assert server.exchanges[-1].body["parallel_tool_calls"] is True


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("of_call", ["max_tokens", "max_completion_tokens"])
def test_a_call_s_limit_wins_by_either_name(
    server: LoopbackServer, name: str, of_call: str
) -> None:
    """A request never has both limits."""
    body = requested(server, chat_at(server, **{name: 9}), **{of_call: 3}).body
    limits = {key: body[key] for key in ("max_tokens", "max_completion_tokens") if key in body}
    assert limits == {of_call: 3}


def test_langchain_s_names_are_other_names(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has the effect of the SDK's name; two different values are an error."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    chat = chat_at(
        server,
        openai_api_base=server.base_url,
        openai_organization="org-1",
        request_timeout=9,
        stop_sequences=["x"],
    )
    exchange = requested(server, chat)
    assert exchange.headers["openai-organization"] == "org-1"
    assert exchange.body["stop"] == ["x"]
    assert chat.timeout == 9
    assert requested(server, chat, stop_sequences=["y"], request_timeout=5).body["stop"] == ["y"]
    assert chat_at(server, request_timeout=3, timeout=3).timeout == 3
    with pytest.raises(TypeError, match=r"timeout= or request_timeout="):
        chat_at(server, request_timeout=3, timeout=4)


def test_headers_and_queries_are_sent(server: LoopbackServer) -> None:
    """`default_headers` and `default_query` reach the server with every request."""
    chat = chat_at(server, default_headers={"x-team": "a"}, default_query={"tier": "b"})
    exchange = requested(server, chat)
    assert exchange.headers["x-team"] == "a"
    assert exchange.path.endswith("?tier=b")


@pytest.mark.parametrize(
    ("model_class", "name", "meant"),
    [
        (ChatOpenAI, "temprature", "temperature"),
        (ChatOpenAI, "frequency_penality", "frequency_penalty"),
        (ChatOpenAI, "base_uri", "base_url"),
        (ChatOpenAI, "request_timeouts", "request_timeout"),
        (ChatOpenAI, "callback", "callbacks"),
        (ChatAnthropic, "max_token", "max_tokens"),
        (ChatAnthropic, "disabled_streaming", "disable_streaming"),
        (AzureChatOpenAI, "azure_deploymnet", "azure_deployment"),
    ],
)
def test_an_unknown_argument_is_refused_with_the_closest(
    model_class: type[BaseChatModel], name: str, meant: str
) -> None:
    """The error names the argument that was meant, and shows no value."""
    azure = {"azure_endpoint": "https://example.openai.azure.com", "api_version": "1"}
    others = azure if model_class is AzureChatOpenAI else {}
    with pytest.raises(TypeError, match=rf"no argument {name}=. Did you mean {meant}=\?") as raised:
        model_class("m", api_key=KEY, **others, **{name: "the-value"})  # type: ignore[call-arg]
    assert "the-value" not in str(raised.value)


def test_the_signature_has_every_argument() -> None:
    """Completion in notebooks reads it, and `?` shows it with types as they are written."""
    signature = inspect.signature(ChatOpenAI)
    names = {"frequency_penalty", "http_client", "streaming", "tags", "truncation"}
    assert names <= signature.parameters.keys()
    assert "ForwardRef" not in str(signature)


def whole_ways() -> dict[str, Callable[[BaseChatModel], object]]:
    return {
        "invoke": lambda chat: chat.invoke("Hi"),
        "ainvoke": lambda chat: asyncio.run(chat.ainvoke("Hi")),
        "call": lambda chat: chat("Hi"),
        "apredict_messages": lambda chat: asyncio.run(chat.apredict_messages(["Hi"])),
        "generate": lambda chat: chat.generate([["Hi"]]),
        "agenerate": lambda chat: asyncio.run(chat.agenerate([["Hi"]])),
        "batch": lambda chat: chat.batch(["Hi"]),
    }


@pytest.mark.parametrize("way", whole_ways())
def test_streaming_tells_handlers_the_tokens_of_whole_replies(
    server: LoopbackServer, way: str
) -> None:
    """With `streaming=True`, `callbacks` of the model print the reply as it arrives."""
    handler = Recorder()
    chat = chat_at(
        server, streaming=True, callbacks=[handler], tags=["t"], metadata={"m": 1}, name="writer"
    )
    assert "Let me see." in repr(whole_ways()[way](chat))
    tokens = [told.more[0] for told in handler.told if told.event == "token"]
    assert "".join(tokens) == "Let me see."
    assert len(tokens) > 1
    [start] = [told.run for told in handler.told if told.event == "start"]
    assert (start.name, start.tags, start.metadata["m"]) == ("writer", ["t"], 1)
    assert start.first_token_time is not None
    assert [told.event for told in handler.told][-1] == "end"
    assert server.exchanges[-1].body["stream"] is True


def test_a_call_adds_to_the_model_s_own_settings(server: LoopbackServer) -> None:
    """They are joined, a handler gets each event once, and nothing of them is sent."""
    own, given = Recorder(), Recorder()
    chat = chat_at(server, callbacks=[own], tags=["own"], metadata={"a": 1, "b": 1})
    config = {"callbacks": [own, given], "tags": ["given"], "metadata": {"b": 2}}
    chat.invoke("Hi", config)  # type: ignore[arg-type]
    for handler in (own, given):
        assert [told.event for told in handler.told] == ["start", "end"]
        run = handler.told[0].run
        assert set(run.tags) == {"own", "given"}
        assert {"a": 1, "b": 2}.items() <= run.metadata.items()
    assert server.exchanges[-1].body.keys() == {"model", "messages"}


def test_handlers_of_a_model_are_checked() -> None:
    """One that has none of the methods is an error when the model is made."""
    with pytest.raises(TypeError, match="callback handler"):
        ChatOpenAI("m", api_key=KEY, callbacks=[5])


@pytest.mark.parametrize(
    ("disabled", "params", "streams"),
    [
        (True, {}, False),
        ("tool_calling", {"tools": [TOOL]}, False),
        ("tool_calling", {}, True),
        (False, {"tools": [TOOL]}, True),
    ],
)
def test_streams_can_be_disabled(
    server: LoopbackServer, disabled: Any, params: dict[str, Any], *, streams: bool
) -> None:
    """A stream is one chunk of a whole reply, for servers that cannot stream, or not with tools."""
    chat = chat_at(server, disable_streaming=disabled, streaming=True)

    async def chunks() -> list[str]:
        return [chunk.text async for chunk in chat.astream("Hi", **params)]

    for texts in ([c.text for c in chat.stream("Hi", **params)], asyncio.run(chunks())):
        assert "".join(texts) == "Let me see."
        assert (len(texts) == 1) is not streams
        assert bool(server.exchanges[-1].body.get("stream")) is streams


@pytest.mark.parametrize("arguments", [{"verbose": True}, {"output_version": "v1"}])
def test_what_chatnb_does_otherwise_is_said_once(
    arguments: dict[str, Any], recwarn: pytest.WarningsRecorder
) -> None:
    """`verbose` and `output_version` warn with what to write, once a process."""
    warn_once.cache_clear()
    for _ in range(2):
        ChatOpenAI("m", api_key=KEY, **arguments)
    assert [str(warning.message).partition("=")[0] for warning in recwarn] == [*arguments]
    ChatOpenAI("m", api_key=KEY, verbose=False, output_version=None)
    assert len(recwarn) == 1


def test_a_subclass_may_have_arguments_of_its_own(server: LoopbackServer) -> None:
    """Also those that are another name here, and those that it takes out of its keywords."""

    class Mine(ChatOpenAI):
        def __init__(self, request_timeout: str = "", **more: Any) -> None:
            self.word = request_timeout + more.pop("ending")
            super().__init__("m", api_key=KEY, base_url=server.base_url, **more)

    chat = Mine(request_timeout="a", ending="b", temperature=0)
    assert (chat.word, chat.temperature, chat.timeout) == ("ab", 0, None)
    with pytest.raises(TypeError, match="Mine has no argument endings="):
        Mine(ending="b", endings="b")


@pytest.mark.parametrize(
    ("expires_in", "sent"), [(3_600, {"audio": {"id": "a1"}}), (-1, {"content": "Good morning."})]
)
def test_the_turn_after_a_spoken_reply_works_when_its_audio_is_deleted(
    server: LoopbackServer, expires_in: int, sent: dict[str, Any]
) -> None:
    """The audio goes back by its id until OpenAI deletes it, and then as its transcript."""
    audio = {"id": "a1", "transcript": "Good morning.", "expires_at": time.time() + expires_in}
    spoken = AIMessage("", additional_kwargs={"audio": audio})
    chat_at(server).invoke([HumanMessage("Hi"), spoken, HumanMessage("And now?")])
    assert sent.items() <= server.exchanges[-1].body["messages"][1].items()
    assert ("audio" in server.exchanges[-1].body["messages"][1]) == (expires_in > 0)


@pytest.mark.parametrize("name", ["truncation", "background", "previous_response_id"])
def test_parameters_of_a_call_choose_the_responses_api(server: LoopbackServer, name: str) -> None:
    """They choose it for this call, as arguments do for all calls; a stream is read as well."""
    chat = chat_at(server)
    params: dict[str, Any] = {name: {"background": True}.get(name, "auto")}
    assert requested(server, chat, **params).path == "/v1/responses"
    assert "".join(chunk.text for chunk in chat.stream("Hi", **params)) == "Let me see."
    assert requested(server, chat).path == "/v1/chat/completions"
