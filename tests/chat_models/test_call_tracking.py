"""Every call that the page makes, in words of our own, down to what is printed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from chatnb.chat_models import ChatOpenAI
from chatnb.schema import AIMessage, HumanMessage, SystemMessage
from tests.support.loopback import Exchange, LoopbackServer, delta, event, head, whole

ASKED = [SystemMessage("You name animals."), HumanMessage("One that flies?")]
SAID = "It's a heron."


@pytest.fixture
def chat(loopback: LoopbackServer) -> ChatOpenAI:
    async def answer(exchange: Exchange) -> AsyncIterator[bytes]:
        if not exchange.body.get("stream"):
            async for piece in whole(SAID)(exchange):
                yield piece
            return
        yield head() + delta("")
        for word in ("It's", " a", " heron."):
            yield delta(word)
        yield delta("", "stop") + event("[DONE]")

    loopback.plays(answer)
    return ChatOpenAI(openai_api_key="sk-for-loopback", base_url=loopback.base_url)


def test_whole_replies(chat: ChatOpenAI) -> None:
    """`invoke`, `ainvoke` and the call itself give one message, with its double quotes."""
    shown = """AIMessage(content="It's a heron.")"""
    assert repr(chat.invoke(ASKED)) == shown
    assert repr(asyncio.run(chat.ainvoke(ASKED))) == shown
    assert repr(chat(ASKED)) == shown
    assert repr(chat([HumanMessage("One that flies?")])) == shown


def test_streams_print_as_they_come(chat: ChatOpenAI, capsys: pytest.CaptureFixture[str]) -> None:
    """`stream` and `astream` print the reply without gaps, chunk by chunk."""

    async def print_all() -> None:
        async for chunk in chat.astream(ASKED):
            print(chunk.content, end="", flush=True)

    for chunk in chat.stream(ASKED):
        print(chunk.content, end="", flush=True)
    assert capsys.readouterr().out == SAID
    asyncio.run(print_all())
    assert capsys.readouterr().out == SAID


def test_batches(chat: ChatOpenAI) -> None:
    """`batch` gives a list of messages, `batch_as_completed` pairs with their places."""
    assert repr(chat.batch([ASKED])) == """[AIMessage(content="It's a heron.")]"""
    assert sorted(place for place, _ in chat.batch_as_completed([ASKED, "Hi"])) == [0, 1]
    assert [m.text for m in asyncio.run(chat.abatch([ASKED, "Hi"]))] == [SAID, SAID]


def test_generate_shows_everything(chat: ChatOpenAI) -> None:
    """The result's repr names candidates, why they ended, the usage in sum, and the runs."""
    result = chat.generate([ASKED, ASKED])
    generation = (
        """ChatGeneration(text="It's a heron.", generation_info={'finish_reason': 'stop'}, """
        """message=AIMessage(content="It's a heron."))"""
    )
    usage = "{'prompt_tokens': 6, 'completion_tokens': 4, 'total_tokens': 10}"
    output = f"{{'token_usage': {usage}, 'model_name': 'loopback-1'}}"
    run = r"RunInfo\(run_id=UUID\('[0-9a-f-]{36}'\)\)"
    start = f"LLMResult(generations=[[{generation}], [{generation}]], llm_output={output}, run="
    assert re.fullmatch(re.escape(start) + rf"\[{run}, {run}\]\)", repr(result))
    assert repr(result.llm_output) == output


def test_text_in_text_out(chat: ChatOpenAI) -> None:
    """`predict` and `predict_messages` are there, as they were."""
    assert chat.predict("One that flies?") == SAID
    assert chat.predict_messages(ASKED) == AIMessage(
        SAID,
        id="chatcmpl-1",
        usage_metadata={"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
        response_metadata={"finish_reason": "stop", "model_name": "loopback-1"},
    )
