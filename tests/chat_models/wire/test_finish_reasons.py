"""The endings of replies, on every wire and by every method."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from chatnb import errors
from chatnb.cassettes.cassette import Cassette, Mode
from chatnb.chat_models import ChatAnthropic, ChatOpenAI, ScriptedChatModel
from chatnb.chat_models.base import BaseChatModel
from chatnb.chat_models.cache import InMemoryCache
from chatnb.chat_models.wire.finish_reasons import finish_reason, is_cut_off, raise_bad_ending
from chatnb.notebook.reply_stream import Reply
from chatnb.notebook.tables.comparison import Answer
from chatnb.notebook.widgets.footer import reply_footer
from chatnb.schema import AIMessage
from chatnb.tracing.usage_tracking import track_usage
from tests.chat_models.contract.test_contract import Ask, ainvoke, astream, invoke, stream
from tests.support import anthropic_events as claude
from tests.support import responses_events as responses
from tests.support.loopback import Exchange, LoopbackServer, Script, delta, event, head, saying

METHODS: list[Ask] = [invoke, stream, ainvoke, astream]


def completions(finish: str | None, **choice: Any) -> Script:
    """A chat completion of the text "half", whole or streamed."""

    async def script(exchange: Exchange) -> AsyncIterator[bytes]:
        ended = {"index": 0, "finish_reason": finish, **choice}
        if exchange.body.get("stream"):
            last = event({"choices": [{**ended, "delta": {}}]})
            yield head() + delta("half") + last + event("[DONE]")
        else:
            whole = {"choices": [{**ended, "message": {"content": "half"}}]}
            yield head(kind="application/json") + json.dumps(whole).encode()

    return script


def response(status: str, **fields: Any) -> Script:
    """A response of the text "half", whole or streamed."""
    part = {"type": "output_text", "text": "half", "annotations": []}
    whole = responses.response({**responses.SAID, "content": [part]}, status=status, **fields)
    name = {"completed": "completed", "incomplete": "incomplete", "cancelled": "cancelled"}

    async def script(exchange: Exchange) -> AsyncIterator[bytes]:
        if exchange.body.get("stream"):
            ended = responses.said(name.get(status, "completed"), response=whole)
            yield head() + responses.CREATED + responses.text("half") + ended
        else:
            yield head(kind="application/json") + json.dumps(whole).encode()

    return script


def message(reason: str) -> Script:
    """A reply of Anthropic's with the text "half", whole or streamed."""

    async def script(exchange: Exchange) -> AsyncIterator[bytes]:
        if exchange.body.get("stream"):
            ended = claude.finish(reason)
            yield head() + claude.sent(claude.start(), *claude.text(0, "half"), *ended)
        else:
            whole = claude.whole({"type": "text", "text": "half"}, reason=reason)
            yield head(kind="application/json") + json.dumps(whole).encode()

    return script


BAD: list[tuple[str, str, Script, type[errors.ModelError]]] = [
    ("openai", "abort", completions("abort"), errors.StreamInterruptedError),
    ("openai", "error", completions("error"), errors.ServerError),
    ("openai", "new", completions("of_a_new_kind"), errors.StreamInterruptedError),
    (
        "openai",
        "insufficient",
        completions("insufficient_system_resource"),
        errors.ServerError,
    ),
    ("openai", "SAFETY", completions("SAFETY"), errors.ContentFilterError),
    (
        "openai",
        "error object",
        completions("stop", error={"code": 429, "message": "Slow down."}),
        errors.RateLimitError,
    ),
    ("responses", "cancelled", response("cancelled"), errors.StreamInterruptedError),
    ("responses", "queued", response("queued"), errors.StreamInterruptedError),
    (
        "responses",
        "max_messages",
        response("incomplete", incomplete_details={"reason": "max_messages"}),
        errors.StreamInterruptedError,
    ),
    ("responses", "no reason", response("incomplete"), errors.StreamInterruptedError),
    ("anthropic", "new", message("of_a_new_kind"), errors.StreamInterruptedError),
    ("anthropic", "error", message("error"), errors.ServerError),
    ("anthropic", "refusal", message("refusal"), errors.ContentFilterError),
]
GOOD = [
    *(("openai", reason, completions(reason)) for reason in ("stop", "length", "eos", None)),
    ("responses", "completed", response("completed")),
    (
        "responses",
        "max_output_tokens",
        response("incomplete", incomplete_details={"reason": "max_output_tokens"}),
    ),
    *(("anthropic", reason, message(reason)) for reason in ("end_turn", "pause_turn")),
]


@pytest.fixture(scope="module")
def loopback() -> Iterator[LoopbackServer]:
    """A server for all tests, to which the models keep their connections."""
    server = LoopbackServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def models(loopback: LoopbackServer) -> dict[str, BaseChatModel]:
    """A chat model of each wire."""
    given: dict[str, Any] = {
        "base_url": loopback.base_url,
        "api_key": "sk-none",
        "max_retries": 0,
        "cache": InMemoryCache(),
    }
    return {
        "openai": ChatOpenAI("m", **given),
        "responses": ChatOpenAI("m", use_responses_api=True, **given),
        "anthropic": ChatAnthropic("m", **given),
    }


@pytest.mark.parametrize(("wire", "name", "script", "error"), BAD, ids=[c[1] for c in BAD])
def test_a_bad_ending_is_an_error_with_its_partial(
    loopback: LoopbackServer,
    models: dict[str, BaseChatModel],
    wire: str,
    name: str,
    script: Script,
    error: type[errors.ModelError],
) -> None:
    """A reply that did not end well raises, keeps its text, and is not cached, by any method."""
    loopback.plays(script)
    # The asynchronous methods share the decoders with the others: one case a wire is enough.
    methods = METHODS if name in ("abort", "cancelled", "new") else METHODS[:2]
    for ask in methods:
        with pytest.raises(error) as raised:
            ask(models[wire], "Hi")
        assert raised.value.partial is not None
        assert raised.value.partial.text == "half"
    assert len(loopback.exchanges) == len(methods)


@pytest.mark.parametrize(
    ("wire", "script"), [(w, s) for w, _, s in GOOD], ids=[str(c[1]) for c in GOOD]
)
def test_a_good_ending_is_a_reply(
    loopback: LoopbackServer, models: dict[str, BaseChatModel], wire: str, script: Script
) -> None:
    """Known good endings of all providers give the reply, which a cache then holds."""
    for ask in METHODS[:2]:
        cast("InMemoryCache", models[wire].cache).clear()
        loopback.plays(script)
        assert [ask(models[wire], "Hi").text for _ in range(2)] == ["half", "half"]
        assert len(loopback.exchanges) == 1


def test_a_bad_ending_lets_retries_fallbacks_and_batches_act(
    loopback: LoopbackServer, tmp_path: Path
) -> None:
    """An attempt follows, the fallback answers, and a checkpoint holds only the good reply."""
    chat = ChatOpenAI("m", base_url=loopback.base_url, api_key="sk-none", max_retries=0)
    loopback.plays(completions("abort"), completions("stop"))
    retried = chat.with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
    assert retried.invoke("Hi").text == "half"
    loopback.plays(completions("error"))
    assert chat.with_fallbacks([ScriptedChatModel(["Hello"])]).invoke("Hi").text == "Hello"
    checkpoint = tmp_path / "replies.jsonl"
    for _ in range(2):
        loopback.plays(completions("abort"))
        with pytest.raises(errors.StreamInterruptedError):
            chat.generate([["Hi"]], checkpoint=checkpoint)
        assert len(loopback.exchanges) == 1


def test_a_cassette_records_a_bad_ending_as_an_error(
    loopback: LoopbackServer, models: dict[str, BaseChatModel], tmp_path: Path
) -> None:
    """The replay raises the error with the partial reply."""
    loopback.plays(completions("abort"))
    modes: tuple[Mode, ...] = ("record", "replay")
    for mode in modes:
        with Cassette(tmp_path / "calls.yaml", mode), pytest.raises(errors.ModelError) as raised:
            list(models["openai"].stream("Hi"))
        assert raised.value.partial is not None
        assert raised.value.partial.text == "half"
    assert "StreamInterruptedError" in (tmp_path / "calls.yaml").read_text()


def test_a_bad_ending_was_paid_for(loopback: LoopbackServer) -> None:
    """The usage of a reply that broke off is counted, whole or streamed."""
    usage = {"prompt_tokens": 8, "completion_tokens": 5, "total_tokens": 13}
    choice = {"message": {"content": "half"}, "delta": {"content": "half"}}
    reply = {"choices": [{"index": 0, "finish_reason": "abort", **choice}], "usage": usage}
    chat = ChatOpenAI("m", base_url=loopback.base_url, api_key="sk-none", max_retries=0)
    whole = saying(head(kind="application/json") + json.dumps(reply).encode())
    for script, ask in ((whole, invoke), (saying(head(), event(reply)), stream)):
        loopback.plays(script)
        with track_usage() as tracker, pytest.raises(errors.StreamInterruptedError):
            ask(chat, "Hi")
        assert tracker.usage is not None
        assert tracker.usage["output_tokens"] == 5


def test_a_cache_of_an_older_version_does_not_make_a_bad_ending_good() -> None:
    """A broken-off reply in a cache is requested again."""
    cache = InMemoryCache()
    bad = AIMessage("half", response_metadata={"finish_reason": "abort"})
    assert ScriptedChatModel([bad], cache=cache).invoke("Hi").text == "half"
    assert ScriptedChatModel(["Hello"], cache=cache).invoke("Hi").text == "Hello"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("stop", "STOP", "end_turn", "eos_token", "COMPLETE", "stop_sequence"), "stop"),
        (("length", "MAX_TOKENS", "max_output_tokens", "model_length"), "length"),
        (("tool_calls", "tool_use"), "tool_calls"),
        (("content_filter", "SAFETY", "refusal", "guardrail_intervened"), "content_filter"),
        ((None, "", "null"), None),
        (("Abort",), "Abort"),
    ],
)
def test_finish_reasons_are_in_the_words_of_openai(
    words: tuple[str | None, ...], reason: str | None
) -> None:
    """Each provider's word is OpenAI's; an unknown one stays as it is."""
    assert [finish_reason(word) for word in words] == [reason] * len(words)


@pytest.mark.parametrize(
    ("metadata", "shown"),
    [
        ({"finish_reason": "length"}, True),
        ({"finish_reason": "stop"}, False),
        ({"finish_reason": "length", "stop_reason": "pause_turn"}, False),
    ],
)
@pytest.mark.parametrize("text", ["Once upon", ""])
def test_footers_tell_of_the_token_limit(metadata: dict[str, Any], shown: bool, text: str) -> None:
    """Cells, panels and comparisons say so first, as a sentence begins, also where reasoning left
    nothing for the text."""
    reply = AIMessage(text, response_metadata=metadata)
    footers = [
        reply_footer(reply, "m", seconds=1.0),
        Answer.from_reply("m", ScriptedChatModel([""]), Reply(reply, "done", 1.0)).footer,
    ]
    assert ["cut off at the token limit" in footer.lower() for footer in footers] == [shown, shown]
    assert text or footers[0].startswith("The reply is empty")
    assert not text or footers[0].startswith("Cut off" if shown else "m ·")


def ended(reason: str | None, content: str = "", refusal: str | None = None, **more: Any) -> Any:
    fields = {} if refusal is None else {"refusal": refusal}
    metadata = {"finish_reason": reason, **more}
    return AIMessage(content, additional_kwargs=fields, response_metadata=metadata)


EARLY = "The provider ended the reply early, with the finish reason {!r}. Run it again."


@pytest.mark.parametrize(
    ("message", "error", "text"),
    [
        (ended(None, "Hi"), None, ""),
        (ended("stop", "Hi", refusal="No."), None, ""),
        (
            ended("stop", refusal="No"),
            errors.ContentFilterError,
            "The model refused to answer: No. Rephrase the prompt.",
        ),
        (
            ended("content_filter", "Hi"),
            errors.ContentFilterError,
            "The provider's content filter ended the reply. Rephrase the prompt.",
        ),
        (
            ended("content_filter", stop_reason="refusal"),
            errors.ContentFilterError,
            "The model refused to answer. Rephrase the prompt.",
        ),
        (
            ended("content_filter", stop_reason="refusal", stop_details={"explanation": "Bio"}),
            errors.ContentFilterError,
            "The model refused to answer: Bio. Rephrase the prompt.",
        ),
        (ended("abort", "Hi"), errors.StreamInterruptedError, EARLY.format("abort")),
        (ended("Engine_Error", "Hi"), errors.ServerError, EARLY.format("Engine_Error")),
        (
            ended("overloaded", "Hi", error={"message": "Busy.", "code": 429}),
            errors.RateLimitError,
            "Busy. Wait and try again, or check the plan and its limits.",
        ),
    ],
)
def test_an_ending_says_what_happened(
    message: AIMessage, error: type[errors.ModelError] | None, text: str
) -> None:
    """With the provider's words, and with what had come."""
    if error is None:
        raise_bad_ending(message)
        return
    with pytest.raises(errors.ModelError) as raised:
        raise_bad_ending(message)
    assert (type(raised.value), str(raised.value)) == (error, text)
    assert raised.value.partial is message


@pytest.mark.parametrize(
    ("metadata", "is_cut"),
    [
        ({"finish_reason": "length"}, True),
        ({"finish_reason": "length", "stop_reason": "max_tokens"}, True),
        ({"finish_reason": "length", "stop_reason": "pause_turn"}, False),
        ({"finish_reason": "stop"}, False),
        ({}, False),
    ],
)
def test_a_pause_is_no_limit(metadata: dict[str, Any], is_cut: bool) -> None:
    """A reply that the provider only interrupts has not reached the limit of tokens."""
    assert is_cut_off(metadata) is is_cut
