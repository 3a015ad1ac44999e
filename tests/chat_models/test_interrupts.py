"""Interrupts of synchronous batches: the requests of other threads end with them."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from chatnb.chat_models import BaseChatModel
from chatnb.errors import BatchInterrupted
from chatnb.runnables import RunnableLambda, RunnableParallel
from tests.chat_models.contract.providers import PROVIDERS, Provider
from tests.support.hangs import wait_until
from tests.support.loopback import Exchange, LoopbackServer, Script, head

Call = Callable[[BaseChatModel], Any]
CALLS: dict[str, Call] = {
    "batch": lambda chat: chat.batch(["a", "b", "c"], progress=False),
    "generate": lambda chat: chat.generate([["a"], ["b"]], progress=False),
    "batch_as_completed": lambda chat: list(chat.batch_as_completed(["a", "b"], progress=False)),
    "map": lambda chat: chat.map().invoke(["a", "b"]),
    "parallel": lambda chat: RunnableParallel(a=chat, b=chat).invoke("a"),
    "parallel streams": lambda chat: list(RunnableParallel(a=chat, b=chat).stream("a")),
    "streams": lambda chat: RunnableLambda[str, Any](lambda text: list(chat.stream(text))).batch(
        ["a", "b"]
    ),
    "nested": lambda chat: RunnableParallel(a=chat.map(), b=chat.map()).batch([["a"], ["b"]]),
}
WIRES = [each for each in PROVIDERS if each.name in ("openai", "openai-responses", "anthropic")]


def open_ended(*pieces: bytes) -> Script:
    """Send these bytes, and then nothing until the other side hangs up."""

    async def script(_: Exchange) -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
        while True:
            await asyncio.sleep(0.005)
            yield b""

    return script


def interrupt_when(server: LoopbackServer, requests: int) -> None:
    """Send Ctrl-C to the main thread as soon as so many requests wait for their replies."""

    def work() -> None:
        wait_until(lambda: len(server.exchanges) == requests)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=work, daemon=True).start()


CASES = [(WIRES[0], name, name == "streams") for name in CALLS]
CASES += [(wire, "batch", begun) for wire in WIRES[1:] for begun in (False, True)]


@pytest.mark.parametrize(("provider", "name", "begun"), CASES)
def test_an_interrupt_closes_all_connections(
    loopback: LoopbackServer, provider: Provider, name: str, begun: bool
) -> None:
    """Servers that reply already are left like silent ones; and nothing is sent once more."""
    wire, total = provider.wire, {"batch": 3, "nested": 4}.get(name, 2)
    loopback.plays(open_ended(*([head(), wire.start, wire.text("a")] if begun else [])))
    interrupt_when(loopback, total)
    with pytest.raises(KeyboardInterrupt):
        CALLS[name](provider.model(loopback.base_url, max_retries=2))
    assert all(exchange.closed.wait(60) for exchange in loopback.exchanges)
    assert len(loopback.exchanges) == total


def test_a_failed_branch_closes_the_others(loopback: LoopbackServer) -> None:
    """As the asynchronous methods do."""
    loopback.plays(open_ended())

    def fail(_: str) -> None:
        wait_until(lambda: loopback.exchanges)
        raise ValueError("bad")

    chat = WIRES[0].model(loopback.base_url)
    with pytest.raises(ValueError, match="bad"):
        RunnableParallel[str](a=chat, b=fail).invoke("a")
    assert loopback.exchanges[0].closed.wait(60)


def test_a_cancelled_task_closes_the_requests_of_its_threads(loopback: LoopbackServer) -> None:
    """Of a blocking function that a chain runs on a thread."""
    loopback.plays(open_ended())
    ask = RunnableLambda[str, Any](WIRES[0].model(loopback.base_url).invoke)

    async def cancel() -> None:
        task = asyncio.create_task(ask.ainvoke("a"))
        await asyncio.to_thread(wait_until, lambda: loopback.exchanges)
        task.cancel()

    asyncio.run(cancel())
    assert loopback.exchanges[0].closed.wait(60)


@pytest.mark.parametrize("grace", [0.0, 60.0])
def test_a_grace_keeps_the_replies_that_come_within_it(
    loopback: LoopbackServer, tmp_path: Path, grace: float
) -> None:
    """With `checkpoint_grace` an interrupted batch waits for calls under way, and no longer."""
    go_on = threading.Event()

    async def late(exchange: Exchange) -> AsyncIterator[bytes]:
        while not go_on.is_set():
            await asyncio.sleep(0.005)
            yield b""
        async for piece in WIRES[0].wire.whole_reply("late")(exchange):
            yield piece

    loopback.plays(late)
    chat, file = WIRES[0].model(loopback.base_url), tmp_path / "batch.db"
    interrupt_when(loopback, 2)

    def reply_after_the_interrupt() -> None:
        wait_until(lambda: len(loopback.exchanges) == 2)
        threading.Event().wait(0.05)
        go_on.set()

    if grace:
        threading.Thread(target=reply_after_the_interrupt, daemon=True).start()
    with pytest.raises(BatchInterrupted) as caught:
        chat.batch(
            ["a", "b", "c"],
            {"max_concurrency": 2},
            checkpoint=file,
            checkpoint_grace=grace,
            progress=False,
        )
    kept = 2 if grace else 0
    assert [len(caught.value.results), len(loopback.exchanges)] == [kept, 2]
    go_on.set()
    loopback.plays(WIRES[0].wire.whole_reply("new"))
    texts = [reply.text for reply in chat.batch(["a", "b", "c"], checkpoint=file)]
    assert sorted(texts) == sorted(["late"] * kept + ["new"] * (3 - kept))


def test_a_cancelled_batch_has_its_grace_too(loopback: LoopbackServer, tmp_path: Path) -> None:
    """As the synchronous one; and a grace without a checkpoint is refused."""
    release = threading.Event()

    async def late(exchange: Exchange) -> AsyncIterator[bytes]:
        await asyncio.to_thread(release.wait, 60)
        async for piece in WIRES[0].wire.whole_reply("late")(exchange):
            yield piece

    loopback.plays(late)
    chat = WIRES[0].model(loopback.base_url)

    async def cancel() -> asyncio.CancelledError:
        batch = chat.abatch(["a"], checkpoint=tmp_path / "a.db", checkpoint_grace=60)
        task = asyncio.create_task(batch)
        await asyncio.to_thread(wait_until, lambda: loopback.exchanges)
        task.cancel()
        await asyncio.sleep(0)
        release.set()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        return caught.value

    assert [reply.text for reply in vars(asyncio.run(cancel()))["results"].values()] == ["late"]
    with pytest.raises(ValueError, match="checkpoint="):
        chat.batch(["a"], checkpoint_grace=1)
