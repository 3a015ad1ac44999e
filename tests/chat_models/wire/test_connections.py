from __future__ import annotations

import socket
from contextlib import closing
from typing import Any

import httpx2

from chatnb.chat_models.wire.connections import track_connections
from tests.support.call_counting import calls_during


def test_a_connection_that_the_server_closed_is_seen_each_time_and_cheaply() -> None:
    """A pool, which looks at its idle connections for every request, finds those that ended."""
    with httpx2.Client() as client, socket.create_server(("127.0.0.1", 0)) as server:
        track_connections(client)
        transport: Any = client._transport
        connection = transport._pool._network_backend.connect_tcp(*server.getsockname())
        theirs, _ = server.accept()
        with closing(connection), closing(theirs):
            assert not connection.get_extra_info("is_readable")
            looks = calls_during(lambda: connection.get_extra_info("is_readable"))
            assert "is_socket_readable" not in looks
            theirs.close()
            assert connection.get_extra_info("is_readable")
            connection.close()
            assert connection.get_extra_info("is_readable")
