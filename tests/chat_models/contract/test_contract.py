"""The contract that every provider's chat model keeps, over its own wire format."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from chatnb import errors
from chatnb.chat_models import BaseChatModel, ScriptedChatModel
from chatnb.chat_models.providers import Provider as Row
from chatnb.chat_models.providers import known_providers
from chatnb.concurrency.pickling import dumps
from chatnb.concurrency.retry_notices import RetryNotice, retries_told
from chatnb.schema import AIMessage, AIMessageChunk
from chatnb.schema.messages import join_chunks
from tests.chat_models.contract.providers import COMPATIBLE, KEY, PROVIDERS, Provider
from tests.support.loopback import LoopbackServer, head, reset, saying
from tests.support.thorough import thorough

Ask = Callable[..., AIMessage]
Collect = Callable[..., list[AIMessageChunk]]


def sync_stream(chat: BaseChatModel, *args: Any, **params: Any) -> list[AIMessageChunk]:
    return list(chat.stream(*args, **params))


def async_stream(chat: BaseChatModel, *args: Any, **params: Any) -> list[AIMessageChunk]:
    async def collect() -> list[AIMessageChunk]:
        return [chunk async for chunk in chat.astream(*args, **params)]

    return asyncio.run(collect())


def invoke(chat: BaseChatModel, *args: Any, **params: Any) -> AIMessage:
    return chat.invoke(*args, **params)


def ainvoke(chat: BaseChatModel, *args: Any, **params: Any) -> AIMessage:
    return asyncio.run(chat.ainvoke(*args, **params))


def stream(chat: BaseChatModel, *args: Any, **params: Any) -> AIMessage:
    return join_chunks(sync_stream(chat, *args, **params)).to_message()


def astream(chat: BaseChatModel, *args: Any, **params: Any) -> AIMessage:
    return join_chunks(async_stream(chat, *args, **params)).to_message()


# They speak one protocol, with a few differences: those with the most stand for the others.
_LIKE_OTHERS = {*COMPATIBLE} - {"deepseek", "gemini", "mistral", "openrouter"}
_REPRESENTATIVES = [each for each in PROVIDERS if each.name not in _LIKE_OTHERS]
_REPRESENTED = [each for each in PROVIDERS if each.name in _LIKE_OTHERS]
each_provider = pytest.mark.parametrize(
    "provider", [*_REPRESENTATIVES, *thorough(_REPRESENTED)], ids=lambda each: each.name
)
each_method = pytest.mark.parametrize("ask", [invoke, ainvoke, stream, astream])
# Where the four methods share their code, a sync and an async one stand for all.
two_methods = pytest.mark.parametrize("ask", [invoke, astream])
both_streams = pytest.mark.parametrize("collect", [sync_stream, async_stream])


def test_every_kind_of_compatible_provider_is_under_contract() -> None:
    """The contract covers each trait that a row of providers.toml has."""

    def traits(row: Row) -> set[tuple[str, object]]:
        given = {"usage": row.usage, "reasoning": row.reasoning, "sent_back": row.sent_back}
        return {*given.items(), ("kept", bool(row.kept)), ("parts", bool(row.parts))}

    rows = known_providers()
    tested = set[tuple[str, object]]().union(*(traits(rows[name]) for name in COMPATIBLE))
    assert [name for name, row in rows.items() if not traits(row) <= tested] == []


@each_provider
@each_method
def test_a_reply_has_text_usage_and_metadata(
    loopback: LoopbackServer, provider: Provider, ask: Ask
) -> None:
    """Whole or streamed, a reply is the same message."""
    loopback.plays(provider.wire.reply("Hel", "lo"))
    reply = ask(provider.model(loopback.base_url), "Hi")
    assert reply.content == "Hello"
    assert reply.usage_metadata is not None
    assert reply.usage_metadata["input_tokens"] == 8
    assert reply.usage_metadata["output_tokens"] == 5
    assert reply.response_metadata["finish_reason"] == "stop"
    assert reply.response_metadata["model_name"] == "loopback-1"


@each_provider
@both_streams
def test_a_stream_yields_text_as_the_server_sends_it(
    loopback: LoopbackServer, provider: Provider, collect: Collect
) -> None:
    """Chunks are neither buffered nor split."""
    loopback.plays(provider.wire.reply("Hel", "lo"))
    chunks = collect(provider.model(loopback.base_url), "Hi")
    assert [chunk.content for chunk in chunks if chunk.content] == ["Hel", "lo"]


@each_provider
@each_method
def test_tool_calls_are_parsed(loopback: LoopbackServer, provider: Provider, ask: Ask) -> None:
    """A call of a tool has its name, its arguments as a dict, and its id."""
    loopback.plays(provider.wire.tool_call())
    (call,) = ask(provider.model(loopback.base_url), "What is the weather in Paris?").tool_calls
    assert (call["name"], call["args"]) == ("weather", {"city": "Paris"})
    assert call["id"]


@each_provider
@both_streams
def test_a_server_that_does_not_stream_is_one_chunk(
    loopback: LoopbackServer, provider: Provider, collect: Collect
) -> None:
    """A whole reply to a request for a stream is read."""
    loopback.plays(provider.wire.whole_reply("All at once."))
    chunks = collect(provider.model(loopback.base_url), "Hi")
    assert [chunk.content for chunk in chunks if chunk.content] == ["All at once."]


REFUSALS = [
    ("401 Unauthorized", errors.AuthenticationError),
    ("403 Forbidden", errors.AuthenticationError),
    ("404 Not Found", errors.NotFoundError),
    ("429 Too Many Requests", errors.RateLimitError),
    ("500 Internal Server Error", errors.ServerError),
    ("503 Unavailable", errors.ServerError),
]


@each_provider
@two_methods
@pytest.mark.parametrize(("status", "error"), REFUSALS, ids=[status for status, _ in REFUSALS])
def test_an_error_response_is_a_typed_error(
    loopback: LoopbackServer,
    provider: Provider,
    ask: Ask,
    status: str,
    error: type[errors.ModelError],
) -> None:
    """The class follows the status, and the message is the provider's."""
    loopback.plays(provider.wire.refusal(status, "Not today.", retry_after="7"))
    with pytest.raises(error, match="Not today") as raised:
        ask(provider.model(loopback.base_url), "Hi")
    assert raised.value.status == int(status[:3])
    assert raised.value.partial is None
    if error is errors.RateLimitError:
        assert raised.value.retry_after == 7


@each_provider
@both_streams
@pytest.mark.parametrize("end", ["no end", "reset", "error event", "broken event"])
def test_a_stream_that_breaks_off_keeps_its_partial(
    loopback: LoopbackServer, provider: Provider, collect: Collect, end: str
) -> None:
    """The error of a stream that breaks in any way carries the text so far."""
    wire = provider.wire
    broken = {"error event": wire.error_event("Overloaded"), "broken event": b'data: {"a": \n\n'}
    loopback.plays(wire.partial("Hel", "lo", then=broken.get(end, b""), torn=end == "reset"))
    with pytest.raises(errors.ModelError) as raised:
        collect(provider.model(loopback.base_url), "Hi")
    expected = {
        "no end": errors.StreamInterruptedError,
        "reset": errors.StreamInterruptedError,
        "error event": errors.ServerError,
        "broken event": errors.MalformedReplyError,
    }
    assert isinstance(raised.value, expected[end])
    assert raised.value.partial is not None
    assert raised.value.partial.text == "Hello"


@each_provider
@two_methods
def test_a_web_page_is_not_a_reply(loopback: LoopbackServer, provider: Provider, ask: Ask) -> None:
    """A wrong address that answers with HTML says so."""
    loopback.plays(saying(head(kind="text/html") + b"<html>It works!</html>"))
    with pytest.raises(errors.MalformedReplyError):
        ask(provider.model(loopback.base_url), "Hi")


@each_provider
@each_method
def test_a_reset_before_the_first_byte_is_a_connection_error(
    loopback: LoopbackServer, provider: Provider, ask: Ask
) -> None:
    """Nothing has arrived, so there is no partial."""
    loopback.plays(reset())
    with pytest.raises(errors.ModelConnectionError) as raised:
        ask(provider.model(loopback.base_url), "Hi")
    assert raised.value.partial is None


@each_provider
@both_streams
def test_an_address_without_a_server_is_a_connection_error(
    provider: Provider, collect: Collect
) -> None:
    """The error says that the server could not be reached."""
    with pytest.raises(errors.ModelConnectionError, match="could not be reached"):
        collect(provider.model("http://127.0.0.1:9/v1"), "Hi")


@pytest.mark.usefixtures("short_pauses")
@each_provider
@two_methods
@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ("429 Too Many Requests", "rate limited"),
        ("500 Internal Server Error", "server error"),
        ("reset", "connection failed"),
    ],
)
def test_a_passing_fault_is_retried(
    loopback: LoopbackServer, provider: Provider, ask: Ask, first: str, reason: str
) -> None:
    """Before the first chunk, a fault and a success make one reply; the wait is told."""
    told = list[RetryNotice]()
    fault = (
        reset() if first == "reset" else provider.wire.refusal(first, "Later.", retry_after="0.01")
    )
    loopback.plays(fault, provider.wire.reply("Hello"))
    with retries_told(told.append):
        assert ask(provider.model(loopback.base_url, max_retries=1), "Hi").content == "Hello"
    assert len(loopback.exchanges) == 2
    assert [notice.reason for notice in told] == [reason]
    assert first == "reset" or told[0].seconds == 0.01


@pytest.mark.parametrize(
    ("collect", "providers"),
    [
        (sync_stream, _REPRESENTATIVES),
        *thorough([(async_stream, _REPRESENTATIVES)]),
        *thorough((collect, _REPRESENTED) for collect in (sync_stream, async_stream)),
    ],
)
def test_a_stalled_stream_times_out_with_its_partial(
    collect: Collect, providers: list[Provider]
) -> None:
    """A server that stops sending is given up after `timeout` seconds."""
    are_loaded = threading.Barrier(len(providers), timeout=60)

    def partial(provider: Provider) -> str:
        with closing(LoopbackServer()) as server:
            server.plays(provider.wire.reply("Hello"), provider.wire.stall("Hel"))
            collect(provider.model(server.base_url), "Hi")
            are_loaded.wait()  # To load an SDK takes longer than the timeout of the others.
            with pytest.raises(errors.ModelTimeoutError) as raised:
                collect(provider.model(server.base_url, timeout=1), "Hi")
        assert raised.value.partial is not None
        return raised.value.partial.text

    # All wait for their second at the same time.
    with ThreadPoolExecutor(len(providers)) as pool:
        partials = list(pool.map(partial, providers))
    assert partials == ["Hel"] * len(providers), [each.name for each in providers]


@each_provider
@both_streams
def test_a_stream_ends_where_its_protocol_ends(
    loopback: LoopbackServer, provider: Provider, collect: Collect
) -> None:
    """A server that keeps the line open after a whole reply is not waited for."""
    loopback.plays(provider.wire.stall("Hel", "lo", is_done=True))
    chunks = collect(provider.model(loopback.base_url, timeout=20), "Hi")
    assert join_chunks(chunks).text == "Hello"


@each_provider
def test_closing_a_stream_closes_the_connection(
    loopback: LoopbackServer, provider: Provider
) -> None:
    """A stream that is closed early stops the server, sync and async."""
    loopback.plays(provider.wire.endless())
    chat = provider.model(loopback.base_url)
    chunks = chat.stream("Hi")
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]
    assert loopback.exchanges[0].closed.wait(60)

    async def leave_early() -> None:
        chunks = chat.astream("Hi")
        await anext(chunks)
        await chunks.aclose()

    asyncio.run(leave_early())
    assert loopback.exchanges[1].closed.wait(60)


@each_provider
def test_a_failed_stream_leaves_no_task_and_no_thread(
    loopback: LoopbackServer, provider: Provider
) -> None:
    """After an error the connection is closed and nothing runs on."""
    loopback.plays(provider.wire.partial("Hel"))
    chat = provider.model(loopback.base_url)

    async def fail() -> set[asyncio.Task[Any]]:
        with pytest.raises(errors.StreamInterruptedError):
            [chunk async for chunk in chat.astream("Hi")]
        await asyncio.sleep(0)
        return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]

    with pytest.raises(errors.StreamInterruptedError):
        list(chat.stream("Hi"))
    threads = set(threading.enumerate())
    assert asyncio.run(fail()) == set()
    assert {thread for thread in threading.enumerate() if thread.is_alive()} <= threads
    assert all(exchange.closed.wait(60) for exchange in loopback.exchanges)


@each_provider
def test_one_model_works_on_several_event_loops(
    loopback: LoopbackServer, provider: Provider
) -> None:
    """Each `asyncio.run` has its own loop; the same model works on all of them."""
    loopback.plays(provider.wire.reply("Hello"))
    chat = provider.model(loopback.base_url)
    assert [ainvoke(chat, "Hi").content for _ in range(3)] == ["Hello"] * 3


@each_provider
def test_the_key_is_never_shown(
    loopback: LoopbackServer, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in a repr, a log, an error or a traceback, even if the server echoes it."""
    loopback.plays(provider.wire.refusal("401 Unauthorized", f"No such key: {KEY}"))
    chat = provider.model(loopback.base_url)
    with caplog.at_level("DEBUG"), pytest.raises(errors.AuthenticationError) as raised:
        chat.invoke("Hi")
    shown = "".join(traceback.format_exception(raised.value, chain=True))
    causes = (str(vars(raised.value)), str(vars(raised.value.__cause__)))
    for text in (repr(chat), str(vars(chat)), shown, caplog.text, repr(raised.value), *causes):
        assert KEY not in text
    loopback.plays(provider.wire.partial("Hel", then=provider.wire.error_event(f"Key: {KEY}")))
    with pytest.raises(errors.ServerError, match=r"Key: \*\*\*"):
        list(chat.stream("Hi"))


@each_provider
@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda chat: pickle.loads(dumps(chat, send_keys=True))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_model_can_be_copied_and_pickled(
    loopback: LoopbackServer, provider: Provider, again: Callable[[BaseChatModel], BaseChatModel]
) -> None:
    """A copy, also one in another process, has its own connections."""
    loopback.plays(provider.wire.reply("Hello"))
    chat = provider.model(loopback.base_url)
    assert chat.invoke("Hi").content == "Hello"
    assert again(chat).invoke("Hi").content == "Hello"


@each_provider
def test_a_pickle_leaves_the_key_behind(
    loopback: LoopbackServer, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model from another process uses the key in the environment of this one, or says so."""
    loopback.plays(provider.wire.reply("Hello"))
    written = pickle.dumps(provider.model(loopback.base_url))
    assert KEY.encode() not in written
    with pytest.raises(errors.MissingKeyError, match="stayed in the process"):
        pickle.loads(written).invoke("Hi")
    variable = pickle.loads(written)._key_variable
    if variable.isidentifier():
        monkeypatch.setenv(variable, "key-of-this-process")
        assert pickle.loads(written).invoke("Hi").content == "Hello"
    assert len(loopback.exchanges) == variable.isidentifier()


@each_provider
@two_methods
def test_replies_end_at_stop_sequences(
    loopback: LoopbackServer, provider: Provider, ask: Ask
) -> None:
    """`stop` reaches the server, or chatnb ends the reply there itself."""
    loopback.plays(provider.wire.reply("one ", "END", " two"))
    reply = ask(provider.model(loopback.base_url), "Hi", stop=["END"])
    body = loopback.exchanges[0].body
    sent = body.get("stop") or body.get("stop_sequences")
    assert sent == ["END"] or reply.content == "one "


@each_method
def test_the_scripted_model_keeps_the_contract_without_a_wire(ask: Ask) -> None:
    """The model for tests and demos has text and metadata, and ends at stop sequences."""
    reply = ask(ScriptedChatModel(["Hello END there"]), "Hi", stop=["END"])
    assert reply.content == "Hello "
    reply = ask(ScriptedChatModel(["Hello"]), "Hi")
    assert reply.content == "Hello"
