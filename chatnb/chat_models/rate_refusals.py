"""Clients of an SDK that tell a batch at once when a provider refuses a call for its rate.

The SDK waits and tries that one call again; the other calls of the batch are to wait meanwhile.
"""

from __future__ import annotations

import weakref
from typing import Any

from chatnb.chat_models.openai_errors import seconds_to_wait
from chatnb.runnables.pacing import slow_down

_TOO_MANY_REQUESTS = 429


def sdk_client(sdk: Any, kind: Any, **connection: Any) -> Any:
    """Make a client for synchronous calls.

    Args:
        sdk: The SDK's module.
        kind: The class of the client.
        **connection: What it takes.
    """
    http = sdk.DefaultHttpxClient(event_hooks={"response": [_heed]})
    client = kind(**connection, http_client=http)
    weakref.finalize(client, http.close)
    return client


def async_sdk_client(sdk: Any, kind: Any, **connection: Any) -> Any:
    """Make a client for asynchronous calls; like `sdk_client`."""
    http = sdk.DefaultAsyncHttpxClient(event_hooks={"response": [_aheed]})
    return kind(**connection, http_client=http)


def _heed(response: Any) -> None:
    if response.status_code == _TOO_MANY_REQUESTS:
        slow_down(seconds_to_wait(response.headers))


async def _aheed(response: Any) -> None:
    _heed(response)
