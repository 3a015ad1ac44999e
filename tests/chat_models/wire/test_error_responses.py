"""Error responses in the forms and words of all providers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatnb import errors
from chatnb.chat_models import ChatAnthropic, ChatOpenAI
from chatnb.chat_models.base import BaseChatModel
from chatnb.chat_models.wire.error_responses import error_response
from chatnb.chat_models.wire.retry_after import MAX_WAIT, seconds_to_wait
from chatnb.errors import ModelError
from tests.support import anthropic_events as claude
from tests.support.examples import examples
from tests.support.loopback import Exchange, LoopbackServer, delta, event, head, refusal, saying

BY_NUMBER = [
    (400, errors.BadRequestError),
    (401, errors.AuthenticationError),
    (402, errors.QuotaSpentError),
    (403, errors.AuthenticationError),
    (404, errors.NotFoundError),
    (408, errors.ModelTimeoutError),
    (413, errors.BadRequestError),
    (429, errors.RateLimitError),
    (500, errors.ServerError),
    (529, errors.ServerError),
]


@pytest.mark.parametrize(("number", "error"), BY_NUMBER)
def test_the_number_in_the_body_is_the_status(number: int, error: type[ModelError]) -> None:
    """The status is in `code` or `status`, a number or a string, if HTTP has none of an error."""
    for body in (
        {"error": {"code": number, "message": "No."}},
        {"error": {"code": str(number), "message": "No."}},
        {"object": "error", "code": number, "message": "No."},
        {"error": {"status": number, "message": "No."}},
        {"error": {"message": f'{{"error": {{"code": {number}, "message": "No."}}}}'}},
        [{"error": {"code": number, "message": "No."}}],
    ):
        for status in (None, 200):
            read = error_response(status, body)
            assert (type(read), read.status, read.message) == (error, number, "No.")
    assert error_response(500, {"error": {"code": 429, "message": "No."}}).status == 500


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("rate_limit_exceeded", errors.RateLimitError),
        ("RESOURCE_EXHAUSTED", errors.RateLimitError),
        ("TooManyRequests", errors.RateLimitError),
        ("invalid_api_key", errors.AuthenticationError),
        ("authentication_error", errors.AuthenticationError),
        ("UNAUTHENTICATED", errors.AuthenticationError),
        ("PERMISSION_DENIED", errors.AuthenticationError),
        ("model_not_found", errors.NotFoundError),
        ("NotFoundError", errors.NotFoundError),
        ("invalid_request_error", errors.BadRequestError),
        ("BadRequestError", errors.BadRequestError),
        ("INVALID_ARGUMENT", errors.BadRequestError),
        ("DEADLINE_EXCEEDED", errors.ModelTimeoutError),
        ("insufficient_quota", errors.QuotaSpentError),
        ("billing_error", errors.QuotaSpentError),
        ("content_policy_violation", errors.ContentFilterError),
        ("context_length_exceeded", errors.ContextOverflowError),
        ("overloaded_error", errors.ServerError),
        ("of_a_new_kind", errors.ServerError),
    ],
)
def test_words_sort_errors_without_a_number(code: str, error: type[ModelError]) -> None:
    """The code, the type or the status of the body says what an error within a stream is."""
    for name in ("code", "type", "status"):
        assert type(error_response(None, {"error": {name: code, "message": "No."}})) is error


@pytest.mark.parametrize(
    "words",
    [
        # OpenAI, Anthropic, Gemini.
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9",
        "Your input exceeds the context window of this model. Please adjust your input.",
        "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 5",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        # llama.cpp, vLLM, LM Studio, Ollama.
        "the request exceeds the available context size. try increasing the context size",
        "request (9412 tokens) exceeds the available context size (8192 tokens)",
        "The decoder prompt (length 9) is longer than the maximum model length of 8.",
        "You passed 9 input tokens and requested 1. However, the model's context length is only 8",
        "The number of tokens to keep from the initial prompt is greater than the context length.",
        "Trying to keep the first 9 tokens when context the overflows.",
        "Reached context length of 4096 tokens with this model",
        "Context size has been exceeded.",
        "the input length exceeds the context length",
        # Mistral, xAI, Groq, Bedrock, Cohere, Moonshot, Qwen, text-generation-inference.
        "Prompt contains 9 tokens and 0 draft tokens, too large for model with 8 maximum context",
        "This model's maximum prompt length is 8 but the request contains 9 tokens.",
        "Please reduce the length of the messages or completion.",
        "Input is too long for requested model.",
        "too many tokens: total number of tokens in the prompt cannot exceed 8",
        "Your request exceeded model token limit: 8192",
        "Range of input length should be [1, 30720]",
        "`inputs` tokens + `max_new_tokens` must be <= 8. Given: 9",
    ],
)
def test_an_overflow_is_known_by_its_words(words: str) -> None:
    """Each provider says in its own words that the conversation is too long."""
    for status in (400, 413, 500, None):
        assert type(error_response(status, {"error": {"message": words}})) is (
            errors.ContextOverflowError
        )


@pytest.mark.parametrize(
    "words",
    [
        "max_tokens is too large: 9. This model supports at most 8 completion tokens.",
        "max_tokens: 9 > 8, which is the maximum allowed number of output tokens",
        "Invalid 'user': string too long. Expected a string with maximum length 64.",
        "Invalid 'prompt_cache_key': string too long. Expected a maximum length of 64.",
        "max_tokens=9 cannot be greater than max_model_len=8.",
        "Image exceeds 5 MB maximum.",
        "Unknown parameter: context.",
    ],
)
def test_other_limits_are_no_overflow(words: str) -> None:
    """A shorter conversation would not help."""
    assert type(error_response(400, {"error": {"message": words}})) is errors.BadRequestError


_GOOGLE_WAIT = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "28.5s"}
_CURRENT_QUOTA = "You exceeded your current quota, please check your plan and billing details."


@pytest.mark.parametrize(
    ("status", "fields", "error"),
    [
        (402, {"message": "Insufficient Balance"}, errors.QuotaSpentError),
        (400, {"message": "Your credit balance is too low to access."}, errors.QuotaSpentError),
        (403, {"message": "Insufficient credits. Add more."}, errors.QuotaSpentError),
        (429, {"message": "used all available credits"}, errors.QuotaSpentError),
        (429, {"message": _CURRENT_QUOTA}, errors.QuotaSpentError),
        (429, {"message": _CURRENT_QUOTA, "details": [_GOOGLE_WAIT]}, errors.RateLimitError),
        (400, {"message": "API key not valid. Pass a valid one."}, errors.AuthenticationError),
        (
            400,
            {"message": "No.", "details": [{"reason": "API_KEY_INVALID"}]},
            errors.AuthenticationError,
        ),
        (400, {"message": "Incorrect API key provided: x."}, errors.AuthenticationError),
        (429, {"message": "Request too large: tokens per min"}, errors.RateLimitError),
    ],
)
def test_words_refine_a_status(
    status: int, fields: dict[str, Any], error: type[ModelError]
) -> None:
    """A spent balance and a rejected key are known under any status."""
    assert type(error_response(status, {"error": fields})) is error


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "1e400"}, MAX_WAIT),
        ({"retry-after": "99999999999"}, MAX_WAIT),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "20s"}, 20.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, MAX_WAIT),
        ({"retry-after": "Mon, 01 Jan 2001 00:00:00 GMT"}, 0.0),
        ({}, None),
    ],
)
def test_the_wait_of_headers_is_bounded(headers: Mapping[str, str], wait: float | None) -> None:
    """Seconds, milliseconds and dates are read; nothing asks for a negative or endless wait."""
    assert seconds_to_wait(headers) == wait
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 60 < (seconds_to_wait({"retry-after": later}) or 0) <= 90


@pytest.mark.parametrize(
    ("words", "wait"),
    [
        ("Rate limit reached. Please try again in 5.289s. Visit the site.", 5.289),
        ("Please try again in 120ms.", 0.12),
        ("Please try again in 1m26.4s.", 86.4),
        ("Please try again in 6m0s.", 360.0),
        ("Please try again in 1h2m3.5s.", 3723.5),
        ("Please retry in 39.9s.", 39.9),
        ("Please retry after 26 seconds.", 26.0),
        ("Please wait 1 minute and 30 seconds before trying again.", 90.0),
        ("Try again in 2 hours.", 7200.0),
        ("Try again in 400 days.", MAX_WAIT),
        ("Try again in a moment.", None),
    ],
)
def test_the_wait_is_read_from_the_words(words: str, wait: float | None) -> None:
    """The message may have it if no header has."""
    body = {"error": {"message": words}}
    assert error_response(429, body).retry_after == pytest.approx(wait)
    assert (
        error_response(429, {"error": {"message": words}}, headers={"retry-after": "1"}).retry_after
        == 1
    )


def test_the_wait_is_read_from_google_s_details() -> None:
    """RetryInfo has it as text or as an object."""
    for delay in ("28.5s", {"seconds": 28.5}):
        body = {"error": {"message": "Slow.", "details": [{**_GOOGLE_WAIT, "retryDelay": delay}]}}
        assert error_response(429, body).retry_after == 28.5


@pytest.mark.parametrize(
    ("status", "page", "line"),
    [
        (502, "<html>\n<head><title>502 Bad\nGateway</title></head>", "502 Bad Gateway"),
        (504, "<!DOCTYPE html><title>Gateway &amp; time-out</title>", "504 Gateway & time-out"),
        (503, "<html><body><h1>Sorry</h1></body></html>", "503 Sorry"),
        (503, "<html></html>", "503"),
    ],
)
def test_a_web_page_is_one_line(status: int, page: str, line: str) -> None:
    """The page of a gateway is its status and title."""
    assert error_response(status, page).message == f"The server sent a web page: {line}."


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("upstream connect error\n or disconnect", "upstream connect error or disconnect"),
        ({"error": "model not found"}, "model not found"),
        ('"model not found"', "model not found"),
        ({"error": "Bad Request", "message": "Too warm."}, "Too warm."),
        ({"errors": [{"message": "Too warm."}, {"message": "Too long."}]}, "Too warm."),
        ({"detail": "Not Found"}, "Not Found"),
        ({"detail": [{"loc": ["body", "n"], "msg": "field required"}]}, "body.n: field required"),
        ({"message": {"detail": [{"msg": "Too warm."}]}}, "Too warm."),
        (
            {
                "error": {
                    "message": "Provider returned error",
                    "metadata": {"raw": '{"error": {"message": "Too warm."}}'},
                }
            },
            "Provider returned error: Too warm.",
        ),
        ({"error": {"odd": 1}}, '{"error": {"odd": 1}}'),
        ({}, "The provider answered with status 400 and no message."),
        (None, "The provider answered with status 400 and no message."),
    ],
)
def test_the_message_is_found(body: object, message: str) -> None:
    """Taken from any place where a server puts it; without one, the error shows what came."""
    assert error_response(400, body).message == message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("error", "errors", "message", "detail", "code", "status", "loc"))
            | st.sampled_from(("msg", "metadata", "raw", "details", "retryDelay", "request_id"))
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.mark.slow
@settings(max_examples=examples(200), deadline=None)
@given(st.none() | st.integers(100, 999), json_values, st.text(max_size=9))
def test_any_body_is_a_model_error(status: int | None, body: object, wait: str) -> None:
    """The error of any answer of a server has a message, and fields of the right types."""
    read = error_response(status, body, headers={"retry-after": wait})
    assert isinstance(read, ModelError)
    assert read.message
    assert isinstance(str(read), str)
    assert read.status is None or read.status >= 400
    assert read.retry_after is None or 0 <= read.retry_after <= MAX_WAIT
    assert read.request_id is None or read.request_id


def test_a_message_and_its_hint_are_two_sentences() -> None:
    """A full stop stands between them, once."""
    for message in ("No quota", "No quota.", "No quota!", "No quota?", "No quota…"):
        shown = str(ModelError(message, hint="Wait.", request_id="r"))
        assert shown == f"{message}{'.' if message == 'No quota' else ''} Wait. (request r)"
    assert str(ModelError("No quota")) == "No quota"
    assert str(errors.StructuredOutputError("No JSON", hint="Ask.")) == "No JSON. Ask."


ENDS = {
    "error response": refusal("500 Oops", "Broken.", x_request_id="req_7"),
    "error event": saying(
        head(x_request_id="req_7"), delta("a"), event({"error": {"message": "No."}})
    ),
    "broken event": saying(head(x_request_id="req_7"), delta("a"), event('{"a":')),
    "no end": saying(head(x_request_id="req_7"), delta("a")),
    "filtered": saying(head(x_request_id="req_7"), delta("a", "content_filter")),
    "aborted": saying(head(x_request_id="req_7"), delta("a", "abort")),
    "whole": saying(
        head(kind="application/json", x_request_id="req_7") + b'{"error": {"message": "No."}}'
    ),
}


@pytest.fixture(scope="module")
def openai() -> BaseChatModel:
    """A chat model without a server."""
    return ChatOpenAI("m", base_url="http://127.0.0.1:9/v1", api_key="sk-none", max_retries=0)


@pytest.mark.parametrize("end", ENDS)
def test_every_error_names_the_request(loopback: LoopbackServer, end: str) -> None:
    """The id of the response's headers is on the error, however the call failed."""
    loopback.plays(ENDS[end])
    chat = ChatOpenAI("m", base_url=loopback.base_url, api_key="sk-none", max_retries=0)
    with pytest.raises(ModelError) as raised:
        list(chat.stream("Hi"))
    assert raised.value.request_id == "req_7"
    assert "(request req_7)" in str(raised.value)


@pytest.mark.parametrize(
    "name", ["x-request-id", "request-id", "apim-request-id", "x-amzn-requestid", "cf-ray"]
)
def test_request_ids_have_many_names(name: str) -> None:
    """In headers, in the body or in the message."""
    assert error_response(500, {}, headers={name: "r-1"}).request_id == "r-1"
    assert error_response(500, {"error": {}, "request_id": "r-1"}).request_id == "r-1"
    words = "Please include the request ID req_01234567 in your message."
    assert error_response(500, {"error": {"message": words}}).request_id == "req_01234567"


@pytest.mark.parametrize("value", [b"caf\xc3\xa9", b"\xff", b"\xf0\x9f\x98\x80", b"a\tb", b""])
@pytest.mark.parametrize("name", [b"x-request-id", b"retry-after", b"date", b"location", b"x-any"])
def test_headers_of_any_bytes_are_taken(
    loopback: LoopbackServer, name: bytes, value: bytes
) -> None:
    """Proxies write names and dates in their own language; twice, and each value stays."""

    async def script(_: Exchange) -> AsyncIterator[bytes]:
        lines = b"\r\n%b: %b\r\n%b: %b\r\n\r\n" % (name, value, name, value)
        yield head("400 Bad", "application/json").replace(b"\r\n\r\n", lines) + b"{}"

    loopback.plays(script)
    chat = ChatOpenAI("m", api_key="k", base_url=loopback.base_url, max_retries=0)
    with pytest.raises(errors.BadRequestError) as raised:
        chat.invoke("Hi")
    assert raised.value.__cause__ is not None
    headers = raised.value.__cause__.response.headers  # type: ignore[attr-defined]
    kept = [given for key, given in headers.raw if key.lower() == name]
    assert kept == [value, value]


def test_an_address_that_cannot_be_reached_is_named(openai: BaseChatModel) -> None:
    """The error has the address without the path, and asks whether a local server runs."""
    with pytest.raises(errors.ModelConnectionError) as raised:
        openai.invoke("Hi")
    assert str(raised.value).startswith("http://127.0.0.1:9 could not be reached. Is it running?")


def test_an_error_within_a_reply_of_anthropic_names_the_request(loopback: LoopbackServer) -> None:
    """The body of the event has the id."""
    loopback.plays(claude.streaming(claude.start(), claude.error("overloaded_error", "Busy")))
    chat = ChatAnthropic("m", base_url=loopback.base_url, api_key="sk-none", max_retries=0)
    with pytest.raises(errors.ServerError, match=r"Busy\. Try again in a moment") as raised:
        list(chat.stream("Hi"))
    assert raised.value.request_id == "req_9"
