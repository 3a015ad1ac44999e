"""No secret of a LangChain model, or of a call to one, shows in the errors and logs of chatnb."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable
from typing import Any

import pytest
from langchain_openai import ChatOpenAI

from chatnb.chat_models import ChatOpenAI as OwnChatOpenAI
from chatnb.langchain import from_langchain, to_langchain
from tests.chat_models.test_secrets import HEADERS, SECRET, echo, outputs, with_password
from tests.support.loopback import LoopbackServer


def model(url: str, **params: Any) -> Any:
    given: Any = {"api_key": "none", "base_url": url, "max_retries": 0, **params}
    return from_langchain(ChatOpenAI(model="m", **given))


def own(url: str, **params: Any) -> Any:
    return to_langchain(
        OwnChatOpenAI("m", **{"api_key": "none", "base_url": url, "max_retries": 0, **params})
    )


CALLS: dict[str, Callable[[str], Any]] = {
    "key": lambda url: model(url, api_key=SECRET).invoke("x"),
    "key, streamed": lambda url: list(model(url, api_key=SECRET).stream("x")),
    "key, asynchronous": lambda url: asyncio.run(model(url, api_key=SECRET).ainvoke("x")),
    "key, in a batch": lambda url: model(url, api_key=SECRET).batch(["x"]),
    "headers": lambda url: model(url, default_headers={"X-Api-Key": SECRET}).invoke("x"),
    "headers, streamed": lambda url: list(model(url, default_headers=HEADERS).stream("x")),
    "headers of a call": lambda url: model(url).invoke("x", extra_headers=HEADERS),
    "password in the address": lambda url: model(with_password(url)).invoke("x"),
    "key of our model": lambda url: own(url, api_key=SECRET).invoke("x"),
    "key of our model, streamed": lambda url: list(own(url, api_key=SECRET).stream("x")),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_no_error_and_no_log_shows_a_secret(
    loopback: LoopbackServer, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """Texts, attributes, pickles, local variables and logs of SDKs and clients are without it."""
    gc.collect()  # The secret is not to be known from a model of another test.
    caplog.set_level(logging.DEBUG)
    loopback.plays(echo("401 Unauthorized"))
    with pytest.raises(Exception, match="Wrong") as caught:
        CALLS[name](loopback.base_url)
    assert [record for record in caplog.records if SECRET in record.getMessage()] == []
    assert {place for place, text in outputs(caught.value) if SECRET in text} == set()
