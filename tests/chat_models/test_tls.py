"""Calls over HTTPS, as all providers on the internet have them, to a server on loopback."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chatnb.chat_models import ChatOpenAI
from chatnb.errors import DeadlineExceededError, ModelConnectionError
from tests.support.loopback import LoopbackServer, delta, endless, event, head, saying

REPLY = saying(head(), delta("Hel"), delta("lo.", "stop"), event("[DONE]"))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that nobody else has signed, with its key."""
    pytest.importorskip("cryptography")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "loopback.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + signed.public_bytes(pem))
    return path


@pytest.fixture
def server(certificate: Path) -> Iterator[LoopbackServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
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
def test_a_reply_comes_over_https(
    server: LoopbackServer,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    ask: Callable[[ChatOpenAI], str],
) -> None:
    """From a server whose certificate SSL_CERT_FILE has, as in many companies."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server.plays(REPLY)
    assert ask(chat_at(server)) == "Hello."


@asks
def test_a_certificate_that_is_not_trusted_is_refused(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, ask: Callable[[ChatOpenAI], str]
) -> None:
    """The error says so, and what to do where a company's proxy signs; no request is sent."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    server.plays(REPLY)
    with pytest.raises(ModelConnectionError, match=r"not trusted: self.signed .*SSL_CERT_FILE"):
        ask(chat_at(server))
    assert server.exchanges == []


@asks
def test_a_deadline_ends_a_connection_over_https(
    server: LoopbackServer,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    ask: Callable[[ChatOpenAI], str],
) -> None:
    """A thread that reads from it does not wait on, and the server sees that it is closed."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server.plays(endless())
    chat = chat_at(server)
    chat.deadline = 0.3
    with pytest.raises(DeadlineExceededError):
        ask(chat)
    assert server.exchanges[0].closed.wait(60)
