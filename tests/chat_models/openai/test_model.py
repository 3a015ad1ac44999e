from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections.abc import Callable

import openai
import pytest

from chatnb import errors
from chatnb.chat_models import BaseChatModel, ChatOpenAI
from chatnb.chat_models.openai import errors as openai_errors
from chatnb.runnables import ConfigurableField
from chatnb.schema import AIMessage, AIMessageChunk, HumanMessage, SystemMessage
from chatnb.schema.messages import join_chunks
from tests.support.loopback import (
    LoopbackServer,
    Script,
    delta,
    event,
    head,
    refusal,
    reset,
    saying,
    usage,
    whole,
)

KEY = "sk-very-secret-key"
Collect = Callable[..., list[AIMessageChunk]]


def sync_stream(chat: BaseChatModel, *args: object, **params: object) -> list[AIMessageChunk]:
    return list(chat.stream(*args, **params))  # type: ignore[arg-type]


def async_stream(chat: BaseChatModel, *args: object, **params: object) -> list[AIMessageChunk]:
    async def collect() -> list[AIMessageChunk]:
        return [chunk async for chunk in chat.astream(*args, **params)]  # type: ignore[arg-type]

    return asyncio.run(collect())


def sync_invoke(chat: BaseChatModel, *args: object) -> AIMessage:
    return chat.invoke(*args)  # type: ignore[arg-type]


def async_invoke(chat: BaseChatModel, *args: object) -> AIMessage:
    return asyncio.run(chat.ainvoke(*args))  # type: ignore[arg-type]


both_streams = pytest.mark.parametrize("stream", [sync_stream, async_stream])
both_invokes = pytest.mark.parametrize("invoke", [sync_invoke, async_invoke])


def chat_at(server: LoopbackServer, **params: object) -> ChatOpenAI:
    given = {"max_retries": 0, **params}
    return ChatOpenAI("gpt-x", openai_api_key=KEY, base_url=server.base_url, **given)  # type: ignore[arg-type]


@both_invokes
def test_invoke_gives_the_reply_with_usage_and_metadata(
    loopback: LoopbackServer, invoke: Callable[..., AIMessage]
) -> None:
    """A whole reply is a message whose repr is its text, with the rest within reach."""
    loopback.plays(whole("J'adore."))
    message = invoke(chat_at(loopback), [SystemMessage("Translate."), HumanMessage("I love it.")])
    assert repr(message) == """AIMessage(content="J'adore.")"""
    assert message.usage_metadata == {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    assert message.response_metadata == {"finish_reason": "stop", "model_name": "loopback-1"}
    assert loopback.exchanges[0].body["messages"] == [
        {"role": "system", "content": "Translate."},
        {"role": "user", "content": "I love it."},
    ]
    assert loopback.exchanges[0].headers["authorization"] == f"Bearer {KEY}"


@both_streams
def test_a_stream_gives_its_chunks_and_usage(loopback: LoopbackServer, stream: Collect) -> None:
    """Chunks come as the server cut them, and add up to text, finish reason and usage."""
    loopback.plays(
        saying(
            head(),
            delta(""),
            delta("Hel"),
            delta("lo"),
            delta(None, "stop"),
            usage(8, 2),
            event("[DONE]"),
        )
    )
    chunks = stream(chat_at(loopback), "Hi")
    assert [chunk.content for chunk in chunks] == ["", "Hel", "lo", "", ""]
    message = join_chunks(chunks).to_message()
    assert message.content == "Hello"
    assert message.response_metadata["finish_reason"] == "stop"
    assert message.usage_metadata == {"input_tokens": 8, "output_tokens": 2, "total_tokens": 10}


@both_streams
def test_parameters_reach_the_wire(loopback: LoopbackServer, stream: Collect) -> None:
    """Constructor parameters are sent, those of the call win, and unset ones are left out."""
    loopback.plays(saying(head(), delta("a", "stop"), event("[DONE]")))
    chat = chat_at(loopback, temperature=0.5, max_tokens=7, model_kwargs={"seed": 1})
    stream(chat, "Hi", temperature=0.0, stop=["\n"])
    body = loopback.exchanges[0].body
    assert body["temperature"] == 0.0
    assert (body["model"], body["max_tokens"], body["seed"]) == ("gpt-x", 7, 1)
    assert (body["stop"], body["stream"]) == (["\n"], True)
    assert "top_p" not in body


@both_streams
def test_emoji_cut_in_two_by_the_server_comes_out_whole(
    loopback: LoopbackServer, stream: Collect
) -> None:
    """Half surrogate pairs in separate events, and UTF-8 cut between packets, lose nothing."""
    emoji = delta("\ud83d") + delta("\ude00")
    snowman = json.dumps({"choices": [{"delta": {"content": "☃"}}]}, ensure_ascii=False)
    raw = f"data: {snowman}\n\n".encode()
    cut = raw.index("☃".encode()) + 1
    loopback.plays(saying(head(), emoji, raw[:cut], raw[cut:], delta(None, "stop")))
    assert join_chunks(stream(chat_at(loopback), "Hi")).content == "😀☃"


@both_streams
def test_a_server_that_does_not_stream_still_answers(
    loopback: LoopbackServer, stream: Collect
) -> None:
    """One JSON reply to a streaming request is one chunk."""
    loopback.plays(whole("All at once."))
    assert stream(chat_at(loopback), "Hi") == [
        AIMessageChunk(
            "All at once.",
            id="chatcmpl-1",
            usage_metadata={"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
            response_metadata={"finish_reason": "stop", "model_name": "loopback-1"},
        )
    ]


BROKEN: list[tuple[str, Script, type[errors.ModelError], str, str | None]] = [
    ("401", refusal("401 Unauthorized", "Incorrect key."), errors.AuthenticationError, "key", None),
    ("403", refusal("403 Forbidden", "Not yours."), errors.AuthenticationError, "key", None),
    ("404", refusal("404 Not Found", "No such model."), errors.NotFoundError, "base_url", None),
    ("400", refusal("400 Bad Request", "Odd."), errors.BadRequestError, "parameters", None),
    ("500", refusal("500 Oops", "Broken."), errors.ServerError, "again", None),
    (
        "overflow",
        refusal("400 Bad Request", "Too long.", "context_length_exceeded"),
        errors.ContextOverflowError,
        "new conversation",
        None,
    ),
    (
        "429",
        refusal("429 Slow", "Slow down.", retry_after="7"),
        errors.RateLimitError,
        "wait 7 s",
        None,
    ),
    (
        "html",
        saying(head(kind="text/html") + b"<html>It works!</html>"),
        errors.MalformedReplyError,
        "/v1",
        None,
    ),
    (
        "broken json",
        saying(head(), delta("Hel"), event('{"choices": [')),
        errors.MalformedReplyError,
        "OpenAI-compatible",
        "Hel",
    ),
    (
        "no end",
        saying(head(), delta("Hel"), delta("lo")),
        errors.StreamInterruptedError,
        "again",
        "Hello",
    ),
    (
        "reset before the first byte",
        reset(),
        errors.ModelConnectionError,
        "Run it again",
        None,
    ),
    (
        "reset in mid-stream",
        reset(head(), delta("Hel"), delta("lo")),
        errors.StreamInterruptedError,
        "again",
        "Hello",
    ),
    (
        "error in stream",
        saying(head(), delta("Hel"), event({"error": {"message": "Overloaded."}})),
        errors.ServerError,
        "again",
        "Hel",
    ),
]


@both_streams
@pytest.mark.parametrize(
    ("script", "error", "hint", "partial"),
    [case[1:] for case in BROKEN],
    ids=[c[0] for c in BROKEN],
)
def test_each_fault_is_one_error_that_says_what_to_do(
    loopback: LoopbackServer,
    stream: Collect,
    script: Script,
    error: type[errors.ModelError],
    hint: str,
    partial: str | None,
) -> None:
    """Every way a call goes wrong is an error of chatnb's tree, with a hint and the partial."""
    loopback.plays(script)
    with pytest.raises(error) as raised:
        stream(chat_at(loopback), "Hi")
    assert hint in str(raised.value)
    assert (raised.value.partial.text if raised.value.partial else None) == partial


@pytest.mark.parametrize("script", [case[1] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_no_fault_leaves_anything_behind(loopback: LoopbackServer, script: Script) -> None:
    """After an error the connection is closed, and no task or thread runs on."""
    loopback.plays(script)
    chat = chat_at(loopback)

    async def fail() -> set[asyncio.Task[object]]:
        with pytest.raises(errors.ModelError):
            [chunk async for chunk in chat.astream("Hi")]
        await asyncio.sleep(0)
        return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]

    with pytest.raises(errors.ModelError):
        list(chat.stream("Hi"))
    threads = set(threading.enumerate())
    assert asyncio.run(fail()) == set()
    assert set(threading.enumerate()) <= threads
    assert all(exchange.closed.wait(60) for exchange in loopback.exchanges)


def test_without_a_key_the_error_names_three_ways_out() -> None:
    """ChatOpenAI() with no key says: the variable, the argument, or the embedded model."""
    with pytest.raises(errors.MissingKeyError) as raised:
        ChatOpenAI()
    for way in ("OPENAI_API_KEY", "api_key=", "ChatLocal()"):
        assert way in str(raised.value)


@pytest.mark.parametrize("generate", ["generate", "agenerate"])
def test_several_candidates_and_their_probabilities(
    loopback: LoopbackServer, generate: str
) -> None:
    """n=2 gives two candidates for a prompt, each with its log probabilities; usage counts once."""
    choices = [
        {
            "index": n,
            "message": {"content": text},
            "finish_reason": "stop",
            "logprobs": {"content": [{"token": text, "logprob": -0.5}]},
        }
        for n, text in enumerate(("heads", "tails"))
    ]
    counts = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    body = json.dumps({"model": "loopback-1", "choices": choices, "usage": counts})
    loopback.plays(saying(head(kind="application/json") + body.encode()))
    chat = chat_at(loopback, n=2, logprobs=True, top_logprobs=1, extra_body={"odd": 1})
    result = getattr(chat, generate)([["Toss a coin."]])
    if generate == "agenerate":
        result = asyncio.run(result)
    (candidates,) = result.generations
    assert [candidate.text for candidate in candidates] == ["heads", "tails"]
    assert candidates[1].generation_info["logprobs"]["content"][0]["logprob"] == -0.5
    assert result.llm_output["token_usage"] == counts
    sent = loopback.exchanges[0].body
    assert (sent["n"], sent["logprobs"], sent["top_logprobs"], sent["odd"]) == (2, True, 1, 1)


def test_stop_at_the_call_wins_over_the_one_bound(loopback: LoopbackServer) -> None:
    """Given in the constructor, bound, or at the call: the nearest to the call is sent."""
    loopback.plays(whole("Hi."))
    chat = chat_at(loopback, stop=["a"])
    bound = chat.bind(stop=["b"])
    for runnable, params in ((chat, {}), (bound, {}), (bound, {"stop": ["c"]})):
        runnable.invoke("Hi", **params)
    assert [exchange.body["stop"] for exchange in loopback.exchanges] == [["a"], ["b"], ["c"]]


@both_streams
def test_a_refusal_is_an_error_with_its_words(loopback: LoopbackServer, stream: Collect) -> None:
    """A model that only refuses, and a filter that ends the reply, raise the same error."""
    refused = {"choices": [{"delta": {"refusal": "I won't."}, "finish_reason": "stop"}]}
    loopback.plays(saying(head(), event(refused), event("[DONE]")))
    with pytest.raises(errors.ContentFilterError, match=r"I won't\."):
        stream(chat_at(loopback), "Hi")
    loopback.plays(saying(head(), delta("Half"), delta("", "content_filter"), event("[DONE]")))
    with pytest.raises(errors.ContentFilterError) as raised:
        stream(chat_at(loopback), "Hi")
    assert raised.value.partial is not None
    assert raised.value.partial.text == "Half"


@both_streams
def test_reasoning_of_compatible_servers_is_kept(loopback: LoopbackServer, stream: Collect) -> None:
    """`reasoning_content` adds up beside the content, and is not part of it."""
    thoughts = [{"choices": [{"delta": {"reasoning_content": t}}]} for t in ("Let me ", "think.")]
    loopback.plays(saying(head(), *map(event, thoughts), delta("42", "stop"), event("[DONE]")))
    message = join_chunks(stream(chat_at(loopback), "Hi")).to_message()
    assert (message.content, message.reasoning) == ("42", "Let me think.")


def test_an_error_names_the_request_and_keeps_the_sdk_s(loopback: LoopbackServer) -> None:
    """The provider's message and request id are in the error, the SDK's error is its cause."""
    loopback.plays(refusal("429 Slow", "Slow down.", x_request_id="req_42", retry_after="7"))
    with pytest.raises(errors.RateLimitError, match=r"Slow down\..*req_42") as raised:
        chat_at(loopback).invoke("Hi")
    assert raised.value.request_id == "req_42"
    assert raised.value.retry_after == 7.0
    assert raised.value.status == 429
    assert type(raised.value.__cause__).__module__.startswith("openai")


def test_event_loops_that_have_ended_leave_no_clients(loopback: LoopbackServer) -> None:
    """Ten `asyncio.run` in turn do not gather ten clients with their sockets."""

    def clients() -> int:
        gc.collect()
        return sum(isinstance(thing, openai.AsyncOpenAI) for thing in gc.get_objects())

    loopback.plays(whole("Hi."))
    chat, before = chat_at(loopback), clients()
    for _ in range(10):
        asyncio.run(chat.ainvoke("Hi"))
    assert clients() <= before + 1


def test_a_parameter_can_be_made_configurable(loopback: LoopbackServer) -> None:
    """`configurable_fields(temperature=...)` lets the config of a call set it."""
    loopback.plays(whole("Hi."))
    field = ConfigurableField(id="heat", name="Heat", description="How unlikely")
    chat = chat_at(loopback, temperature=0.1).configurable_fields(temperature=field)
    chat.invoke("Hi")
    chat.invoke("Hi", {"configurable": {"heat": 0.9}})
    assert [exchange.body["temperature"] for exchange in loopback.exchanges] == [0.1, 0.9]


@pytest.mark.parametrize(
    ("status", "body", "headers", "error", "wait"),
    [
        (None, {"error": {"code": 429, "message": "Slow."}}, {}, errors.RateLimitError, None),
        (None, {"error": {"code": "rate_limit_exceeded"}}, {}, errors.RateLimitError, None),
        (408, {"error": {"message": "Late."}}, {}, errors.ModelTimeoutError, None),
        (400, {"error": {"code": "content_filter"}}, {}, errors.ContentFilterError, None),
        (429, {}, {"retry-after-ms": "1500"}, errors.RateLimitError, 1.5),
        (429, {}, {"retry-after": "Mon, 01 Jan 2001 00:00:00 GMT"}, errors.RateLimitError, 0.0),
        (429, {}, {"retry-after": "soon"}, errors.RateLimitError, None),
    ],
)
def test_refusals_are_read_however_they_are_written(
    status: int | None,
    body: dict[str, object],
    headers: dict[str, str],
    error: type[errors.ModelError],
    wait: float | None,
) -> None:
    """Codes inside streams, rarer statuses and every form of retry-after are understood."""
    read = openai_errors.error_response(status, body, headers=headers)
    assert type(read) is error
    assert read.retry_after == wait
