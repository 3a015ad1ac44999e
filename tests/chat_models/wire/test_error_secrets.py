"""Secrets in what HTTP clients keep and log: responses, requests, causes and records."""

from __future__ import annotations

import gzip
import logging
from typing import Any

import httpx2
import pytest

from chatnb.chat_models import ChatOpenAI
from chatnb.chat_models.wire.error_secrets import remove_secrets
from chatnb.redaction.logs import hide_call_in_logs, hide_in_logs

SECRET = "kestrel-lantern-42"


def test_a_response_is_replaced_by_a_copy_without_secrets() -> None:
    """With its status, its readable body, and the request that it answers."""
    request = httpx2.Request(
        "POST",
        f"https://ada:{SECRET}@host/v1?key={SECRET}",
        headers={"Authorization": f"Bearer {SECRET}", "X-Team": "blue", "x-odd": b"caf\xe9"},
        content=f'{{"token": "{SECRET}"}}',
    )
    response = httpx2.Response(
        401,
        request=request,
        headers={"x-echo": SECRET, "content-encoding": "gzip"},
        content=gzip.compress(f"No, {SECRET}.".encode()),
    )
    error: Any = ValueError(f"No, {SECRET}.")
    error.response, error.request, error.other = response, request, response
    remove_secrets([SECRET], error)
    assert str(error) == "No, ***."
    clean = error.response
    assert (clean.status_code, clean.text, clean.headers["x-echo"]) == (401, "No, ***.", "***")
    assert "content-encoding" not in clean.headers
    for sent in (clean.request, error.request):
        assert (sent.method, str(sent.url)) == ("POST", "https://***@host/v1?key=***")
        assert SECRET not in str(sent.headers.raw)
        assert (sent.headers["x-team"], sent.content) == ("blue", b'{"token": "***"}')
        assert (b"x-odd", b"caf\xe9") in sent.headers.raw
    assert error.other is response


def test_a_message_that_was_not_read_has_no_body() -> None:
    """Nor does one without a request have one."""
    error: Any = ValueError("no")
    error.response = httpx2.Response(500, stream=httpx2.ByteStream(b"x"))
    error.request = "not of a client"
    remove_secrets([SECRET], error)
    assert (error.response.status_code, error.response.text) == (500, "")
    assert error.request == "not of a client"


@pytest.fixture
def chat() -> ChatOpenAI:
    chat = ChatOpenAI("m", api_key=SECRET)
    hide_in_logs(chat)
    return chat


def logged(name: str, text: Any, *args: object) -> logging.LogRecord:
    record = logging.LogRecord(name, logging.INFO, __file__, 1, text, args, None)
    assert logging.getLogger(name).filter(record)
    return record


@pytest.mark.usefixtures("chat")
def test_records_of_clients_lose_the_secrets_of_models() -> None:
    """With those of addresses, and of a call that is being made; others stay as they are."""
    logging.getLogger("httpx2")
    own = logged("httpcore2.connection", "sent %s", SECRET)
    assert (own.getMessage(), own.args) == ("sent ***", None)
    address = logged("httpcore2.http11", "GET http://ada:other-secret@host/x done")
    assert address.getMessage() == "GET http://***@host/x done"
    plain = logged("httpcore2.http2", "sent %s", "nothing")
    assert (plain.msg, plain.args) == ("sent %s", ("nothing",))
    with hide_call_in_logs(lambda: ["of-this-call"]):
        with hide_call_in_logs(lambda: ["of-another"]):
            assert logged("httpcore2.proxy", "of-this-call of-another").getMessage() == (
                "of-this-call ***"
            )
        assert logged("httpcore2.proxy", "of-this-call").getMessage() == "***"
    assert logged("httpcore2.proxy", "of-this-call").getMessage() == "of-this-call"
    other = logging.LogRecord("mine", logging.INFO, __file__, 1, SECRET, (), None)
    assert logging.getLogger("mine").filter(other)
    assert other.getMessage() == SECRET


@pytest.mark.usefixtures("chat")
def test_a_record_that_cannot_be_written_is_left_to_its_handler() -> None:
    """It is told of as any other."""
    record = logged("httpcore2.socks", "%d of %s", "x")
    assert (record.msg, record.args) == ("%d of %s", ("x",))
