from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator

import pytest

from chatnb.chat_models import ScriptedChatModel
from chatnb.chat_models.stop_sequences import StopFilter, acut_stream, cut_reply, cut_stream
from chatnb.schema import AIMessage, AIMessageChunk

TEXT = "One. Two and two. Three."


def pieces(seed: int) -> list[str]:
    dice, rest, cut = random.Random(seed), TEXT, list[str]()
    while rest:
        size = dice.randint(0, 4)
        cut, rest = [*cut, rest[:size]], rest[size:]
    return cut


@pytest.mark.parametrize(
    "stop",
    [[" Two"], ["wo a", "Three"], ["nowhere"], ["ee."], ["."], [""], ["Three. Four", ". F"]],
)
def test_every_method_ends_at_the_first_stop_however_the_reply_is_cut(stop: list[str]) -> None:
    """invoke, stream and their async twins tell the same text, up to the stop and no further."""
    ends = [TEXT.index(text) for text in stop if text and text in TEXT]
    expected = TEXT[: min(ends)] if ends else TEXT

    async def astream(chat: ScriptedChatModel) -> str:
        return "".join([chunk.text async for chunk in chat.astream("Hi", stop=stop)])

    for seed in range(20):
        chat = ScriptedChatModel([pieces(seed)])
        assert chat.invoke("Hi", stop=stop).text == expected
        assert "".join(chunk.text for chunk in chat.stream("Hi", stop=stop)) == expected
        assert asyncio.run(chat.ainvoke("Hi", stop=stop)).text == expected
        assert asyncio.run(astream(chat)) == expected


def test_only_what_may_be_the_start_of_a_stop_is_held_back() -> None:
    """A stream is not delayed more than it must be."""
    gate = StopFilter(["END"])
    assert [gate.push(text) for text in ("abc", "E", "N", "x", "EN")] == ["abc", "", "", "ENx", ""]
    assert (gate.flush(), gate.ended) == ("EN", False)


@pytest.mark.parametrize(
    ("stop", "texts", "shown"),
    [
        (["END", "ND"], ["xEN", "D!"], ["x", ""]),
        (["b", "ab"], ["xab"], ["x"]),
        (["aab"], ["aaab"], ["a"]),
        (["abc"], ["ab", "ab", "c"], ["", "ab", ""]),
        (["aa"], ["a"], [""]),
        ([""], ["abc", ""], ["abc", ""]),
    ],
)
def test_the_first_of_several_stops_counts(
    stop: list[str], texts: list[str], shown: list[str]
) -> None:
    """Also where one is within another, or its beginning comes twice."""
    gate = StopFilter(stop)
    assert [gate.push(text) for text in texts] == shown


def test_what_was_held_back_comes_at_the_end_and_only_then() -> None:
    """Chunks without text pass as they are, and nothing empty is added."""
    blocks = AIMessageChunk([{"type": "text", "text": "END"}])
    note = AIMessageChunk("", response_metadata={"finish_reason": "stop"})
    chunks = [AIMessageChunk("a E"), blocks, note]

    async def source() -> AsyncGenerator[AIMessageChunk, None]:
        for chunk in chunks:
            yield chunk

    async def acut() -> list[AIMessageChunk]:
        return [chunk async for chunk in acut_stream(["END"], source())]

    expected = [AIMessageChunk("a "), blocks, note, AIMessageChunk("E")]
    assert list(cut_stream(["END"], iter(chunks))) == asyncio.run(acut()) == expected
    chunks[:] = [AIMessageChunk("a"), note]
    assert list(cut_stream(["END"], iter(chunks))) == asyncio.run(acut()) == chunks


def test_a_reply_without_a_stop_stays_as_it_is() -> None:
    """The same object; so does one of blocks, whose text is not read."""
    for content in ("An EN", "", [{"type": "text", "text": "END"}]):
        reply = AIMessage(content)
        assert cut_reply(["END"], reply) is reply
    cut = cut_reply(["END"], AIMessage("a END b", id="m"))
    assert (cut.content, cut.id) == ("a ", "m")
