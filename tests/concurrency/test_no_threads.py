"""chatnb where Python has no threads, as in a browser: everything runs on the one event loop.

The contract of Pyodide is faked: starting a thread fails, and nothing can block for the loop.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Coroutine, Iterator
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

import chatnb
from chatnb import AIMessageChunk, BaseChatModel, ScriptedChatModel
from chatnb.concurrency import waiting
from chatnb.errors import ConfigurationError
from chatnb.json_schemas import SchemaValidator
from chatnb.notebook import register
from chatnb.notebook.cell import outputs
from chatnb.notebook.cell.tools import asks_by
from chatnb.notebook.widgets import front_end
from chatnb.runnables import RunnableLambda
from tests.support.loopback import LoopbackServer, delta, event, head, saying


class Synchronous(BaseChatModel):
    """A chat model that is written without asyncio."""

    model_name = "synchronous"

    def _stream(self, messages: Any, **_: Any) -> Iterator[AIMessageChunk]:
        yield AIMessageChunk("one ")
        yield AIMessageChunk("two")


class Asynchronous(BaseChatModel):
    """A chat model that is written with asyncio alone."""

    model_name = "asynchronous"

    async def _astream(self, messages: Any, **_: Any) -> Any:
        await asyncio.sleep(0)
        yield AIMessageChunk("one two")


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python without threads."""

    def start(thread: threading.Thread) -> None:
        if not thread.name.startswith("chatnb"):  # As the loopback server's.
            return really_start(thread)
        raise RuntimeError("can't start new thread")

    really_start = threading.Thread.start

    monkeypatch.setattr(waiting, "_has_threads", False)
    monkeypatch.setattr(threading.Thread, "start", start)
    monkeypatch.setenv("CHATNB_STORE", ":memory:")
    ffi = SimpleNamespace(can_run_sync=lambda: False, run_sync=None)
    monkeypatch.setitem(sys.modules, "pyodide", SimpleNamespace(ffi=ffi))
    monkeypatch.setitem(sys.modules, "pyodide.ffi", ffi)


@pytest.mark.parametrize("model", [Synchronous(), Asynchronous(), ScriptedChatModel(["one two"])])
def test_models_are_awaited(model: BaseChatModel) -> None:
    """One reply, chunks, batches and the run log, however the model is written."""

    async def use() -> None:
        assert (await model.ainvoke("Hi")).text == "one two"
        assert "".join([chunk.text async for chunk in model.astream("Hi")]) == "one two"
        assert [m.text for m in await model.abatch(["a", "b"])] == ["one two"] * 2
        assert [patch async for patch in model.astream_log("Hi")]
        assert (await (RunnableLambda(str.upper) | model).ainvoke("Hi")).text == "one two"

    asyncio.run(use())


def test_batches_run_one_after_the_other() -> None:
    """Also without an event loop, where the model needs none."""
    assert [m.text for m in Synchronous().batch(["a", "b", "c"])] == ["one two"] * 3


def test_a_wait_that_cannot_end_says_what_to_do() -> None:
    """Instead of standing still for ever."""

    async def wait() -> None:
        with pytest.raises(ConfigurationError, match="ainvoke"):
            Asynchronous().invoke("Hi")

    asyncio.run(wait())


def test_a_browser_that_can_suspend_python_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event loop runs meanwhile, until it has brought what is waited for."""
    queue, turns = SimpleQueue[int](), list[int]()

    def run_sync(work: Coroutine[Any, Any, None]) -> None:
        work.close()
        turns.append(len(turns))
        if len(turns) == 3:
            queue.put(7)

    ffi = SimpleNamespace(can_run_sync=lambda: True, run_sync=run_sync)
    monkeypatch.setitem(sys.modules, "pyodide.ffi", ffi)
    assert waiting.take(queue, 5) == 7
    assert turns == [0, 1, 2]


def test_widgets_and_tools_work_without_threads() -> None:
    """`ask`, `compare`, a panel and a tool."""

    @chatnb.tool
    def double(number: int) -> int:
        """Double a number."""
        return 2 * number

    async def use() -> None:
        assert (await chatnb.ask("Hi", Synchronous())).text == "one two"
        both = await chatnb.compare("Hi", {"a": Synchronous(), "b": Asynchronous()})
        assert {message.text for message in both.values()} == {"one two"}
        assert (await chatnb.ChatPanel(Asynchronous()).ask("Hi")).text == "one two"
        assert await double.ainvoke({"number": 4}) == 8

    asyncio.run(use())


def test_chat_cells_are_awaited(
    bare_shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """`%%chat` is rewritten into an awaited call, so that the loop can run."""
    register(bare_shell)
    bare_shell.push({"m": Asynchronous()})

    async def run(cell: str) -> Any:
        return await bare_shell.run_cell_async(
            cell, transformed_cell=bare_shell.transform_cell(cell)
        )

    assert asyncio.run(run("%%chat -m m\nHi")).success
    assert capsys.readouterr().out.startswith("one two\n")


class JupyterLiteKernel:
    """A kernel that gets no message while a cell runs, and has one channel."""

    def get_parent(self) -> dict[str, Any]:
        return {"header": {}, "metadata": {"cellId": "c1"}}


def test_jupyterlite_is_known_without_an_answer(
    bare_shell: InteractiveShell,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A cell there is not waited for, is not printed beside its output, and has no Stop button,
    which could not reach it; tool calls are asked about in words."""
    register(bare_shell)
    monkeypatch.setattr(InteractiveShell, "_instance", bare_shell)
    monkeypatch.setattr(bare_shell, "kernel", JupyterLiteKernel(), raising=False)
    monkeypatch.setattr(outputs, "_ANSWER_SECONDS", 0.0)
    bare_shell.push({"m": Asynchronous()})
    published: list[Any] = []
    monkeypatch.setattr(bare_shell.display_pub, "publish", lambda data, **_: published.append(data))
    cell = bare_shell.transform_cell("%%chat -m m\nHi")
    with bare_shell.builtin_trap, bare_shell.display_trap:
        assert asyncio.run(bare_shell.run_cell_async(cell, transformed_cell=cell)).success
    assert capsys.readouterr().out == ""
    assert [data["text/plain"] for data in published][1:-1] == ["one two"]
    assert front_end.stops_with(awaited=False) == "nothing"
    assert asks_by(awaited=False) == "question"


def test_a_provider_is_called_over_http(loopback: LoopbackServer) -> None:
    """With the SDK's own client, and no files of certificates."""
    reply = saying(head(), delta("Hello"), delta(None, "stop"), event("[DONE]"))
    loopback.plays(reply)
    model = chatnb.ChatOpenAI("m", base_url=loopback.base_url, openai_api_key="k", max_retries=0)

    async def ask() -> str:
        return "".join([chunk.text async for chunk in model.astream("Hi")])

    assert asyncio.run(ask()) == "Hello"


@pytest.mark.parametrize("has_fast_validator", [True, False])
def test_json_is_validated_by_what_there_is(
    monkeypatch: pytest.MonkeyPatch, *, has_fast_validator: bool
) -> None:
    """jsonschema-rs is not made for browsers; jsonschema finds the same problems."""
    if not has_fast_validator:
        monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "number"}}}}
    validator = SchemaValidator({**schema, "required": ["b"]})
    found = validator.problems({"a": [1, "x"]})
    assert [problem.instance_path for problem in found] == [("a", 1), ()]
    assert "b" in found[1].message
    assert validator.problems({"a": [1], "b": 2}) == []
    with pytest.raises(ValueError, match="nonsense"):
        SchemaValidator({"type": "nonsense"}).problems(1)
