"""Counts that must never regress on the way of a reply, which are no times."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import httpx2
import pytest

from chatnb.chat_models import BaseChatModel, ChatAnthropic, ChatOpenAI
from chatnb.chat_models.openai.completions_stream import CompletionDecoder
from chatnb.chat_models.stream_decoder import PartialReply
from chatnb.schema import AIMessage, AIMessageChunk, BaseMessage
from chatnb.schema.messages import text_chunk
from tests.support.call_counting import calls_during


def event(**delta: object) -> bytes:
    payload = {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    return f"data: {json.dumps(payload)}\n\n".encode()


def highest_memory(chunks: int, read: bytes) -> int:
    """The most bytes that are held while a stream is read and nobody keeps it."""
    with closing(CompletionDecoder()) as decoder:
        tracemalloc.start()
        for _ in range(chunks // 100):
            for _ in decoder.decode(read):
                pass
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return highest


@pytest.mark.thorough
def test_a_stream_that_nobody_keeps_takes_constant_memory() -> None:
    """Three times the chunks take no more memory, once the text is longer than is kept there."""
    read = event(content="a word of text ") * 100
    shorter = highest_memory(80_000, read)
    assert highest_memory(240_000, read) < 1.05 * shorter
    assert shorter < 6 * 2**20


def test_all_that_arrived_is_there_however_long_it_was() -> None:
    """Text that waits on disk comes back as it was, line ends and all alphabets included."""
    with closing(PartialReply()) as arrived:
        for _ in range(300_000):
            arrived.take_text("a\r\n😀é ")
        arrived.take(AIMessageChunk("end", additional_kwargs={"reasoning_content": "Hm."}))
        said = AIMessage("a\r\n😀é " * 300_000 + "end")
        said.additional_kwargs["reasoning_content"] = "Hm."
        assert arrived.message() == said


def test_a_chunk_of_text_costs_a_handful_of_calls() -> None:
    """From its bytes to the caller's loop, a chunk takes at most seven calls of functions."""

    def read(chunks: int) -> int:
        with closing(CompletionDecoder()) as decoder:
            received = event(content="word") * chunks
            return sum(calls_during(lambda: list(decoder.decode(received))).values())

    assert (read(2_000) - read(1_000)) / 1_000 <= 7


class ImmediateChatModel(BaseChatModel):
    model_name = "immediate"

    def _generate(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        return AIMessage("Hello.")


COMPLETION = {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}
MESSAGE = {"content": [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn"}


@pytest.mark.parametrize(
    ("model_class", "reply"), [(ChatOpenAI, COMPLETION), (ChatAnthropic, MESSAGE)]
)
def test_a_call_has_the_sdk_copy_few_defaults_and_parse_one_address(
    model_class: type[ChatOpenAI | ChatAnthropic], reply: dict[str, object]
) -> None:
    """It would copy each option that a request leaves out, deeply, and join each address anew."""
    respond = httpx2.MockTransport(lambda _: httpx2.Response(200, json=reply))
    with httpx2.Client(transport=respond) as client:
        model = model_class("m", api_key="key", http_client=client)
        assert model.invoke("Hi").text == "Hello"
        calls = calls_during(lambda: model.invoke("Hi"))
        assert calls.get("deepcopy", 0) <= 5
        assert calls.get("urlparse", 0) <= 1


def test_a_copy_of_a_client_requests_its_own_address() -> None:
    """The SDK makes copies, such as one for another region."""
    asked = list[str]()

    def respond(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(200, json=COMPLETION)

    with httpx2.Client(transport=httpx2.MockTransport(respond)) as http:
        sdk = ChatOpenAI("m", api_key="key")._sdk()
        client = sdk.new_client(api_key="key", base_url="http://a/v1", http_client=http)
        for one in (client, client.with_options(base_url="http://b/v1"), client):
            one.post("/x", cast_to=httpx2.Response)
    assert asked == ["http://a/v1/x", "http://b/v1/x", "http://a/v1/x"]


@pytest.mark.slow
def test_the_calls_of_a_batch_take_few_calls_of_functions() -> None:
    """A call of a model that answers at once takes few calls of functions, in any batch."""
    chat = ImmediateChatModel()

    def calls(make: Callable[[int], object]) -> float:
        # The least of three: a collection that runs meanwhile calls finalizers of other tests.
        few, many = (
            min(sum(calls_during(partial(make, n)).values()) for _ in range(3))
            for n in (200, 1_200)
        )
        return (many - few) / 1_000

    def batch(number: int) -> object:
        return chat.batch(["Hi"] * number, {"max_concurrency": 1}, progress=False)

    def generate(number: int) -> object:
        return chat.generate([["Hi"]] * number, max_concurrency=1, progress=False)

    assert calls(batch) <= 55
    assert calls(generate) <= 82


def test_a_chunk_of_text_holds_only_what_was_said() -> None:
    """No empty lists and dicts are made for a chunk until somebody asks for them."""
    for chunk in (text_chunk("word", "c"), AIMessageChunk("word", id="c")):
        assert vars(chunk) == {"content": "word", "id": "c"}
        assert (chunk.response_metadata, chunk.tool_calls, chunk.name) == ({}, [], None)
        chunk.response_metadata["seen"] = True
        assert chunk.response_metadata == {"seen": True}


@pytest.mark.process
@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import chatnb", "typing re json asyncio pydantic openai IPython chatnb.schema"),
        ("from chatnb.schema import HumanMessage", "pydantic openai asyncio httpx2 jiter"),
        (
            "from chatnb.chat_models import ChatOpenAI",
            "openai httpx2 IPython langchain_core urllib.request chatnb.upstream_modules",
        ),
        (
            "from chatnb import ChatOpenAI; ChatOpenAI(openai_api_key='none')",
            "openai httpx2 IPython langchain_core",
        ),
        (
            "import chatnb.notebook",
            "openai httpx2 pydantic markdown_it anywidget langchain_core chatnb.upstream_modules "
            "chatnb.notebook.tables chatnb.structured_output chatnb.evaluation",
        ),
    ],
)
def test_an_import_brings_only_what_it_needs(statement: str, unwanted: str) -> None:
    """The SDK loads with the first call, and nothing loads that the name does not need."""
    asked = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    found = subprocess.run(
        [sys.executable, "-S", "-c", f"import site; site.main(); {asked}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert set(unwanted.split()).isdisjoint(found.stdout.split())
