from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import pytest
from typing_extensions import TypedDict

from chatnb.chat_models import ChatOpenAI
from chatnb.chat_models.openai.responses import input_items, responses_body
from chatnb.chat_models.openai.responses_replies import message_from_response
from chatnb.chat_models.openai.responses_stream import ResponseDecoder
from chatnb.output_parsers import JsonOutputParser
from chatnb.schema import AIMessage, HumanMessage, ToolMessage
from chatnb.schema.messages import join_chunks, message_to_dict
from chatnb.tools import ToolLoop
from chatnb.tools.validation import CallCheck
from tests.support.loopback import Exchange, LoopbackServer, Script, head
from tests.support.responses_events import (
    CALL,
    CITATION,
    CREATED,
    REASONING,
    SAID,
    SEARCH,
    added,
    completed,
    done,
    response,
    said,
)

Item = dict[str, Any]


def message(text: str, id: str, phase: str | None = None, *notes: Item) -> Item:
    part = {"type": "output_text", "text": text, "annotations": list(notes), "logprobs": []}
    given = {} if phase is None else {"phase": phase}
    return {**SAID, "id": id, "content": [part], **given}


COMMENTARY = message("I look it up.", "msg_0", "commentary")
FINAL = message('{"name": "Oslo"}', "msg_9", "final_answer")
SPACED = {**CALL, "arguments": '{"city":"Paris"}', "namespace": "crm"}
CUSTOM = {
    "type": "custom_tool_call",
    "id": "ctc_1",
    "call_id": "c7",
    "name": "run",
    "input": 'print("a\\n😀")\n',
    "status": "completed",
}
REFUSED = {"type": "refusal", "refusal": "No more."}
REPLIES: dict[str, Sequence[Item]] = {
    "commentary and answer": [COMMENTARY, FINAL],
    "answer alone": [FINAL],
    "reasoning, commentary, answer": [REASONING, COMMENTARY, message("Yes.", "m", "final_answer")],
    "two comments and an answer": [COMMENTARY, {**COMMENTARY, "id": "msg_1"}, FINAL],
    "commentary and a call": [COMMENTARY, SPACED],
    "a call with a namespace": [SPACED],
    "a call before the text": [CALL, message("Wait.", "msg_1")],
    "two messages": [message("One.", "msg_1"), message("Two.", "msg_2")],
    "a message around a search": [message("One.", "msg_1"), SEARCH, message("Two.", "msg_2")],
    "a custom call": [REASONING, CUSTOM],
    "a custom call and a function call": [CUSTOM, CALL],
    "citations": [message("See there.", "msg_1", None, CITATION)],
    "several parts": [{**SAID, "content": [*SAID["content"], *SAID["content"], REFUSED]}],
}
each_reply = pytest.mark.parametrize("output", REPLIES.values(), ids=REPLIES)


@each_reply
def test_a_reply_is_sent_back_as_it_came(output: Sequence[Item]) -> None:
    """All items, in order, with every field: phases, namespaces, citations, exact arguments."""
    reply = message_from_response(response(*output))
    assert responses_body([HumanMessage("Hi"), reply], {})["input"][1:] == list(output)
    copied = AIMessage(**{**vars(reply), "content": reply.content})
    assert input_items([copied], {}) == list(output)


def test_the_text_of_a_reply_is_kept_once() -> None:
    """A store, a log or a notebook has the text of a reply with reasoning once, not twice."""
    text = "The answer is long."
    reply = message_from_response(response(REASONING, message(text, "msg_1")))
    assert reply.content == text
    assert json.dumps(message_to_dict(reply)).count(text) == 1


def deltas(
    output: Sequence[Item], *, ids: bool = True, numbers: bool = True, named: bool = True
) -> Iterator[bytes]:
    """The events of a server that streams everything, with or without ids and numbers; pieces may
    not name their items."""
    for index, item in enumerate(output):
        place: Item = {"output_index": index} if numbers else {}
        item = item if ids else {name: item[name] for name in item if name != "id"}
        at = {**place, "item_id": item["id"]} if ids and named else place
        yield said("output_item.added", item={**item, **_emptied(item)}, **place)
        for n, (kind, text, where) in enumerate(_texts(item)):
            for piece in (text[: n + 3], text[n + 3 :]):
                yield said(f"{kind}.delta", delta=piece, **at, **where)
            name = "refusal" if kind == "refusal" else "text"
            yield said(f"{kind}.done", **{name: text}, **at, **where)
        yield said("output_item.done", item=item, **place)


def _emptied(item: Item) -> Item:
    return {n: type(item[n])() for n in ("content", "summary", "arguments", "input") if n in item}


def _texts(item: Item) -> Iterator[tuple[str, str, Item]]:
    for n, part in enumerate(item.get("content", ())):
        kind = "output_text" if "text" in part else "refusal"
        yield kind, part.get("text") or part["refusal"], {"content_index": n}
    for n, part in enumerate(item.get("summary", ())):
        yield "reasoning_summary_text", part["text"], {"summary_index": n}
    for name, kind in (
        ("arguments", "function_call_arguments"),
        ("input", "custom_tool_call_input"),
    ):
        if name in item:
            yield kind, item[name], {}


SERVERS: dict[str, Callable[[Sequence[Item]], list[bytes]]] = {
    "streams": lambda output: [*deltas(output), completed(*output)],
    "streams without ids": lambda output: [*deltas(output, ids=False), completed(*output)],
    "streams without output numbers": lambda output: [
        *deltas(output, numbers=False),
        completed(*output),
    ],
    "streams pieces with numbers alone": lambda output: [
        *deltas(output, named=False),
        completed(*output),
    ],
    "streams pieces without ids and numbers": lambda output: [
        *deltas(output, named=False, numbers=False),
        completed(*output),
    ],
    "sends an empty output": lambda output: [*deltas(output), completed()],
    "sends finished items": lambda output: [
        *(done(item, n) for n, item in enumerate(output)),
        completed(*output),
    ],
    "announces items": lambda output: [
        *(added({**item, **_emptied(item)}, n) for n, item in enumerate(output)),
        completed(*output),
    ],
    "sends the response alone": lambda output: [completed(*output)],
}


@each_reply
@pytest.mark.parametrize("server", SERVERS.values(), ids=SERVERS)
def test_a_streamed_reply_is_the_whole_one(
    output: Sequence[Item], server: Callable[[Sequence[Item]], list[bytes]]
) -> None:
    """Text, reasoning and calls are taken from any event that has them, and taken once."""
    decoder = ResponseDecoder()
    decoder.begin("text/event-stream")
    chunks = [chunk for piece in (CREATED, *server(output)) for chunk in decoder.decode(piece)]
    streamed = join_chunks(chunks).to_message()
    whole = message_from_response(response(*output))
    assert streamed == whole
    assert "".join(chunk.answer for chunk in chunks).strip() == whole.answer


def test_a_changed_reply_is_sent_as_it_is_now() -> None:
    """New text takes the place of the answer; calls that were removed or changed are so there."""
    reply = message_from_response(response(COMMENTARY, SPACED, CUSTOM, FINAL))
    reply.content = "Changed."
    reply.tool_calls = [
        {"name": "weather", "args": {"city": "Rome"}, "id": "c1"},
        {"name": "run", "args": {"__arg1": "1"}, "id": "c7"},
    ]
    sent = input_items([reply], {})
    assert [item["type"] for item in sent] == ["function_call", "custom_tool_call", "message"]
    assert (sent[0]["arguments"], sent[0]["namespace"]) == ('{"city": "Rome"}', "crm")
    assert sent[1]["input"] == "1"
    assert (sent[2]["phase"], sent[2]["content"][0]["text"]) == ("final_answer", "Changed.")
    reply.content, reply.tool_calls = "", []
    assert input_items([reply], {}) == []


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("nested", [True, False])
def test_a_custom_tool_is_called_with_text_and_answered(*, kept: bool, nested: bool) -> None:
    """By the reply's items, or for a call from elsewhere by the tools of the request."""
    tool = {"name": "run", "description": "Runs code."}
    tools = [{"type": "custom", "custom": tool} if nested else {"type": "custom", **tool}]
    reply = message_from_response(response(CUSTOM))
    if not kept:
        reply = AIMessage("", tool_calls=reply.tool_calls)
        assert input_items([reply], {})[0]["type"] == "function_call"
    body = responses_body([reply, ToolMessage("ok", tool_call_id="c7")], {"tools": tools})
    assert body["tools"] == [{"type": "custom", **tool}]
    call, output = body["input"]
    assert (call["type"], call["call_id"], call["input"]) == (
        "custom_tool_call",
        "c7",
        CUSTOM["input"],
    )
    assert output == {"type": "custom_tool_call_output", "call_id": "c7", "output": "ok"}


def test_calls_of_a_namespace_are_valid() -> None:
    """The tools within a namespace are known, and others are not."""
    orders = {"type": "function", "name": "list_orders", "parameters": {"type": "object"}}
    check = CallCheck([{"type": "namespace", "name": "crm", "tools": [orders]}])
    call = {**SPACED, "name": "list_orders", "arguments": "{}"}
    reply = message_from_response(response(call))
    assert check.invoke(reply) is reply
    assert check.invoke(message_from_response(response(SPACED))).tool_calls == []


def playing(*replies: Sequence[Item]) -> Script:
    """Answer with each reply in turn, whole or as a stream."""
    remaining = iter(replies)

    async def script(exchange: Exchange) -> AsyncIterator[bytes]:
        output = next(remaining)
        if exchange.body.get("stream"):
            yield head() + CREATED + b"".join(deltas(output)) + completed(*output)
        else:
            yield head(kind="application/json") + json.dumps(response(*output)).encode()

    return script


def chat_at(server: LoopbackServer) -> ChatOpenAI:
    return ChatOpenAI(
        "gpt-x", api_key="k", base_url=server.base_url, max_retries=0, use_responses_api=True
    )


class City(TypedDict):
    """A city."""

    name: str


def invoked(runnable: Any) -> Any:
    return runnable.invoke("Norway's capital?")


def astreamed(runnable: Any) -> Any:
    async def collect() -> Any:
        return [value async for value in runnable.astream("Norway's capital?")][-1]

    return asyncio.run(collect())


@pytest.mark.parametrize("ask", [invoked, astreamed])
def test_the_final_answer_is_parsed_and_not_the_commentary(
    loopback: LoopbackServer, ask: Callable[[Any], Any]
) -> None:
    """By structured output and by parsers, whole or streamed."""
    loopback.plays(playing([COMMENTARY, FINAL], [COMMENTARY, FINAL], [FINAL]))
    chat = chat_at(loopback)
    assert ask(chat.with_structured_output(City)) == {"name": "Oslo"}
    assert ask(chat | JsonOutputParser()) == {"name": "Oslo"}
    reply = chat.invoke("Norway's capital?")
    assert reply.answer == reply.text == '{"name": "Oslo"}'


@pytest.mark.parametrize("ask", [invoked, astreamed])
def test_a_tool_loop_runs_custom_tools(loopback: LoopbackServer, ask: Callable[[Any], Any]) -> None:
    """A function of one parameter is run with the input, and its result is a custom output."""

    def run(code: str) -> str:
        """Run code."""
        return f"ran {len(code)}"

    loopback.plays(playing([COMMENTARY, CUSTOM], [FINAL]))
    bound = chat_at(loopback).bind_tools([{"type": "custom", "name": "run"}])
    ask(ToolLoop(bound, [run]))
    assert loopback.exchanges[1].body["input"][1:] == [
        COMMENTARY,
        CUSTOM,
        {
            "type": "custom_tool_call_output",
            "call_id": "c7",
            "output": f"ran {len(CUSTOM['input'])}",
        },
    ]
