from __future__ import annotations

import asyncio
import random

import pytest

from chatnb.chat_models import ScriptedChatModel
from chatnb.chat_models.stop_sequences import StopFilter

TEXT = "One. Two and two. Three."


def pieces(seed: int) -> list[str]:
    dice, rest, cut = random.Random(seed), TEXT, list[str]()
    while rest:
        size = dice.randint(0, 4)
        cut, rest = [*cut, rest[:size]], rest[size:]
    return cut


@pytest.mark.parametrize("stop", [[" Two"], ["wo a", "Three"], ["nowhere"], ["ee."], ["."], [""]])
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
