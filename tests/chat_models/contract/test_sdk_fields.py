"""The fields that the SDKs' `create` methods take, as arguments of chat models."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from anthropic.resources.beta.messages import Messages
from openai.resources.chat.completions import Completions
from openai.resources.responses import Responses

from chatnb.chat_models import BaseChatModel, ChatAnthropic, ChatOpenAI
from chatnb.errors import BadRequestError
from tests.support.anthropic_events import whole
from tests.support.loopback import Exchange, LoopbackServer, head
from tests.support.responses_events import SAID, completed, response

Make = Callable[..., BaseChatModel]
# Of a call, not of a model; and `metadata`, which is that of runs, as in LangChain.
NOT_ARGUMENTS = {
    *("self", "model", "messages", "input", "system", "stream", "metadata"),
    *("extra_headers", "extra_query", "extra_body", "timeout"),
}
TOOL = {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}
VALUES: dict[str, Any] = {
    "background": False,
    "betas": ["b-1", "b-2"],
    "fallback_credit_token": "x",
    "include": ["x"],
    "instructions": "x",
    "logprobs": True,
    "max_completion_tokens": 5,
    "max_output_tokens": 5,
    "max_tokens": 5,
    "n": 1,
    "parallel_tool_calls": True,
    "reasoning_effort": "low",
    "response_format": {"type": "json_object"},
    "stop": ["x"],
    "stop_sequences": ["x"],
    "temperature": 0.5,
    "text": {"verbosity": "low"},
    "tool_choice": "auto",
    "tools": [TOOL],
    "top_k": 5,
    "top_p": 0.5,
    "user_profile_id": "x",
    "verbosity": "low",
    "workspace_id": "x",
}
HEADERS = {
    "betas": ("anthropic-beta", "b-1,b-2"),
    "user_profile_id": ("anthropic-user-profile-id", "x"),
    "workspace_id": ("anthropic-workspace-id", "x"),
}


def fields(create: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(create).parameters if name not in NOT_ARGUMENTS]


def replying(exchange_body: bytes) -> Any:
    async def script(exchange: Exchange) -> AsyncIterator[bytes]:
        yield head(kind="application/json") + exchange_body

    return script


CHOICE = {"message": {"content": "Hi."}, "finish_reason": "stop"}
COMPLETION = json.dumps({"id": "c-1", "choices": [CHOICE]}).encode()


def openai(server: LoopbackServer, **arguments: Any) -> ChatOpenAI:
    return ChatOpenAI("m", api_key="sk-x", base_url=server.base_url, max_retries=0, **arguments)


@pytest.mark.parametrize("name", fields(Completions.create))
def test_chat_completions_take_the_sdk_s_fields(loopback: LoopbackServer, name: str) -> None:
    """An argument by a field's name is sent as that field, with a stream too where it needs one."""
    loopback.plays(replying(COMPLETION))
    value = VALUES.get(name, {"x": 1})
    chat = openai(loopback, **{name: value}, **({"tools": [TOOL]} if "parallel" in name else {}))
    if name == "stream_options":
        assert list(chat.stream("Hi"))
        assert loopback.exchanges[-1].body[name] == {"include_usage": True, **value}
        chat.invoke("Hi")
        assert name not in loopback.exchanges[-1].body
        return
    chat.invoke("Hi")
    assert loopback.exchanges[-1].body[name] == value


@pytest.mark.parametrize("name", fields(Responses.create))
def test_the_responses_api_takes_the_sdk_s_fields(loopback: LoopbackServer, name: str) -> None:
    """An argument by a field's name is sent as that field, tools in this API's form."""
    loopback.plays(replying(json.dumps(response(SAID)).encode()))
    value = VALUES.get(name, {"x": 1})
    needed = {"tools": [TOOL]} if name == "parallel_tool_calls" else {}
    chat = openai(loopback, use_responses_api=True, **{name: value}, **needed)
    if name == "stream_options":
        loopback.plays(streaming())
        assert list(chat.stream("Hi"))
    else:
        chat.invoke("Hi")
    sent = loopback.exchanges[-1].body[name]
    assert sent == value if name != "tools" else sent[0]["name"] == "now"


def streaming() -> Any:
    async def script(exchange: Exchange) -> AsyncIterator[bytes]:
        yield head() + completed(SAID)

    return script


@pytest.mark.parametrize("name", fields(Messages.create))
def test_anthropic_takes_the_sdk_s_fields(loopback: LoopbackServer, name: str) -> None:
    """An argument by a field's name is sent as that field, or as the header that the SDK sends."""
    loopback.plays(replying(json.dumps(whole({"type": "text", "text": "Hi."})).encode()))
    value = VALUES.get(name, {"x": 1})
    chat = ChatAnthropic("m", api_key="x", base_url=loopback.base_url, **{name: value})
    chat.invoke("Hi")
    exchange = loopback.exchanges[-1]
    if name in HEADERS:
        header, text = HEADERS[name]
        assert exchange.headers[header] == text
        assert name not in exchange.body
        assert exchange.path.endswith("?beta=true") == (name == "betas")
    elif name == "tools":
        assert exchange.body[name][0]["name"] == "now"
    elif name == "tool_choice":
        assert exchange.body[name] == {"type": "auto"}
    else:
        assert exchange.body[name] == value


def test_effort_is_a_part_of_the_output_s_settings(loopback: LoopbackServer) -> None:
    """LangChain's `effort` is sent where the API looks for it, beside other settings."""
    loopback.plays(replying(json.dumps(whole({"type": "text", "text": "Hi."})).encode()))
    chat = ChatAnthropic(
        "m", api_key="x", base_url=loopback.base_url, effort="low", output_config={"a": 1}
    )
    chat.invoke("Hi")
    assert loopback.exchanges[-1].body["output_config"] == {"a": 1, "effort": "low"}
    chat.invoke("Hi", effort="high", betas=["b-3"])
    assert loopback.exchanges[-1].body["output_config"] == {"a": 1, "effort": "high"}
    assert loopback.exchanges[-1].headers["anthropic-beta"] == "b-3"


@pytest.mark.parametrize(
    ("make", "wrong", "right"),
    [
        (ChatAnthropic, "mcp_server", "mcp_servers"),
        (ChatAnthropic, "beta", "betas"),
        (ChatOpenAI, "stream_option", "stream_options"),
        (ChatOpenAI, "web_search_option", "web_search_options"),
        (ChatOpenAI, "extra_header", "default_headers"),
    ],
)
def test_other_names_are_refused_with_the_closest(make: Make, wrong: str, right: str) -> None:
    """A field that no SDK has is a TypeError that names the closest argument."""
    with pytest.raises(TypeError, match=rf"no argument {wrong}=.*{right}="):
        make("m", api_key="x", **{wrong: 1})


def test_web_search_options_are_none_of_the_responses_api(loopback: LoopbackServer) -> None:
    """The Responses API has a tool for it; nothing is left out silently."""
    with pytest.raises(BadRequestError, match="web_search_options"):
        openai(loopback, use_responses_api=True, web_search_options={}).invoke("Hi")
