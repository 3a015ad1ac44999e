from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pydantic import BaseModel

from chatnb.chat_models import BaseChatModel, ChatOpenAI, ScriptedChatModel
from chatnb.schema import AIMessage, AIMessageChunk
from chatnb.schema.messages import join_chunks
from chatnb.tools import tool
from tests.support.loopback import LoopbackServer, event, head, saying, whole

CALLS: list[Any] = [
    {"name": "add", "args": {"a": 1, "b": 2}, "id": "c1", "type": "tool_call"},
    {"name": "add", "args": {"a": "one"}, "id": "c2", "type": "tool_call"},
    {"name": "sub", "args": {}, "id": "c3", "type": "tool_call"},
]


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Sub(BaseModel):
    """Subtract."""

    a: int


def reply(way: str, chat: Any) -> AIMessage:
    async def astream() -> AIMessage:
        return join_chunks([chunk async for chunk in chat.astream("Hi")]).to_message()

    match way:
        case "invoke":
            return chat.invoke("Hi")
        case "ainvoke":
            return asyncio.run(chat.ainvoke("Hi"))
        case "stream":
            return join_chunks(chat.stream("Hi")).to_message()
        case "batch":
            return chat.batch(["Hi"])[0]
        case _:
            return asyncio.run(astream())


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream", "batch"])
def test_calls_that_cannot_be_made_are_invalid(way: str) -> None:
    """Of a bound model's calls those that fit are valid; others say why not, in every method."""
    chat = ScriptedChatModel([AIMessage("Let me see.", tool_calls=CALLS)]).bind_tools([add])
    said = reply(way, chat)
    assert (said.content, said.tool_calls) == ("Let me see.", CALLS[:1])
    unfit, unknown = said.invalid_tool_calls
    assert (unfit["id"], json.loads(unfit["args"] or "")) == ("c2", {"a": "one"})
    assert unfit["error"] == (
        "The arguments do not fit add: a: Input should be a valid integer, unable to parse string "
        "as an integer; b: Field required"
    )
    assert unknown["error"] == "There is no tool 'sub'. The tools are: add"


def test_a_model_without_tools_is_not_checked() -> None:
    """A model with nothing bound gives its own reply."""
    assert ScriptedChatModel([AIMessage("", tool_calls=CALLS)]).invoke("Hi").tool_calls == CALLS


def test_the_stream_flows_through() -> None:
    """A bound model streams piece by piece, its calls as partial calls."""
    chat = ScriptedChatModel([AIMessage("Let me see.", tool_calls=CALLS[:1])]).bind_tools([add])
    chunks = list(chat.stream("Hi"))
    assert [chunk.content for chunk in chunks[:3]] == ["Let", " me", " see."]
    assert all(isinstance(chunk, AIMessageChunk) for chunk in chunks)
    assert len([chunk for chunk in chunks if chunk.tool_call_chunks]) > 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("streamed", [True, False])
def test_what_is_bound_goes_over_the_wire(loopback: LoopbackServer, streamed: bool) -> None:
    """Tools, the choice and the rest are in the request, with what the call adds."""
    stream = saying(head(), event({"choices": [{"delta": {"content": "Hi"}}]}), event("[DONE]"))
    loopback.plays(stream if streamed else whole("Hi"))
    chat = ChatOpenAI("m", api_key="sk-12345678", base_url=loopback.base_url).bind_tools(
        [add, Sub, {"type": "web_search"}],
        tool_choice="add",
        strict=True,
        parallel_tool_calls=False,
    )
    if streamed:
        list(chat.stream("Hi", seed=1))
    else:
        chat.invoke("Hi", seed=1)
    body = loopback.exchanges[0].body
    assert [each.get("function", each).get("name") for each in body["tools"]] == [
        "add",
        "Sub",
        None,
    ]
    assert body["tools"][0]["function"]["strict"] is True
    assert body["tool_choice"] == {"type": "function", "function": {"name": "add"}}
    assert (body["parallel_tool_calls"], body["seed"]) == (False, 1)


class Recording(BaseChatModel):
    """Says what it was given."""

    model_name = "recording"

    def _generate(self, messages: Any, *, stop: Any = None, **params: Any) -> AIMessage:
        return AIMessage(json.dumps(params))


@pytest.mark.parametrize(
    ("given", "params"),
    [
        ({}, {}),
        ({"tool_choice": True}, {"tool_choice": "required"}),
        ({"tool_choice": "none", "strict": True}, {"tool_choice": "none"}),
        ({"parallel_tool_calls": True}, {"parallel_tool_calls": True}),
    ],
)
def test_only_what_is_said_is_sent(given: dict[str, Any], params: dict[str, Any]) -> None:
    """No list of tools without tools, and nothing that nobody asked for."""
    assert json.loads(Recording().bind_tools([], **given).invoke("Hi").text) == params


@pytest.mark.parametrize("choice", ["multiply", {"type": "function", "function": {"name": "x"}}])
def test_a_choice_of_no_tool_is_refused(choice: Any) -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError, match="The tools are: add"):
        Recording().bind_tools([add], tool_choice=choice)
