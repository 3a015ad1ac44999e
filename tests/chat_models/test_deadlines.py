"""Deadlines of whole calls: models, chains, batches and tool loops."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chatnb.chat_models import BaseChatModel, ScriptedChatModel
from chatnb.errors import BatchError, DeadlineExceededError, ModelTimeoutError
from chatnb.runnables import Runnable, RunnableLambda, RunnableParallel
from chatnb.schema import AIMessage
from chatnb.tools import ToolLoop
from tests.chat_models.contract.providers import PROVIDERS, Provider
from tests.support.loopback import Exchange, LoopbackServer, Script, head

SOON = 0.2
VERY_SOON: Any = {"deadline": 0.05}
WIRES = [each for each in PROVIDERS if each.name in ("openai", "openai-responses", "anthropic")]
each_wire = pytest.mark.parametrize("provider", WIRES, ids=lambda each: each.name)


def dripping(provider: Provider) -> Script:
    """Send text and comments without end, so that no wait between two bytes is long."""

    async def script(_: Exchange) -> AsyncIterator[bytes]:
        yield head() + provider.wire.start + provider.wire.text("partial")
        while True:
            await asyncio.sleep(0.01)
            yield b": still here\n\n"

    return script


def run(call: Any) -> Any:
    return asyncio.run(call) if asyncio.iscoroutine(call) else call


async def gather(chunks: Any) -> list[Any]:
    return [chunk async for chunk in chunks]


def late(call: Callable[[], Any], kept: str = "partial") -> DeadlineExceededError:
    """Return the error of a call, again while the machine is too slow for what it shall keep."""
    for _ in range(20):
        with pytest.raises(DeadlineExceededError) as caught:
            call()
        if getattr(caught.value, kept):
            return caught.value
    raise AssertionError("nothing was there in time")


Ask = Callable[..., Any]
STREAMS: dict[str, Ask] = {
    "stream": lambda chat, **given: list(chat.stream("Hi", **given)),
    "astream": lambda chat, **given: gather(chat.astream("Hi", **given)),
}
CALLS: dict[str, Ask] = {
    **STREAMS,
    "invoke": lambda chat, **given: chat.invoke("Hi", **given),
    "ainvoke": lambda chat, **given: chat.ainvoke("Hi", **given),
    "call": lambda chat, **given: chat("Hi", **given),
    "apredict": lambda chat, **given: chat.apredict("Hi", **given),
    "batch": lambda chat, **given: chat.batch(["Hi", "Ho"], **given),
    "abatch": lambda chat, **given: chat.abatch(["Hi", "Ho"], **given),
    "generate": lambda chat, **given: chat.generate([["Hi"]], **given),
    "agenerate": lambda chat, **given: chat.agenerate([["Hi"]], **given),
}
# Where a deadline is given.
WAYS: dict[str, Callable[[Provider, str, Ask], Any]] = {
    "call": lambda provider, url, ask: ask(provider.model(url), deadline=SOON),
    "config": lambda provider, url, ask: ask(provider.model(url), config={"deadline": SOON}),
    "bound": lambda provider, url, ask: ask(provider.model(url).bind(deadline=SOON)),
    "with_config": lambda provider, url, ask: ask(provider.model(url).with_config(deadline=SOON)),
    "model": lambda provider, url, ask: ask(provider.model(url, deadline=SOON)),
}


@pytest.mark.parametrize("ask", STREAMS.values(), ids=STREAMS)
@each_wire
def test_a_stream_that_never_ends_ends_at_its_deadline(
    loopback: LoopbackServer, provider: Provider, ask: Ask
) -> None:
    """With the partial reply, and a closed connection; there is no pause between bytes."""
    chat = provider.model(loopback.base_url)
    loopback.plays(provider.wire.reply("warm"), dripping(provider))
    run(ask(chat))
    error = late(lambda: run(ask(chat, deadline=SOON)))
    assert "deadline of 0.2 s" in str(error)
    assert error.partial is not None
    assert error.partial.text == "partial"
    assert all(exchange.closed.wait(60) for exchange in loopback.exchanges)


@pytest.mark.parametrize("way", WAYS)
def test_a_deadline_can_be_given_everywhere(loopback: LoopbackServer, way: str) -> None:
    """To a call, in its config, bound, or to the model."""
    loopback.plays(dripping(WIRES[0]))
    for ask in STREAMS.values():
        error = late(lambda ask=ask: run(WAYS[way](WIRES[0], loopback.base_url, ask)))
        assert isinstance(error, ModelTimeoutError)
        assert error.partial is not None


@pytest.mark.parametrize("ask", CALLS.values(), ids=CALLS)
def test_every_method_has_a_deadline_across_retries(loopback: LoopbackServer, ask: Ask) -> None:
    """The provider's retries, with their pauses, are within it."""
    loopback.plays(WIRES[0].wire.refusal("503 Busy", "busy", retry_after="20"))
    chat = WIRES[0].model(loopback.base_url, max_retries=5)
    started = time.monotonic()
    with pytest.raises(DeadlineExceededError):
        run(ask(chat, deadline=SOON))
    assert time.monotonic() - started < 10


class Sleepy(Runnable[str, str]):
    """Blocks, or waits, far longer than any deadline here."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def invoke(self, input: str, config: Any = None, **kwargs: Any) -> str:
        self.go_on.wait(30)
        return input

    async def ainvoke(self, input: str, config: Any = None, **kwargs: Any) -> str:
        await asyncio.sleep(30)
        return input


CHAINS: dict[str, Callable[[Sleepy], Runnable[Any, Any]]] = {
    "step": lambda sleepy: sleepy,
    "sequence": lambda sleepy: sleepy | str.upper,
    "parallel": lambda sleepy: RunnableParallel(a=sleepy, b=str.upper),
    "retry": lambda sleepy: sleepy.with_retry(),
    "fallbacks": lambda sleepy: sleepy.with_fallbacks([sleepy]),
    "function": lambda sleepy: RunnableLambda(sleepy.invoke),
    "loop": lambda sleepy: ToolLoop(_caller(), [_tool(sleepy)]),
}


def _caller() -> BaseChatModel:
    return ScriptedChatModel([AIMessage("", tool_calls=[{"name": "nap", "args": {}, "id": "c"}])])


def _tool(sleepy: Sleepy) -> Callable[[], str]:
    def nap() -> str:
        """Sleep."""
        return sleepy.invoke("")

    return nap


RUNS: dict[str, Callable[[Runnable[Any, Any]], Any]] = {
    "invoke": lambda chain: chain.invoke("a", VERY_SOON),
    "astream": lambda chain: asyncio.run(gather(chain.astream("a", VERY_SOON))),
    "ainvoke": lambda chain: asyncio.run(chain.ainvoke("a", VERY_SOON)),
    "stream": lambda chain: list(chain.stream("a", VERY_SOON)),
    "batch": lambda chain: chain.batch(["a", "b"], VERY_SOON),
    "abatch": lambda chain: asyncio.run(chain.abatch(["a", "b"], VERY_SOON)),
}
CASES = [(chain, way) for chain in CHAINS for way in ("invoke", "astream")]
CASES += [("sequence", way) for way in RUNS if way not in ("invoke", "astream")]


@pytest.mark.parametrize(("name", "way"), CASES)
def test_a_deadline_ends_whatever_a_chain_waits_for(name: str, way: str) -> None:
    """Blocking steps, waiting ones, and tools."""
    sleepy, started = Sleepy(), time.monotonic()
    with pytest.raises(DeadlineExceededError):
        RUNS[way](CHAINS[name](sleepy))
    assert time.monotonic() - started < 10
    sleepy.go_on.set()


def test_the_error_of_a_tool_loop_has_its_messages() -> None:
    """Those of the rounds before, as after any failure."""
    sleepy = Sleepy()
    error = late(lambda: CHAINS["loop"](sleepy).invoke("a", {"deadline": SOON}), "messages")
    assert [message.type for message in error.messages] == ["ai"]
    sleepy.go_on.set()


def test_a_batch_is_one_call() -> None:
    """Inputs that end in time are kept; the others fail, also those that were not started."""
    sleepy = Sleepy()
    work = RunnableLambda[str, str](lambda text: text if text == "a" else sleepy.invoke(text))
    config: Any = {"deadline": 2, "max_concurrency": 2}
    with ThreadPoolExecutor() as pool:
        returned, raised = (
            pool.submit(work.batch, [*"abcd"], config, return_exceptions=is_kept, progress=False)
            for is_kept in (True, False)
        )
        outputs = returned.result()
        with pytest.raises(BatchError) as caught:
            raised.result()
    assert outputs[0] == "a"
    assert [type(output) for output in outputs[1:]] == [DeadlineExceededError] * 3
    assert caught.value.results == {0: "a"}
    sleepy.go_on.set()


def test_a_bound_deadline_is_that_of_each_call() -> None:
    """A fallback has its own, and a call that is in time has no error."""
    sleepy = Sleepy()
    chain = sleepy.with_config(deadline=SOON).with_fallbacks([RunnableLambda(str.upper)])
    assert chain.invoke("a") == asyncio.run(chain.ainvoke("a")) == "A"
    assert RunnableLambda(str.upper).invoke("a", {"deadline": 60}) == "A"
    sleepy.go_on.set()


def test_partial_replies_of_models_without_a_wire() -> None:
    """They are what the stream has yielded."""
    chat = ScriptedChatModel([["a", "b", *["c"] * 100]], delay=0.05)
    for ask in STREAMS.values():
        error = late(lambda ask=ask: run(ask(chat, deadline=SOON)))
        assert error.partial is not None
        assert error.partial.text.startswith("a")


@pytest.mark.parametrize("longest", [float("inf"), 1e300, 10**400], ids=["inf", "float", "int"])
def test_a_deadline_may_be_as_long_as_numbers_are(longest: float) -> None:
    """It never comes, for calls on threads and in tasks alike."""
    for ask in STREAMS.values():
        assert run(ask(ScriptedChatModel(["a b"]), deadline=longest))


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), "5", True])
def test_a_deadline_is_a_number_of_seconds(wrong: Any) -> None:
    """Anything else is refused at once, wherever it is given."""
    for give in (
        lambda: ScriptedChatModel(["a"]).invoke("Hi", deadline=wrong),
        lambda: ScriptedChatModel(["a"]).with_config(deadline=wrong),
        lambda: WIRES[0].model("http://127.0.0.1:9", deadline=wrong),
    ):
        with pytest.raises(ValueError, match="deadline"):
            give()
