"""No secret of a model or a call shows in an error or a log, whatever prints it and holds it."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import pickle
import traceback
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from http.cookies import SimpleCookie
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import parse_qs

import httpx2
import pytest

from chatnb.cassettes.cassette import Cassette
from chatnb.chat_models import AzureChatOpenAI, BaseChatModel, ChatAnthropic, ChatOpenAI
from chatnb.chat_models.registry import init_chat_model
from chatnb.runnables import RunnableLambda, RunnableParallel
from tests.support.loopback import Exchange, LoopbackServer, Script, head

SECRET = "Vq7-kestrel.lantern_42"
Call = Callable[[str], Any]


def parts_of_credentials(headers: Mapping[str, str]) -> Iterator[str]:
    """Yield what a server reads in the headers: a name with its password, and each cookie."""
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme == "Basic":
        yield b64decode(encoded).decode()
    yield from (morsel.value for morsel in SimpleCookie(headers.get("cookie", "")).values())


def echo(status: str) -> Script:
    """Repeat all of the request in an error, as text, in lists and in objects."""

    async def script(exchange: Exchange) -> AsyncIterator[bytes]:
        sent: dict[str, Any] = {
            "headers": exchange.headers,
            "body": exchange.body,
            "path": exchange.path,
        }
        parts = [*parts_of_credentials(exchange.headers), *parse_qs(exchange.path).values()]
        message = f"Wrong: {json.dumps(sent)} {parts}"
        error = {"message": message, "details": [sent, [json.dumps(sent)], parts]}
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


BASIC = {"Authorization": f"Basic {b64encode(f'ada:{SECRET}'.encode()).decode()}"}
COOKIE = {"Cookie": f"theme=dark; session={SECRET}"}
SERVER: dict[str, Any] = {"type": "mcp", "server_label": "a", "server_url": "https://a.test"}
MCP_TOOL = {**SERVER, "headers": {"Authorization": f"Bearer {SECRET}"}}
MCP_TOOL_WITH_TOKEN = {**SERVER, "authorization": SECRET}
MCP_SERVER = {"type": "url", "url": "https://a.test", "name": "a", "authorization_token": SECRET}
SEARCH = {"type": "search", "parameters": {"authentication": {"type": "api_key", "key": SECRET}}}
CONNECTION = {"dsn_of": {"connection": f"Endpoint=sb://a;SharedAccessKey={SECRET};Name=b"}}


def deep(data: Any, levels: int) -> Any:
    return {"a": deep(data, levels - 1)} if levels else data


def chosen() -> Any:
    """Return a model whose provider, address and key the config of a run chooses."""
    return init_chat_model(configurable_fields="any", config_prefix="my")


def config(url: str) -> Any:
    given = {"model": "openai:m", "api_key": SECRET, "base_url": url, "max_retries": 0}
    named = {f"my_{name}": value for name, value in given.items()}
    return {"configurable": named, "metadata": {"session_token": SECRET}}


async def gathered(stream: AsyncIterator[Any]) -> list[Any]:
    return [each async for each in stream]


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
    "token in the address": lambda url: openai(url.replace("://", f"://{SECRET}@")).invoke("x"),
    "code in the query": lambda url: openai(url, default_query={"code": SECRET}).invoke("x"),
    "cookies of a model": lambda url: openai(url, default_headers=COOKIE).invoke("x"),
    "cookies of a call": lambda url: openai(url).invoke("x", extra_headers=COOKIE),
    "name and password": lambda url: openai(url, default_headers=BASIC).invoke("x"),
    "name and password of a call": lambda url: openai(url).invoke("x", extra_headers=BASIC),
    "client with a password": lambda url: openai(
        url, http_client=httpx2.Client(auth=("ada", SECRET))
    ).invoke("x"),
    "client with cookies": lambda url: openai(
        url, http_client=httpx2.Client(cookies={"session": SECRET})
    ).invoke("x"),
    "client with a header": lambda url: openai(
        url, http_client=httpx2.Client(headers={"X-My-Token": SECRET})
    ).invoke("x"),
    "tool of a provider": lambda url: openai(url).invoke("x", tools=[MCP_TOOL]),
    "tool of a provider, bound": lambda url: openai(url).bind_tools([MCP_TOOL]).invoke("x"),
    "tool with a token": lambda url: openai(url, use_responses_api=True).invoke(
        "x", tools=[MCP_TOOL_WITH_TOKEN]
    ),
    "tool with a token, streamed": lambda url: list(
        openai(url, use_responses_api=True).bind_tools([MCP_TOOL_WITH_TOKEN]).stream("x")
    ),
    "servers of Anthropic": lambda url: anthropic(url, mcp_servers=[MCP_SERVER]).invoke("x"),
    "servers of a call to Anthropic": lambda url: anthropic(url).invoke(
        "x", mcp_servers=[MCP_SERVER]
    ),
    "data source": lambda url: openai(url).invoke("x", extra_body={"data_sources": [SEARCH]}),
    "text of a connection": lambda url: openai(url).invoke("x", extra_body=CONNECTION),
    "deep in a body": lambda url: openai(url, extra_body=deep({"api_key": SECRET}, 20)).invoke("x"),
    "metadata of a run": lambda url: openai(url).invoke("x", {"metadata": {"my_token": SECRET}}),
    "metadata of generate": lambda url: openai(url).generate(
        [["x"]], metadata={"my_token": SECRET}
    ),
    "config": lambda url: chosen().invoke("x", config(url)),
    "config, streamed": lambda url: list(chosen().stream("x", config(url))),
    "config, asynchronous": lambda url: asyncio.run(chosen().ainvoke("x", config(url))),
    "config of a batch": lambda url: chosen().batch(["x"], config(url)),
    "configs of a batch": lambda url: list(chosen().batch_as_completed(["x"], [config(url)])),
    "config of a log": lambda url: list(chosen().stream_log("x", config(url))),
    "config of events": lambda url: asyncio.run(
        gathered(chosen().astream_events("x", config(url)))
    ),
    "config of a sequence": lambda url: list(
        (RunnableLambda(str) | chosen()).stream("x", config(url))
    ),
    "config of branches": lambda url: RunnableParallel(a=chosen()).invoke("x", config(url)),
    "config that is bound": lambda url: chosen().with_config(config(url)).invoke("x"),
    "config of a schema": lambda url: (
        chosen().with_structured_output(dict).invoke("x", config(url))
    ),
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


def repeat() -> Script:
    """Repeat in a reply what of the request is a secret."""

    async def script(exchange: Exchange) -> AsyncIterator[bytes]:
        found = [*parts_of_credentials(exchange.headers), *parse_qs(exchange.path).values()]
        said = f"{found} {SECRET if SECRET in json.dumps(exchange.body) else ''}"
        choice = {"index": 0, "message": {"role": "assistant", "content": said}}
        reply = {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": said}],
        }
        body = {"model": "m", "choices": [choice], "stop_reason": "end_turn", **reply}
        yield head("200 OK", "application/json") + json.dumps(body).encode()

    return script


@pytest.mark.parametrize(
    "name",
    [
        "client with a password",
        "client with cookies",
        "cookies of a call",
        "name and password of a call",
        "token in the address",
        "code in the query",
        "servers of a call to Anthropic",
        "tool of a provider",
        "data source",
        "config",
    ],
)
def test_no_cassette_has_a_secret_that_a_reply_repeats(
    loopback: LoopbackServer, tmp_path: Path, name: str
) -> None:
    """However it went to the server."""
    loopback.plays(repeat())
    path = tmp_path / "calls.yaml"
    with Cassette(path, "record"):
        CALLS[name](loopback.base_url)
    assert SECRET not in path.read_text(encoding="utf-8")
    assert "***" in path.read_text(encoding="utf-8") or name == "config"
