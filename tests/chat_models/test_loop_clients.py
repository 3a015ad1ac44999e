from __future__ import annotations

import asyncio

from chatnb.chat_models.loop_clients import LoopClients


class Client:
    def __init__(self, closed: list[Client]) -> None:
        self._closed = closed

    async def close(self) -> None:
        self._closed.append(self)


def test_calls_at_once_share_the_client_of_their_loop() -> None:
    """Sixteen first calls on one event loop get one client, which ends with the loop."""
    closed: list[Client] = []
    clients = LoopClients[object, Client]()

    def make() -> Client:
        return Client(closed)

    async def ask() -> set[Client]:
        return set(await asyncio.gather(*(clients.of_this_loop(make) for _ in range(16))))

    (first,) = asyncio.run(ask())
    assert closed == [first]
    (second,) = asyncio.run(ask())
    assert closed == [first, second]
    assert second is not first
