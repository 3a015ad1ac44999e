from __future__ import annotations

import asyncio
import json
import os
import pickle
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from chatnb.cassettes.cassette import Cassette
from chatnb.chat_models import BaseChatModel, ChatLocal, ChatOpenAI, init_chat_model
from chatnb.chat_models.providers import known_providers
from chatnb.chat_models.registry import all_providers
from chatnb.errors import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    MalformedReplyError,
    MissingKeyError,
    UnknownModelError,
)
from chatnb.schema import AIMessage, HumanMessage, ToolMessage
from chatnb.schema.messages import join_chunks
from tests.support.loopback import Exchange, LoopbackServer, Script, event, head, refusal, saying
from tests.support.provider_wires import (
    COUNTS,
    REASONING_CONTENT,
    SEARCHED,
    WIRES,
    Wire,
    said,
    thinking,
)

KEY = "provider-very-secret-key"
Ask = Callable[..., AIMessage]


def streamed(chat: BaseChatModel, *args: Any, **params: Any) -> AIMessage:
    return join_chunks(chat.stream(*args, **params)).to_message()


def astreamed(chat: BaseChatModel, *args: Any, **params: Any) -> AIMessage:
    async def collect() -> AIMessage:
        chunks = [chunk async for chunk in chat.astream(*args, **params)]
        return join_chunks(chunks).to_message()

    return asyncio.run(collect())


both_streams = pytest.mark.parametrize("ask", [streamed, astreamed])


every_provider = pytest.mark.parametrize("name", WIRES)


def playing(wire: Wire) -> Script:
    async def script(exchange: Exchange) -> AsyncIterator[bytes]:
        yield head()
        for payload in wire.events:
            yield event(payload)
        yield event("[DONE]")

    return script


@pytest.fixture(autouse=True)
def _only_this_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every provider's variable holds a key, and OpenAI's one of its own."""
    for provider in known_providers().values():
        if provider.key:
            monkeypatch.setenv(provider.key, KEY)
        if provider.address:
            monkeypatch.setenv(provider.address, provider.base_url)
        for other in provider.other_keys:
            monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai-alone")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")


def chat_at(server: LoopbackServer, name: str, **params: Any) -> BaseChatModel:
    return init_chat_model(f"{name}:some-model", base_url=server.base_url, max_retries=0, **params)


def test_every_row_has_its_wire() -> None:
    """A provider that is added to the table is tested in its documented form."""
    assert set(WIRES) == set(known_providers())


@every_provider
def test_a_row_says_where_its_facts_come_from(name: str) -> None:
    """The address of the documentation, and an address to post to: TLS, or this machine."""
    row = known_providers()[name]
    assert row.docs.startswith("https://")
    remote = row.base_url.startswith("https://") and row.key is not None
    local = row.base_url.startswith("http://127.0.0.1:") and row.key is None
    assert remote or local


@every_provider
def test_the_wire_is_the_row_s(name: str) -> None:
    """The table's fields for usage and reasoning agree with the recorded wires."""
    row, wire = known_providers()[name], WIRES[name]
    assert wire.asks_for_usage == (row.usage == "on_request")
    field = row.reasoning.removesuffix(" parts")
    assert (wire.reasoning is None) == (row.reasoning == "none")
    assert f'"{field}"' in json.dumps(wire.events) or wire.reasoning is None


@every_provider
def test_a_provider_s_own_address_is_the_default(name: str) -> None:
    """It is asked where the table says, whatever OPENAI_BASE_URL says."""
    chat = init_chat_model(f"{name}:some-model")
    assert isinstance(chat, ChatOpenAI)
    assert chat.base_url == known_providers()[name].base_url


@every_provider
@both_streams
def test_a_streamed_reply_is_read(loopback: LoopbackServer, ask: Ask, name: str) -> None:
    """Text, reasoning, finish reason and usage, wherever the provider puts them."""
    wire = WIRES[name]
    loopback.plays(playing(wire))
    reply = ask(chat_at(loopback, name), "Hi")
    assert reply.content == "Hello."
    assert reply.additional_kwargs.get("reasoning_content") == wire.reasoning
    assert reply.response_metadata["finish_reason"] == "stop"
    expected: dict[str, Any] = {"input_tokens": 8, "output_tokens": 5, "total_tokens": 13}
    if wire.cached:
        expected["input_token_details"] = {"cached": wire.cached}
    assert reply.usage_metadata == expected


@every_provider
@both_streams
def test_a_request_has_only_what_the_provider_takes(
    loopback: LoopbackServer, ask: Ask, name: str
) -> None:
    """The provider's key and no other, the parameters by its names, and usage if it has to be
    asked for."""
    loopback.plays(playing(WIRES[name]))
    row = known_providers()[name]
    ask(chat_at(loopback, name, temperature=0.5, max_tokens=9, stop=["x"]), "Hi")
    exchange = loopback.exchanges[0]
    assert exchange.path == "/v1/chat/completions"
    assert exchange.headers["authorization"] == f"Bearer {KEY if row.key else 'none'}"
    usage = {"stream_options": {"include_usage": True}} if WIRES[name].asks_for_usage else {}
    assert exchange.body == {
        "model": "some-model",
        "messages": [{"role": "user", "content": "Hi"}],
        "temperature": 0.5,
        "max_tokens": 9,
        "stop": ["x"],
        "stream": True,
        **usage,
    }


REJECTED = [(row.name, each) for row in known_providers().values() for each in row.rejected]


@pytest.mark.parametrize(("name", "parameter"), REJECTED)
def test_what_a_provider_refuses_is_not_sent(
    loopback: LoopbackServer, name: str, parameter: str
) -> None:
    """The error names the provider and the parameter before anything is sent."""
    with pytest.raises(BadRequestError, match=f"{name} takes no {parameter}. Leave it out"):
        chat_at(loopback, name).invoke("Hi", **{parameter: 1})
    assert loopback.exchanges == []


@pytest.mark.parametrize(
    ("name", "given", "sent"),
    [
        ("mistral", {"seed": 1}, {"random_seed": 1}),
        ("mistral", {"max_completion_tokens": 3}, {"max_tokens": 3}),
        ("cohere", {"max_completion_tokens": 3}, {"max_tokens": 3}),
        ("dashscope", {"max_completion_tokens": 3}, {"max_tokens": 3}),
        ("ollama", {"max_completion_tokens": 3}, {"max_tokens": 3}),
        ("deepseek", {"max_completion_tokens": 3}, {"max_tokens": 3}),
        ("groq", {"max_completion_tokens": 3}, {"max_completion_tokens": 3}),
    ],
)
def test_parameters_have_the_provider_s_names(
    loopback: LoopbackServer, name: str, given: dict[str, Any], sent: dict[str, Any]
) -> None:
    """The same call works everywhere, whatever the provider calls a parameter."""
    loopback.plays(playing(WIRES[name]))
    streamed(chat_at(loopback, name), "Hi", **given)
    body = loopback.exchanges[0].body
    told = {"model", "messages", "stream", "stream_options"}
    assert {k: v for k, v in body.items() if k not in told} == sent


@both_streams
def test_the_sources_of_a_reply_are_kept_once(loopback: LoopbackServer, ask: Ask) -> None:
    """Perplexity repeats them with every chunk; the reply has them in `additional_kwargs`."""
    loopback.plays(playing(WIRES["perplexity"]))
    assert ask(chat_at(loopback, "perplexity"), "Hi").additional_kwargs == SEARCHED


def whole(message: dict[str, Any]) -> Script:
    async def script(_: Exchange) -> AsyncIterator[bytes]:
        reply = {"id": "chat-1", "model": "some-model", "usage": COUNTS}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = event({**reply, "choices": [choice]}).removeprefix(b"data: ")
        yield head(kind="application/json") + body

    return script


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("deepseek", {"content": "Hello.", "reasoning_content": "Hm."}),
        ("groq", {"content": "Hello.", "reasoning": "Hm."}),
        ("mistral", {"content": [*thinking("Hm."), {"type": "text", "text": "Hello."}]}),
    ],
)
def test_whole_replies_are_read_alike(
    loopback: LoopbackServer, name: str, message: dict[str, Any]
) -> None:
    """Reasoning is in the same place, streamed or not, also where a stream was asked for."""
    loopback.plays(whole(message))
    chat = chat_at(loopback, name)
    for reply in (chat.invoke("Hi"), asyncio.run(chat.ainvoke("Hi")), streamed(chat, "Hi")):
        assert reply.content == "Hello."
        assert reply.additional_kwargs == {"reasoning_content": "Hm."}


def calling(**extra: Any) -> Wire:
    """A reply that calls two tools, its arguments in pieces."""
    signed = {"index": 0, "id": "c1", "function": {"name": "now", "arguments": "{"}, **extra}
    rest = {"index": 0, "function": {"arguments": "}"}}
    other = {"index": 1, "id": "c2", "function": {"name": "here", "arguments": "{}"}}
    return Wire([said(tool_calls=[signed]), said(tool_calls=[rest, other]), said("tool_calls")])


@both_streams
def test_gemini_is_sent_its_thought_signatures(loopback: LoopbackServer, ask: Ask) -> None:
    """It refuses a conversation whose calls come back without the extra content they had."""
    extra = {"google": {"thought_signature": "c2lnbmVk"}}
    loopback.plays(playing(calling(extra_content=extra)), playing(WIRES["gemini"]))
    chat = chat_at(loopback, "gemini")
    called = ask(chat, "When?")
    answers = [ToolMessage("noon", tool_call_id=call["id"] or "") for call in called.tool_calls]
    ask(chat, [HumanMessage("When?"), called, *answers])
    first, second = loopback.exchanges[1].body["messages"][1]["tool_calls"]
    assert (first["id"], first["extra_content"]) == ("c1", extra)
    assert "extra_content" not in second


@both_streams
def test_deepseek_is_sent_its_reasoning(loopback: LoopbackServer, ask: Ask) -> None:
    """It refuses a conversation with calls that lacks it; others ignore or refuse it."""
    thought = Wire([*REASONING_CONTENT, *calling().events])
    loopback.plays(playing(thought), playing(WIRES["deepseek"]))
    chat = chat_at(loopback, "deepseek")
    talk = [HumanMessage("When?"), ask(chat, "When?"), ToolMessage("noon", tool_call_id="c1")]
    ask(chat, talk)
    ask(chat_at(loopback, "groq"), talk)
    to_deepseek, to_groq = (exchange.body["messages"][1] for exchange in loopback.exchanges[1:])
    assert to_deepseek["reasoning_content"] == "Hm, a greeting."
    assert "reasoning_content" not in to_groq


def test_a_missing_key_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Providers with a key say which variable to set; OpenAI's key is never sent to them."""
    for provider in known_providers().values():
        if provider.key is None:
            assert init_chat_model(f"{provider.name}:m")
            continue
        monkeypatch.delenv(provider.key)
        with pytest.raises(MissingKeyError, match=provider.key):
            init_chat_model(f"{provider.name}:m")


@pytest.mark.parametrize(
    ("name", "variable"),
    [(row.name, other) for row in known_providers().values() for other in row.other_keys],
)
def test_a_key_may_be_in_langchain_s_variable(
    monkeypatch: pytest.MonkeyPatch, loopback: LoopbackServer, name: str, variable: str
) -> None:
    """The other variables of a row are read where its own is not set."""
    monkeypatch.delenv(known_providers()[name].key or "")
    monkeypatch.setenv(variable, "other-very-secret-key")
    loopback.plays(playing(WIRES[name]))
    streamed(chat_at(loopback, name), "Hi")
    assert loopback.exchanges[0].headers["authorization"] == "Bearer other-very-secret-key"
    [row] = [row for row in all_providers() if row.name == name]
    assert row.usable


def test_an_address_of_one_s_own_is_required(
    monkeypatch: pytest.MonkeyPatch, loopback: LoopbackServer
) -> None:
    """The error of a provider whose address is each customer's own says how to give it."""
    monkeypatch.delenv("AZURE_AI_ENDPOINT")
    with pytest.raises(ConfigurationError, match=r"AZURE_AI_ENDPOINT, or pass it as base_url="):
        init_chat_model("azure_ai:m")
    [row] = [row for row in all_providers() if row.name == "azure_ai"]
    assert (row.usable, row.needs) == (False, "set AZURE_AI_ENDPOINT")
    monkeypatch.setenv("AZURE_AI_ENDPOINT", loopback.base_url)
    loopback.plays(playing(WIRES["azure_ai"]))
    assert streamed(init_chat_model("azure_ai:m"), "Hi").content == "Hello."


def test_a_replay_needs_no_address(
    monkeypatch: pytest.MonkeyPatch, loopback: LoopbackServer, tmp_path: Path
) -> None:
    """The tests run without the address of the customer who recorded the cassette."""
    monkeypatch.setenv("AZURE_AI_ENDPOINT", loopback.base_url)
    loopback.plays(playing(WIRES["azure_ai"]))
    with Cassette(tmp_path / "c.yaml"):
        recorded = streamed(init_chat_model("azure_ai:m"), "Hi")
    monkeypatch.delenv("AZURE_AI_ENDPOINT")
    with Cassette(tmp_path / "c.yaml", "replay"):
        chat = init_chat_model("azure_ai:m")
        assert streamed(chat, "Hi").content == recorded.content
    assert chat.base_url == known_providers()["azure_ai"].base_url


@both_streams
@pytest.mark.parametrize(("name", "hint"), [("groq", "GROQ_API_KEY"), ("vllm", "api_key=")])
def test_a_refused_key_says_where_it_comes_from(
    loopback: LoopbackServer, ask: Ask, name: str, hint: str
) -> None:
    """The error names this provider's variable, not OpenAI's, and not the key."""
    loopback.plays(refusal("401 Unauthorized", f"Wrong key {KEY}."))
    with pytest.raises(AuthenticationError, match=hint) as raised:
        ask(chat_at(loopback, name, api_key=KEY), "Hi")
    assert KEY not in str(raised.value)
    assert "OPENAI_API_KEY" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("gemini", [{"error": {"code": 400, "message": "No such field."}}]),
        ("mistral", {"detail": [{"loc": ["body", "x"], "msg": "No such field."}]}),
        ("vllm", {"object": "error", "message": "No such field.", "code": 400}),
        ("openrouter", {"error": {"code": 400, "message": "No such field."}}),
    ],
)
def test_each_provider_s_refusal_is_read(loopback: LoopbackServer, name: str, body: Any) -> None:
    """The provider's own words are in the error, in whichever form it sends them."""
    refused = head("400 Bad Request", "application/json") + json.dumps(body).encode()
    loopback.plays(saying(refused))
    with pytest.raises(BadRequestError, match="No such field") as raised:
        chat_at(loopback, name).invoke("Hi")
    assert raised.value.status == 400
    assert "'error'" not in str(raised.value)


def test_a_server_of_one_s_own_may_ask_for_a_key(loopback: LoopbackServer) -> None:
    """`api_key` is sent also where the provider usually needs none."""
    loopback.plays(playing(WIRES["vllm"]))
    streamed(chat_at(loopback, "vllm", api_key=KEY), "Hi")
    assert loopback.exchanges[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_model_has_to_be_named() -> None:
    """There is no best model to guess; llama.cpp's server has only one, so it needs no name."""
    with pytest.raises(UnknownModelError, match="groq:MODEL"):
        init_chat_model("groq")
    assert init_chat_model("llamacpp").model_name == "default"


def test_names_with_colons_and_slashes_are_the_model_s(loopback: LoopbackServer) -> None:
    """Ollama's tags and OpenRouter's vendors stay in the name."""
    chat = init_chat_model("ollama:llama3.2:3b")
    assert repr(chat) == "ChatCompatible(provider='ollama', model='llama3.2:3b')"
    assert init_chat_model("openrouter:deepseek/deepseek-r1:free").model_name.endswith(":free")
    with pytest.raises(UnknownModelError, match="Did you mean mistral:"):
        init_chat_model("mistrall:m")


@pytest.mark.parametrize("name", ["ollama", "openrouter"])
def test_the_responses_api_of_a_provider_can_be_asked(loopback: LoopbackServer, name: str) -> None:
    """Several of them have it, too."""
    loopback.plays(refusal("400 Bad Request", "Not today."))
    with pytest.raises(BadRequestError, match="Not today"):
        chat_at(loopback, name, use_responses_api=True).invoke("Hi")
    assert loopback.exchanges[0].path == "/v1/responses"


@pytest.mark.process
def test_a_real_llama_cpp_answers() -> None:
    """The embedded server, asked as a server of one's own, streams and counts tokens."""
    connection = ChatLocal()._connection()
    address, key = connection["base_url"], connection["api_key"]
    chat = init_chat_model("llamacpp", base_url=address, api_key=key, max_tokens=8, temperature=0)
    chunks = list(chat.stream("Name a colour."))
    assert len(chunks) > 3
    usage = join_chunks(chunks).usage_metadata
    assert usage is not None
    assert usage["output_tokens"] == 8


def test_a_strange_reply_is_an_error(loopback: LoopbackServer) -> None:
    """A payload that is not in the provider's form raises MalformedReplyError."""
    loopback.plays(saying(head(), event({"choices": ["what"]})))
    with pytest.raises(MalformedReplyError):
        streamed(chat_at(loopback, "mistral"), "Hi")


def test_it_can_be_pickled_and_has_no_key_in_its_repr() -> None:
    """A copy is of the same provider, and knows its key."""
    chat = init_chat_model("groq:m")
    assert isinstance(chat, ChatOpenAI)
    other = pickle.loads(pickle.dumps(chat))
    assert repr(other) == repr(chat)
    assert other.openai_api_key.get_secret_value() == os.environ["GROQ_API_KEY"]
