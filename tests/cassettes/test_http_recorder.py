"""HTTP of httpx's clients, recorded from a server on loopback and replayed without it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest

from chatnb.cassettes.cassette import Cassette, close_environment_cassettes
from chatnb.cassettes.http_recorder import HttpRecorder
from chatnb.cassettes.httpx_transports import record_httpx
from chatnb.cassettes.network import NetworkRefused
from chatnb.chat_models import ChatOpenAI
from chatnb.redaction import PLACEHOLDER_KEY
from tests.support.loopback import (
    LoopbackServer,
    delta,
    head,
    refusal,
    reset,
    saying,
    usage,
    whole,
)  # fmt: skip

KEY = "sk-loopback-0123456789abcdef"
NOWHERE = "http://127.0.0.1:1/v1"
STREAM = (head(), delta("Hel"), delta("lo.", "stop"), usage(1, 2))


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def client_module(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Return a function that lets a cassette answer for both modules in a mode."""
    undo = list[Callable[[], None]]()
    path = tmp_path / "calls.yaml"

    def start(mode: str, allowed: tuple[str, ...] = ()) -> Path:
        finish()
        monkeypatch.setattr("chatnb.cassettes.cassette._from_environment", {})
        monkeypatch.setenv("CHATNB_CASSETTE_MODE", mode)
        recorder = HttpRecorder(str(path), allowed)
        undo.extend(record_httpx(module, recorder) for module in (httpx, httpx2))
        return path

    def finish() -> None:
        close_environment_cassettes(prune=False)
        while undo:
            undo.pop()()

    yield start
    finish()


def post(module: Any, url: str, prompt: str = "Hi", **options: Any) -> Any:
    with module.Client() as client:
        return client.post(f"{url}/chat/completions", json={"prompt": prompt}, **options)


def streamed(module: Any, url: str, most: int = 100) -> list[str]:
    """Return the lines of a stream, which is closed after some of them."""
    lines = list[str]()
    with module.Client() as client, client.stream("POST", url, json={}) as response:
        for line in response.iter_lines():
            lines.append(line)
            if len(lines) == most:
                break
    return lines


async def astreamed(module: Any, url: str) -> list[str]:
    async with module.AsyncClient() as client, client.stream("POST", url, json={}) as response:
        return [line async for line in response.aiter_lines()]


def test_replies_are_replayed_without_the_server(
    client_module: Any, recording: Callable[..., Path], loopback: LoopbackServer
) -> None:
    """Equal requests get their replies in order, then the last one again."""
    recording("record")
    loopback.plays(whole("one"), whole("two"))
    said = [post(client_module, loopback.base_url).json() for _ in range(2)]
    recording("replay")
    again = [post(client_module, NOWHERE).json() for _ in range(3)]
    assert again == [*said, said[1]]
    assert said[0] != said[1]


def test_streams_are_replayed_as_streams(
    client_module: Any, recording: Callable[..., Path], loopback: LoopbackServer
) -> None:
    """Sync and async; of one that was closed early, as much as was read."""
    loopback.plays(saying(*STREAM))
    recording("record")
    lines = streamed(client_module, loopback.base_url)
    assert asyncio.run(astreamed(client_module, loopback.base_url + "/a")) == lines
    few = streamed(client_module, loopback.base_url + "/early", most=1)
    recording("replay")
    assert streamed(client_module, NOWHERE) == lines
    assert asyncio.run(astreamed(client_module, NOWHERE + "/a")) == lines
    assert streamed(client_module, NOWHERE + "/early", most=1) == few == lines[:1]


def test_a_recording_reads_a_stream_as_it_comes(
    client_module: Any, recording: Callable[..., Path], loopback: LoopbackServer
) -> None:
    """The first event is there before the server has sent the next one."""
    seen = threading.Event()

    async def script(_: Any) -> Any:
        yield head() + delta("first")
        assert await asyncio.to_thread(seen.wait, 60)
        yield delta("second")

    loopback.plays(script)
    recording("record")
    client = client_module.Client(timeout=60)
    with client, client.stream("POST", loopback.base_url, json={}) as response:
        for line in response.iter_lines():
            if "first" in line:
                seen.set()
    assert seen.is_set()


def test_what_breaks_off_is_not_recorded(
    client_module: Any, recording: Callable[..., Path], loopback: LoopbackServer
) -> None:
    """A replay would take a part for the whole."""
    loopback.plays(reset(head(content_length="1000"), delta("half")))
    path = recording("record")
    with pytest.raises(client_module.TransportError):
        streamed(client_module, loopback.base_url)
    assert not path.exists()


def test_refusals_are_replayed_with_their_status(
    client_module: Any, recording: Callable[..., Path], loopback: LoopbackServer
) -> None:
    """With the time to wait; other headers are not kept."""
    loopback.plays(refusal("429 Too Many", "Slower.", retry_after="7", x_request_id="req_1"))
    recording("record")
    post(client_module, loopback.base_url)
    recording("replay")
    reply = post(client_module, NOWHERE)
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "7")
    assert "x-request-id" not in reply.headers


def test_a_request_that_was_not_recorded_is_refused_with_the_nearest(
    client_module: Any, recording: Callable[..., Path], loopback: LoopbackServer
) -> None:
    """As no Exception, which SDKs would repeat and wrap."""
    loopback.plays(whole("one"))
    recording("record")
    post(client_module, loopback.base_url, "Name a colour.")
    recording("replay")
    with pytest.raises(NetworkRefused) as refused:
        post(client_module, loopback.base_url, "Name a city.")
    assert not isinstance(refused.value, Exception)
    assert "-   prompt: Name a colour." in str(refused.value)
    assert "+   prompt: Name a city." in str(refused.value)
    assert len(loopback.exchanges) == 1


@pytest.mark.parametrize(
    ("path", "body", "is_found"),
    [
        ("/chat/completions", {"model": "m", "messages": []}, True),
        ("/chat/completions", {"messages": []}, False),
        ("/messages", {"text": "Hi"}, False),
    ],
)
def test_a_model_is_found_at_another_address(
    recording: Callable[..., Path],
    loopback: LoopbackServer,
    path: str,
    body: dict[str, Any],
    is_found: bool,
) -> None:
    """As where it was recorded through a gateway, where clients ask for no usage of streams;
    other services have to stay where they were."""
    recording("record")
    loopback.plays(whole("Hello."))
    httpx.post(f"{loopback.base_url}{path}", json=body)
    recording("replay")
    address = f"https://api.example.com/models/v2{path}"
    if is_found:
        there = {**body, "stream_options": {"include_usage": True}}
        assert "Hello." in httpx.post(address, json=there).text
    else:
        with pytest.raises(NetworkRefused, match="has no reply to this request"):
            httpx.post(address, json=body)


def test_a_missing_cassette_is_told_at_the_request(
    client_module: Any, recording: Callable[..., Path]
) -> None:
    """With the way to record it."""
    recording("replay")
    with pytest.raises(NetworkRefused, match=r"There is no cassette .*calls.yaml to replay"):
        post(client_module, NOWHERE)


def test_no_secret_is_written(
    client_module: Any, recording: Callable[..., Path], loopback: LoopbackServer
) -> None:
    """Neither those of headers, addresses and the request, nor those that a reply repeats."""
    secrets = (KEY, "hunter2-hunter2", "t0p-s3cret-query")
    loopback.plays(whole(f"You said {' '.join(secrets)}."))
    path = recording("record")
    post(
        client_module,
        loopback.base_url,
        f"My key is {KEY}.",
        headers={"Authorization": f"Bearer {KEY}", "X-Api-Key": secrets[1]},
        params={"key": secrets[2]},
    )
    assert not [secret for secret in secrets if secret in path.read_text()]
    assert "You said *** *** ***." in path.read_text()


def test_a_key_is_wanted_at_the_first_call_that_is_made(
    client_module: Any, recording: Callable[..., Path], loopback: LoopbackServer
) -> None:
    """A placeholder goes to no other machine; the variable to set is named."""
    loopback.plays(whole("one"))
    headers = {"Authorization": f"Bearer {PLACEHOLDER_KEY}MISTRAL_API_KEY"}
    recording("record")
    post(client_module, loopback.base_url, headers=headers)
    for options in ({"headers": headers}, {"params": {"key": f"{PLACEHOLDER_KEY}MISTRAL_API_KEY"}}):
        with pytest.raises(NetworkRefused, match=r"variable MISTRAL_API_KEY:"):
            post(client_module, "https://api.example.invalid/v1", **options)
    recording("record")
    post(client_module, loopback.base_url, headers=headers)
    assert len(loopback.exchanges) == 1


def test_allowed_hosts_are_neither_recorded_nor_refused(
    client_module: Any, recording: Callable[..., Path], loopback: LoopbackServer
) -> None:
    """In any mode they are called."""
    loopback.plays(whole("one"))
    for mode in ("record", "replay"):
        path = recording(mode, ("localhost",))
        assert post(client_module, loopback.base_url).status_code == 200
        assert not path.exists()
    assert len(loopback.exchanges) == 2


def test_calls_of_chat_models_are_recorded_once(
    tmp_path: Path, recording: Callable[..., Path], loopback: LoopbackServer
) -> None:
    """By their own cassette, with their own pace, and not by the HTTP beneath."""
    chat = ChatOpenAI("m", api_key=KEY, base_url=loopback.base_url)
    loopback.plays(whole("a"), saying(*STREAM), whole("a"), saying(*STREAM))
    path = recording("record")

    async def asynchronously() -> list[str]:
        return [(await chat.ainvoke("3")).text, *[chunk.text async for chunk in chat.astream("4")]]

    with Cassette(tmp_path / "models.yaml", "record"):
        chat.invoke("1")
        assert "".join(chunk.text for chunk in chat.stream("2")) == "Hello."
        assert "".join(asyncio.run(asynchronously())) == "aHello."
    assert not path.exists()
    assert (tmp_path / "models.yaml").read_text().count("- request:") == 4
