"""Reasoning that a model writes into its text, between tags."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatnb.chat_models import BaseChatModel, ChatLocal, ChatOpenAI, init_chat_model
from chatnb.chat_models.wire.reasoning_tags import ReasoningSplitter, split_message
from chatnb.errors import ModelError
from chatnb.output_parsers import JsonOutputParser, StrOutputParser
from chatnb.schema import AIMessage
from tests.chat_models.contract.test_contract import ainvoke, astream, invoke, stream
from tests.support import responses_events as responses
from tests.support.hangs import is_linear
from tests.support.loopback import delta, event

# A text, its reasoning, and what follows.
CASES: list[tuple[str, str, str]] = [
    ("<think>Let me see.</think>42", "Let me see.", "42"),
    ("<think>\nLet me see.\n</think>\n\n42\n", "Let me see.", "42\n"),
    ("\n <think>a</think>b", "a", "b"),
    # Empty, unclosed, or with nothing after it.
    ("<think></think>42", "", "42"),
    ("<think>\n\n</think>\n\n42", "", "42"),
    ("<think>Let me", "Let me", ""),
    ("<think>Let me </thi", "Let me </thi", ""),
    ("<think>", "", ""),
    ("<think>a</think>", "a", ""),
    ("<think>a</think>\n\n", "a", ""),
    # Several in a row, and tags within.
    ("<think>a</think>\n<think>b</think>c", "a\n\nb", "c"),
    ("<think></think><think>b</think>c", "b", "c"),
    ("<think>a <think> b < c</think>d", "a <think> b < c", "d"),
    ("<think>x</thinker></think>d", "x</thinker>", "d"),
    # No reasoning: tags that do not begin the text, and texts that only seem to begin with one.
    ("42", "", "42"),
    ("", "", ""),
    ("  42 ", "", "  42 "),
    ("Write <think>a</think>.", "", "Write <think>a</think>."),
    ("<thinking>a</thinking>", "", "<thinking>a</thinking>"),
    ("<thi", "", "<thi"),
    ("<b>bold</b>", "", "<b>bold</b>"),
    ("<think>a</think>b <think>c</think>", "a", "b <think>c</think>"),
    ("<think>a</think><b>c</b>", "a", "<b>c</b>"),
]


def in_pieces(pieces: Iterable[str]) -> tuple[str, str]:
    splitter = ReasoningSplitter("think")
    parts = [*map(splitter.push, pieces), splitter.flush()]
    return "".join(part.reasoning for part in parts), "".join(part.text for part in parts)


@pytest.mark.parametrize(("text", "reasoning", "rest"), CASES)
def test_reasoning_is_told_from_text(text: str, reasoning: str, rest: str) -> None:
    """Whole, letter by letter, and cut in two anywhere: the same reasoning and text."""
    assert in_pieces([text]) == (reasoning, rest)
    assert in_pieces(list(text)) == (reasoning, rest)
    for cut in range(len(text)):
        assert in_pieces([text[:cut], text[cut:]]) == (reasoning, rest)
    message = split_message("think", AIMessage(text))
    assert (message.reasoning, message.content) == (reasoning, rest)


@pytest.mark.parametrize("content", ["42", "", [{"type": "text", "text": "<think>a</think>b"}]])
def test_a_reply_without_tags_stays_as_it_is(content: Any) -> None:
    """Text of blocks is not searched for them."""
    message = AIMessage(content)
    assert split_message("think", message) is message


def test_reasoning_in_tags_follows_what_the_server_told_apart() -> None:
    """Other fields stay."""
    message = AIMessage("<think>b</think>c", additional_kwargs={"reasoning_content": "a", "x": 1})
    split = split_message("think", message)
    assert (split.reasoning, split.content, split.additional_kwargs["x"]) == ("ab", "c", 1)
    split = split_message("think", AIMessage("<think></think>c", additional_kwargs={"x": 1}))
    assert split == AIMessage("c", additional_kwargs={"x": 1})


@pytest.mark.slow
@example(["<think>", "a", "</think>", "<think>", " ", "b"])
@example(["<think>", "</think>", "<think>", " ", "<"])
@given(st.lists(st.sampled_from(["<think>", "</think>", "<", "/think>", "a", " ", "\n", "<th"])))
def test_pieces_do_not_matter(pieces: list[str]) -> None:
    """A text in any pieces gives the same as the whole text: nothing is lost or doubled."""
    whole = "".join(pieces)
    assert in_pieces(pieces) == in_pieces([whole]) == in_pieces(list(whole))
    if not whole.lstrip().startswith("<think>"):
        assert in_pieces([whole]) == ("", whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "unit"), [("", " "), ("", "\n "), ("<think>", " "), ("<think>a", " \n"), ("", "<")]
)
def test_the_work_for_what_is_held_back_grows_with_the_length(before: str, unit: str) -> None:
    """White space that comes letter by letter is not read anew for each letter."""
    assert is_linear(in_pieces, unit, before)


def test_text_is_streamed_as_it_comes() -> None:
    """Only what may be a tag, or white space before one, is held back."""
    splitter = ReasoningSplitter("think")
    pushed = [splitter.push(piece) for piece in ("<thi", "nk>Let ", "me <", "b></think>4", "2")]
    assert pushed == [("", ""), ("Let", ""), (" me", ""), (" <b>", "4"), ("", "2")]


def _completions(pieces: list[str], finish: str) -> tuple[bytes, dict[str, Any]]:
    message = {"role": "assistant", "content": "".join(pieces)}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}
    streamed = b"".join([*map(delta, pieces), delta(None, finish), event("[DONE]")])
    return streamed, whole


def _responses(pieces: list[str], finish: str) -> tuple[bytes, dict[str, Any]]:
    part = {"type": "output_text", "text": "".join(pieces), "annotations": []}
    item = {**responses.SAID, "content": [part]}
    end = responses.done(item) + responses.completed(item)
    return responses.CREATED + b"".join(map(responses.text, pieces)) + end, responses.response(item)


def model_of(name: str, pieces: list[str], finish: str = "stop", **params: Any) -> BaseChatModel:
    """Return a model whose server sends a text in pieces, or whole."""
    write = _responses if name == "responses" else _completions
    streamed, whole = write(pieces, finish)

    def answer(request: httpx2.Request) -> httpx2.Response:
        if json.loads(request.content).get("stream"):
            headers = {"content-type": "text/event-stream"}
            return httpx2.Response(200, content=streamed, headers=headers)
        return httpx2.Response(200, json=whole)

    transport = httpx2.MockTransport(answer)
    client: dict[str, Any] = {
        "api_key": "none",
        "max_retries": 0,
        "base_url": "http://server/v1",
        "http_client": httpx2.Client(transport=transport),
        "http_async_client": httpx2.AsyncClient(transport=transport),
    }
    if name in ("openai", "responses"):
        return ChatOpenAI("m", use_responses_api=name == "responses", **client, **params)
    return init_chat_model(f"{name}:m", **client, **params)


THOUGHTFUL = ["<th", "ink>Let me", " see.\n</thi", "nk>\n\n", '{"a": ', "1}"]
ON_REQUEST = [("openai", {"reasoning_tag": "think"}), ("responses", {"reasoning_tag": "think"})]
BY_DEFAULT: list[tuple[str, dict[str, str]]] = [
    (name, {}) for name in ("groq", "llamacpp", "lmstudio", "ollama", "vllm")
]


@pytest.mark.parametrize("ask", [invoke, ainvoke, stream, astream])
@pytest.mark.parametrize(("name", "params"), [*ON_REQUEST, *BY_DEFAULT])
def test_replies_have_their_reasoning(name: str, params: dict[str, str], ask: Any) -> None:
    """On request, and by default where servers write it: by every method the same message."""
    reply = ask(model_of(name, THOUGHTFUL, **params), "Hi")
    assert (reply.reasoning, reply.content) == ("Let me see.", '{"a": 1}')
    assert reply.response_metadata["finish_reason"] == "stop"


def test_reasoning_streams_as_such() -> None:
    """Chunks have it as it comes, before the first text."""
    chunks = [c for c in model_of("ollama", THOUGHTFUL).stream("Hi") if c.text or c.reasoning]
    assert [(chunk.reasoning, chunk.text) for chunk in chunks] == [
        *(("Let me", ""), (" see.", "")),
        *(("", '{"a": '), ("", "1}")),
    ]


@pytest.mark.parametrize(
    ("name", "params"), [("openai", {}), ("mistral", {}), ("ollama", {"reasoning_tag": ""})]
)
def test_other_models_keep_their_tags(name: str, params: dict[str, str]) -> None:
    """Nothing is taken out of a text unless that was asked for, or where it was turned off."""
    assert model_of(name, THOUGHTFUL, **params).invoke("Hi").content == "".join(THOUGHTFUL)
    assert ChatLocal.reasoning_tag == "think"


@pytest.mark.parametrize("ask", [invoke, astream])
def test_the_partial_reply_has_it_as_well(ask: Any) -> None:
    """A reply that broke off is told apart like a whole one."""
    with pytest.raises(ModelError) as raised:
        ask(model_of("vllm", ["<think>a", "</think>b"], finish="error"), "Hi")
    partial = raised.value.partial
    assert partial is not None
    assert (partial.reasoning, partial.content) == ("a", "b")


def test_parsers_read_what_follows() -> None:
    """Output parsers and structured output see the answer alone, streamed or whole."""
    chat = model_of("ollama", ["<think>{", '"a": 2}</think>', '{"a": 1}'])
    assert (chat | JsonOutputParser()).invoke("Hi") == {"a": 1}
    assert list((chat | JsonOutputParser()).stream("Hi"))[-1] == {"a": 1}
    assert "".join((chat | StrOutputParser()).stream("Hi")) == '{"a": 1}'
    schema = {"title": "A", "type": "object", "properties": {"a": {"type": "integer"}}}
    for method in ("json_schema", "json_mode"):
        assert chat.with_structured_output(schema, method=method).invoke("Hi") == {"a": 1}


@pytest.mark.parametrize("text", ['<think>{"a": 2}</think>{"a": 1}', ' <think>\n</think> {"a": 1}'])
def test_json_is_read_after_the_tags(text: str) -> None:
    """Also where a model's tags stay in its text."""
    assert JsonOutputParser().parse(text) == {"a": 1}
