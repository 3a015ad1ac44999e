"""Errors of connections: which server it was, and how far the call came."""

from __future__ import annotations

import httpx2
import pytest

from chatnb.chat_models import ChatOpenAI
from chatnb.errors import ModelConnectionError, ModelError, ModelTimeoutError


def failing(error: httpx2.HTTPError, base_url: str = "https://api.test/v1") -> ChatOpenAI:
    """A model whose client raises an error instead of sending a request."""

    def fail(request: httpx2.Request) -> httpx2.Response:
        raise error

    client = httpx2.Client(transport=httpx2.MockTransport(fail))
    return ChatOpenAI("m", base_url=base_url, api_key="k", max_retries=0, http_client=client)


@pytest.mark.parametrize(
    ("server", "is_local"),
    [
        ("http://localhost", True),
        ("http://ada.local:8000", True),
        ("http://ada.localhost", True),
        ("http://host.docker.internal:1", True),
        ("http://10.0.0.1", True),
        ("http://[::1]:9", True),
        ("https://8.8.8.8", False),
        ("https://[2606:4700::1]", False),
        ("https://api.test:8443", False),
        ("http://localhost.test", False),
    ],
)
def test_a_server_that_is_not_there_is_named(server: str, is_local: bool) -> None:
    """Without the path; of one that the user may have to start, the error asks whether it runs."""
    asked = "Is it running? " if is_local else ""
    with pytest.raises(ModelConnectionError) as raised:
        failing(httpx2.ConnectError("no"), f"{server}/v1").invoke("Hi")
    assert str(raised.value) == (
        f"{server} could not be reached. {asked}Check the network and base_url."
    )


BROKEN = (
    "https://api.test was reached, but the connection broke off before the whole reply came. "
    "Run it again; the provider may charge for this attempt, too."
)
LATE = "The model did not answer in time. Try again, or give timeout= more seconds."
AWAY = "https://api.test could not be reached. Check the network and base_url."


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        *(
            (name, ModelConnectionError, BROKEN)
            for name in ("ReadError", "WriteError", "CloseError", "RemoteProtocolError")
        ),
        *(
            (name, ModelConnectionError, BROKEN)
            for name in ("LocalProtocolError", "DecodingError", "TooManyRedirects")
        ),
        *(
            (name, ModelTimeoutError, LATE)
            for name in ("ConnectTimeout", "ReadTimeout", "WriteTimeout", "PoolTimeout")
        ),
        *(
            (name, ModelConnectionError, AWAY)
            for name in ("ConnectError", "ProxyError", "UnsupportedProtocol")
        ),
    ],
)
def test_an_error_says_how_far_a_call_came(name: str, error: type[ModelError], text: str) -> None:
    """A provider may charge for a call that reached it."""
    with pytest.raises(ModelError) as raised:
        failing(getattr(httpx2, name)("no")).invoke("Hi")
    assert isinstance(raised.value, error)
    assert str(raised.value) == text
