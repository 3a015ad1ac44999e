"""Calls over HTTPS, as all providers on the internet have them, to a server on loopback."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from chatnb.chat_models import ChatOpenAI
from chatnb.errors import DeadlineExceededError, ModelConnectionError
from tests.support.loopback import LoopbackServer, delta, endless, event, head, saying

REPLY = saying(head(), delta("Hel"), delta("lo.", "stop"), event("[DONE]"))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An authority that this machine does not trust."""
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The authority in SSL_CERT_FILE, as in many companies."""
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))


@pytest.fixture
def server(authority: trustme.CA) -> Iterator[LoopbackServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = LoopbackServer(context)
    yield server
    server.close()


def chat_at(server: LoopbackServer) -> ChatOpenAI:
    return ChatOpenAI("m", api_key="sk-for-loopback", base_url=server.base_url, max_retries=0)


def streamed(chat: ChatOpenAI) -> str:
    return "".join(chunk.text for chunk in chat.stream("Hi"))


def invoked(chat: ChatOpenAI) -> str:
    return asyncio.run(chat.ainvoke("Hi")).text


def astreamed(chat: ChatOpenAI) -> str:
    async def text() -> str:
        return "".join([chunk.text async for chunk in chat.astream("Hi")])

    return asyncio.run(text())


asks = pytest.mark.parametrize("ask", [streamed, invoked, astreamed])


@asks
@pytest.mark.usefixtures("trusted")
def test_a_reply_comes_over_https(server: LoopbackServer, ask: Callable[[ChatOpenAI], str]) -> None:
    """The certificate of the server is signed by an authority in SSL_CERT_FILE."""
    server.plays(REPLY)
    assert ask(chat_at(server)) == "Hello."


@asks
def test_a_certificate_that_is_not_trusted_is_refused(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, ask: Callable[[ChatOpenAI], str]
) -> None:
    """The error says so, and what to do where a company's proxy signs; no request is sent."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    server.plays(REPLY)
    with pytest.raises(ModelConnectionError, match=r"not trusted: unable to get .*SSL_CERT_FILE"):
        ask(chat_at(server))
    assert server.exchanges == []


@asks
@pytest.mark.usefixtures("trusted")
def test_a_deadline_ends_a_connection_over_https(
    server: LoopbackServer, ask: Callable[[ChatOpenAI], str]
) -> None:
    """A thread that reads from it does not wait on, and the server sees that it is closed."""
    server.plays(endless())
    chat = chat_at(server)
    chat.deadline = 0.3
    with pytest.raises(DeadlineExceededError):
        ask(chat)
    assert server.exchanges[0].closed.wait(60)
