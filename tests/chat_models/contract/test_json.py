"""JSON as models write it, over every wire format."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from chatnb.output_parsers import JsonOutputParser, StrOutputParser
from chatnb.runnables import Runnable, RunnableLambda
from chatnb.schema import AIMessage, HumanMessage
from tests.chat_models.contract.providers import PROVIDERS, Provider
from tests.support import anthropic_events as anthropic
from tests.support import responses_events as responses
from tests.support.loopback import LoopbackServer, Script, delta, event, head, saying


class Note(BaseModel):
    """A note."""

    a: str


NOTE = Note(a="x\ny\tz")
JSON = '{"a": "x\ny\tz"}'
PROSE = ["Sure [1]: {no} ", "```json\n{", '"a": "x\n', 'y\tz"}\n', "```\nAnd `{}`."]
WIRES = [p for p in PROVIDERS if p.name in ("openai", "openai-responses", "azure", "anthropic")]
each_wire = pytest.mark.parametrize("provider", WIRES, ids=lambda p: p.name)


def last(runnable: Runnable[Any, Any], method: str) -> Any:
    async def arun() -> Any:
        if method == "ainvoke":
            return await runnable.ainvoke("?")
        return [value async for value in runnable.astream("?")][-1]

    if method.startswith("a"):
        return asyncio.run(arun())
    return runnable.invoke("?") if method == "invoke" else list(runnable.stream("?"))[-1]


# Anthropic has no JSON mode.
READERS = [
    (provider, by, method)
    for provider in WIRES
    for by, method in (("json_schema", "astream"), ("json_mode", "stream"), ("parser", "invoke"))
    if (provider.name, by) != ("anthropic", "json_mode")
]


@pytest.mark.parametrize(("provider", "by", "method"), READERS, ids=lambda v: getattr(v, "name", v))
def test_a_text_with_json_is_read(
    loopback: LoopbackServer, provider: Provider, by: Any, method: str
) -> None:
    """By every method of structured output that reads text, and by a parser."""
    loopback.plays(provider.wire.reply(*PROSE))
    chat = provider.model(loopback.base_url)
    if by == "parser":
        assert last(chat | JsonOutputParser(), method) == {"a": NOTE.a}
    else:
        assert last(chat.with_structured_output(Note, method=by), method) == NOTE


def chat_call(pieces: Sequence[str], **first: Any) -> bytes:
    calls = [
        {"function": {"name": "Note"}, "id": "c1", "type": "function", **first},
        *({"function": {"arguments": piece}, **first} for piece in pieces),
    ]
    deltas = [{"tool_calls": [call]} for call in calls]
    return b"".join(event({"choices": [{"index": 0, "delta": each}]}) for each in deltas)


def call_script(provider: Provider, pieces: Sequence[str]) -> Script:
    """Stream a call of the tool `Note` with arguments in pieces."""
    match provider.name:
        case "anthropic":
            return anthropic.streaming(
                anthropic.start(),
                *anthropic.calling(0, "c1", "Note", *pieces),
                *anthropic.finish("tool_use"),
            )
        case "openai-responses":
            call = {**responses.CALL, "name": "Note", "arguments": ""}
            whole = {**call, "arguments": "".join(pieces)}
            return saying(
                head(),
                responses.CREATED,
                responses.added(call),
                *(responses.arguments(piece, item_id="fc_1") for piece in pieces),
                responses.done(whole),
                responses.completed(whole),
            )
        case _:
            place = {"index": None} if provider.name == "azure" else {}
            ends = delta(None, "tool_calls") + event("[DONE]")
            return saying(head(), chat_call(pieces, **place), ends)


@each_wire
@pytest.mark.parametrize(
    ("method", "pieces"),
    [("stream", list(JSON)), ("astream", ["{}", JSON]), ("stream", ["So: ", JSON, " Done."])],
)
def test_arguments_of_a_call_are_read(
    loopback: LoopbackServer, provider: Provider, method: str, pieces: list[str]
) -> None:
    """In pieces without an index, after an empty object, and among prose."""
    loopback.plays(call_script(provider, pieces))
    typed = provider.model(loopback.base_url).with_structured_output(Note, method="tools")
    assert last(typed, method) == NOTE


@pytest.mark.parametrize("method", ["invoke", "astream"])
@each_wire
def test_half_a_character_does_not_keep_a_request_back(
    loopback: LoopbackServer, provider: Provider, method: str
) -> None:
    """A reply or a source may hold half an emoji, which UTF-8 has not; it is sent as U+FFFD."""
    loopback.plays(provider.wire.reply("Fine."))
    chat = provider.model(loopback.base_url) | StrOutputParser()
    asked = RunnableLambda(lambda _: [AIMessage("Half \ud83d"), HumanMessage("Go \ude00on")]) | chat
    last(asked, method)
    [exchange] = loopback.exchanges
    sent = json.dumps(exchange.body, ensure_ascii=False)
    assert "Half \ufffd" in sent
    assert "Go \ufffdon" in sent
