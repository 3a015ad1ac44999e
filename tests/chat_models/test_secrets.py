"""No secret of a model or a call shows in an error or a log, whatever prints it and holds it."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import pickle
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from chatnb.chat_models import AzureChatOpenAI, BaseChatModel, ChatAnthropic, ChatOpenAI
from chatnb.chat_models.registry import init_chat_model
from tests.support.loopback import Exchange, LoopbackServer, Script, head

SECRET = "Vq7-kestrel.lantern_42"
Call = Callable[[str], Any]


def echo(status: str) -> Script:
    """Repeat all of the request in an error, as text, in lists and in objects."""

    async def script(exchange: Exchange) -> AsyncIterator[bytes]:
        sent: dict[str, Any] = {
            "headers": exchange.headers,
            "body": exchange.body,
            "path": exchange.path,
        }
        error = {"message": f"Wrong: {json.dumps(sent)}", "details": [sent, [json.dumps(sent)]]}
        names = ("authorization", "x-api-key", "api-key")
        keys = [exchange.headers[name] for name in names if name in exchange.headers]
        begin = head(status, "application/json", x_request_id=" ".join(keys))
        yield begin + json.dumps([{"error": error}, sent]).encode()

    return script


def openai(url: str, **params: Any) -> BaseChatModel:
    return ChatOpenAI("m", **{"api_key": "none", "max_retries": 0, "base_url": url, **params})


def anthropic(url: str, **params: Any) -> BaseChatModel:
    return ChatAnthropic("m", **{"api_key": "none", "max_retries": 0, "base_url": url, **params})


def azure(url: str, **params: Any) -> BaseChatModel:
    own = {"azure_endpoint": url, "api_version": "1", "max_retries": 0}
    return AzureChatOpenAI("m", **own, **params)


async def token() -> str:
    return SECRET


HEADERS = {"X-Api-Key": SECRET, "Authorization": f"Bearer {SECRET}", "Cookie": f"a={SECRET}"}
NESTED: dict[str, Any] = {"tools_auth": [{"password": [SECRET]}], "api_key": SECRET}


def with_password(url: str) -> str:
    return url.replace("://", f"://ada:{SECRET}@")


CALLS: dict[str, Call] = {
    "key": lambda url: openai(url, api_key=SECRET).invoke("x"),
    "key of the Responses API": lambda url: openai(
        url, api_key=SECRET, use_responses_api=True
    ).invoke("x"),
    "key by name": lambda url: init_chat_model(
        "openai:m", api_key=SECRET, base_url=url, max_retries=0
    ).invoke("x"),
    "key of a compatible server": lambda url: init_chat_model(
        "groq:m", api_key=SECRET, base_url=url, max_retries=0
    ).invoke("x"),
    "key, streamed": lambda url: list(openai(url, api_key=SECRET).stream("x")),
    "key, asynchronous": lambda url: asyncio.run(openai(url, api_key=SECRET).ainvoke("x")),
    "key, in a batch": lambda url: openai(url, api_key=SECRET).batch(["x"]),
    "key with a line end": lambda url: openai(url, api_key=f"{SECRET}\n").invoke("x"),
    "key beyond ASCII": lambda url: openai(url, api_key=f"{SECRET}é").invoke("x"),
    "key of Anthropic": lambda url: anthropic(url, api_key=SECRET).invoke("x"),
    "key of Anthropic, streamed": lambda url: list(anthropic(url, api_key=SECRET).stream("x")),
    "key of Azure": lambda url: azure(url, api_key=SECRET).invoke("x"),
    "token of Azure": lambda url: azure(url, azure_ad_token=SECRET).invoke("x"),
    "token provider": lambda url: azure(url, azure_ad_token_provider=lambda: SECRET).invoke("x"),
    "asynchronous token provider": lambda url: azure(url, azure_ad_token_provider=token).invoke(
        "x"
    ),
    "two credentials": lambda url: azure(url, azure_ad_token=SECRET, api_key=SECRET),
    "key beside a wrong argument": lambda url: ChatOpenAI("m", "n", api_key=SECRET),  # type: ignore[misc]
    "headers without a key": lambda url: ChatOpenAI("m", default_headers=HEADERS),
    "key of an unknown provider": lambda url: init_chat_model("nobody:m", api_key=SECRET),
    "headers of a model": lambda url: openai(url, default_headers=HEADERS).invoke("x"),
    "headers that cannot be sent": lambda url: openai(
        url, default_headers={"X-Api-Key": f"{SECRET}\n"}
    ).invoke("x"),
    "query of a model": lambda url: openai(url, default_query={"api_key": SECRET}).invoke("x"),
    "body of a model": lambda url: openai(url, extra_body=NESTED).invoke("x"),
    "parameters of a model": lambda url: openai(url, model_kwargs=NESTED).invoke("x"),
    "headers of a call": lambda url: openai(url).invoke("x", extra_headers=HEADERS),
    "headers of a streamed call": lambda url: list(openai(url).stream("x", extra_headers=HEADERS)),
    "headers of a batch": lambda url: openai(url).batch(["x"], extra_headers=HEADERS),
    "headers of generate": lambda url: openai(url).generate([["x"]], extra_headers=HEADERS),
    "headers of a binding": lambda url: openai(url).bind(extra_headers=HEADERS).invoke("x"),
    "headers of an asynchronous call": lambda url: asyncio.run(
        openai(url).ainvoke("x", extra_headers=HEADERS)
    ),
    "headers of an asynchronous batch": lambda url: asyncio.run(
        openai(url).abatch(["x", "y"], extra_headers=HEADERS)
    ),
    "headers of a call to Anthropic": lambda url: anthropic(url).invoke("x", extra_headers=HEADERS),
    "query of a call": lambda url: openai(url)("x", extra_query={"token": SECRET}),
    "body of a call": lambda url: openai(url).invoke("x", extra_body=NESTED),
    "body of a call to Anthropic": lambda url: anthropic(url).invoke("x", extra_body=NESTED),
    "password in the address": lambda url: openai(with_password(url)).invoke("x"),
    "key in the address": lambda url: openai(f"{url}?key={SECRET}").invoke("x"),
    "address that cannot be read": lambda url: openai(f"http://ada:{SECRET}/x@nowhere").invoke("x"),
}


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all those behind it."""
    waiting, seen = [error], list[BaseException]()
    while waiting:
        found = waiting.pop()
        if found not in seen:
            seen.append(found)
            yield found
            waiting += [e for e in (found.__cause__, found.__context__) if e is not None]


def frames(error: BaseException) -> Iterator[FrameType]:
    """Yield the frames of a traceback below this file."""
    steps = traceback.walk_tb(error.__traceback__)
    yield from (frame for frame, _ in steps if frame.f_code.co_filename != __file__)


def held(value: Any, depth: int = 0) -> str:
    """Return all texts that an object holds, within other objects too."""
    if depth > 4:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict):
        return "".join(held(item, depth) for pair in value.items() for item in pair)
    if isinstance(value, list | tuple):
        return "".join(held(item, depth) for item in value)
    own = vars(value) if hasattr(value, "__dict__") and not callable(value) else {}
    parts = [str(value), *(held(item, depth + 1) for item in own.values())]
    if hasattr(value, "headers"):
        parts.append(held([*value.headers.raw]))
    return "".join(parts)


def safe_repr(value: object) -> str:
    try:
        return repr(value)
    except AttributeError:  # Of an object whose constructor failed.
        return ""


def outputs(error: BaseException) -> Iterator[tuple[str, str]]:
    """Yield what prints, keeps or sends an error, and its text."""
    for found in chain(error):
        yield "str", str(found)
        yield "repr", repr(found)
        yield "attributes", held([vars(found), found.args])
        for frame in frames(found):
            yield (
                f"locals of {frame.f_code.co_qualname}",
                "".join(map(safe_repr, frame.f_locals.values())),
            )
    yield "pickle", held(pickle.dumps(error))


@pytest.fixture
def raised(
    request: pytest.FixtureRequest, loopback: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> BaseException:
    gc.collect()  # The secret is not to be known from a model of another test.
    caplog.set_level(logging.DEBUG)
    loopback.plays(echo("401 Unauthorized"))
    with pytest.raises(Exception) as caught:  # noqa: PT011 (of any class)
        CALLS[request.param](loopback.base_url)
    return caught.value


@pytest.mark.slow
@pytest.mark.parametrize("raised", CALLS, indirect=True)
def test_no_error_and_no_log_shows_a_secret(
    raised: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """Texts, attributes, pickles, local variables and logs of SDKs and clients are without it."""
    logged = [record.getMessage() for record in caplog.get_records("setup")]
    assert [line for line in logged if SECRET in line] == []
    shown = {name for name, text in outputs(raised) if SECRET in text}
    assert shown == set(), [text for _, text in outputs(raised) if SECRET in text][:1]
