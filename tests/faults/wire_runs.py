"""Faults of the wire x providers x methods, judged by what comes of a call."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psutil

from chatnb.chat_models import BaseChatModel
from chatnb.errors import ModelError
from tests.chat_models.contract.providers import KEY, PROVIDERS
from tests.faults.wire_faults import TEXT, Fault, wire_faults
from tests.support.hangs import ends
from tests.support.loopback import LoopbackServer

CLIENTS = ("openai", "openai-responses", "anthropic")
# A call that takes so long hangs.
CALL_SECONDS = 60
TIMEOUTS = (30, 0.3)


class Result(NamedTuple):
    """The end of a call: its text or its error, and the text that came before the error."""

    text: str | None
    error: BaseException | None
    streamed: str | None = None


def _invoke(model: BaseChatModel, _: asyncio.Runner) -> Result:
    return _ended(lambda _: model.invoke("Hi").text)


def _stream(model: BaseChatModel, _: asyncio.Runner) -> Result:
    def collect(texts: list[str]) -> str:
        for chunk in model.stream("Hi"):
            texts.append(chunk.text)
        return "".join(texts)

    return _ended(collect, streams=True)


def _stream_log(model: BaseChatModel, _: asyncio.Runner) -> Result:
    def collect(texts: list[str]) -> str:
        for patch in model.stream_log("Hi"):
            for op in patch.ops:
                if op["path"] == "/streamed_output/-":
                    texts.append(op["value"].text)
        return "".join(texts)

    return _ended(collect, streams=True)


def _ainvoke(model: BaseChatModel, runner: asyncio.Runner) -> Result:
    async def call(_: list[str]) -> str:
        return (await model.ainvoke("Hi")).text

    return _ended(lambda texts: _run(runner, call(texts)))


def _astream(model: BaseChatModel, runner: asyncio.Runner) -> Result:
    async def collect(texts: list[str]) -> str:
        async for chunk in model.astream("Hi"):
            texts.append(chunk.text)
        return "".join(texts)

    return _ended(lambda texts: _run(runner, collect(texts)), streams=True)


METHODS: dict[str, Callable[[BaseChatModel, asyncio.Runner], Result]] = {
    "invoke": _invoke,
    "ainvoke": _ainvoke,
    "stream": _stream,
    "astream": _astream,
    "stream_log": _stream_log,
}
STREAMING = ("stream", "astream", "stream_log")


def _ended(call: Callable[[list[str]], str], *, streams: bool = False) -> Result:
    texts = list[str]()
    try:
        return Result(call(texts), None)
    except BaseException as error:
        return Result(None, error, "".join(texts) if streams else None)


def _run(runner: asyncio.Runner, call: Coroutine[Any, Any, str]) -> str:
    """Run a coroutine on the loop of all calls; what the loop complains of is an error."""
    complaints = list[str]()
    runner.get_loop().set_exception_handler(lambda _, context: complaints.append(str(context)))
    text = runner.run(call)
    assert not complaints, complaints
    return text


@dataclass
class WireRuns:
    """Runs of calls against a server that misbehaves.

    Attributes:
        outcomes: How many calls ended with the reply, and with each error.
        faults: How many faults there were, of all wire formats.
        failures: A line for each call that ended wrongly.
    """

    outcomes: Counter[str] = field(default_factory=Counter[str])
    faults: int = 0
    failures: list[str] = field(default_factory=list[str])
    # A loop for each call would make a client for each call, which takes longer than the call.
    _runner: asyncio.Runner = field(default_factory=asyncio.Runner)

    @property
    def calls(self) -> int:
        """The number of calls."""
        return self.outcomes.total()

    def run(self, share: float = 1, seed: int = 1) -> WireRuns:
        """Try a share of all calls, chosen by the seed, and look at what is left afterwards."""
        chance, before = random.Random(seed), set(threading.enumerate())
        server = LoopbackServer()
        try:
            for provider in (provider for provider in PROVIDERS if provider.name in CLIENTS):
                faults = wire_faults(provider.wire)
                self.faults += len(faults)
                patient, impatient = (provider.model(server.base_url, timeout=t) for t in TIMEOUTS)
                for fault in faults:
                    model = impatient if fault.stalls else patient
                    for method in STREAMING if fault.is_stream else METHODS:
                        if chance.random() < share:
                            server.plays(fault.script)
                            self._try(server, provider.name, fault, model, method)
        finally:
            self._runner.close()
            server.close()
        gc.collect()
        left = _threads(before)
        self._check(f"threads are left: {left}", not left)
        connections = [c for c in psutil.Process().net_connections() if c.status == "ESTABLISHED"]
        port = int(server.base_url.rpartition(":")[2].split("/")[0])
        is_open = any(c.raddr and c.raddr.port == port for c in connections)
        self._check("connections are left", not is_open)
        return self

    def _try(
        self,
        server: LoopbackServer,
        provider: str,
        fault: Fault,
        model: BaseChatModel,
        method: str,
    ) -> None:
        try:
            result = ends(lambda: METHODS[method](model, self._runner), CALL_SECONDS)
        except TimeoutError:
            self.outcomes["hang"] += 1
            problem = "it hangs"
        else:
            self.outcomes[type(result.error).__name__ if result.error else "reply"] += 1
            problem = _problem(fault, result)
        if not problem and not all(exchange.closed.wait(60) for exchange in server.exchanges):
            problem = "the connection is open"
        if problem:
            self.failures.append(f"{provider} {method}, {fault.name}: {problem}")

    def _check(self, problem: str, is_right: bool) -> None:
        if not is_right:
            self.failures.append(problem)


def _threads(before: set[threading.Thread]) -> list[str]:
    """Return the new threads besides those that event loops and the package keep."""
    names = (thread.name for thread in threading.enumerate() if thread not in before)
    return [name for name in names if not name.startswith(("MainThread", "asyncio", "chatnb"))]


def _problem(fault: Fault, result: Result) -> str:
    """Return what is wrong with the end of a call; nothing if it is right."""
    error = result.error
    if error is None:
        if fault.outcome == "error":
            return f"a broken reply passes as good: {result.text!r:.60}"
        # Half a surrogate pair stays what it is until a text is written.
        text = (result.text or "").encode(errors="replace").decode().replace("?", "\ufffd")
        return "" if text == fault.text else f"a wrong text: {result.text!r:.60}"
    if not isinstance(error, ModelError):
        return f"a raw error: {error!r:.100}"
    if fault.outcome == "reply":
        return f"no reply: {error!r:.200}"
    shown = "".join(traceback.format_exception(error))
    if KEY in shown or KEY in repr(vars(error)):
        return "the key is shown"
    partial = error.partial.text if error.partial else ""
    if not fault.text.startswith(partial) and not TEXT.startswith(partial):
        return f"a wrong partial: {partial!r:.60}"
    if result.streamed is not None and partial != result.streamed:
        return f"streamed {result.streamed!r:.60}, and the partial is {partial!r:.60}"
    return ""
