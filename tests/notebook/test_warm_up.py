"""The loading of modules and of the model in the background."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, SimpleNamespace

import pytest
from IPython.core.interactiveshell import InteractiveShell

from chatnb.chat_models import ChatOpenAI, ScriptedChatModel
from chatnb.notebook import warm_up
from chatnb.notebook.session import Session
from tests.support.loopback import LoopbackServer

GATE = """
import sys
gate = sys.modules["the_gate_of_the_test"]
gate.entered.set()
assert gate.opened.wait(60)
"""


class Prepared(ScriptedChatModel):
    """A model that knows whether it was prepared."""

    def __init__(self) -> None:
        super().__init__(["Fine."])
        self.prepared = threading.Event()

    async def aprepare(self) -> None:
        self.prepared.set()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A module that is loaded first, and takes as long as the test wants."""
    (tmp_path / "slow_module_of_the_test.py").write_text(GATE)
    made = SimpleNamespace(entered=threading.Event(), opened=threading.Event())
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "the_gate_of_the_test", made)  # type: ignore[arg-type]
    monkeypatch.setattr(warm_up, "_MODULES", ("slow_module_of_the_test",))
    yield made
    made.opened.set()
    sys.modules.pop("slow_module_of_the_test", None)


def warm_up_thread() -> threading.Thread | None:
    running = (each for each in threading.enumerate() if each.name == "chatnb-warm-up")
    return next(running, None)


def until(happened: object) -> None:
    assert callable(happened)
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_waiting() -> bool:
    """Return whether the thread waits for the end of a cell."""
    thread = warm_up_thread()
    frame: FrameType | None = sys._current_frames().get((thread and thread.ident) or 0)
    while frame is not None and frame.f_code.co_name != "_wait_until_idle":
        frame = frame.f_back
    return frame is not None


def test_it_takes_its_steps_between_cells(
    bare_shell: InteractiveShell, gate: SimpleNamespace
) -> None:
    """Nothing is loaded before the first cell has ended, nor a next thing while a cell runs."""
    session, model = Session(bare_shell), Prepared()
    session.defaults.model = model
    warm_up.start_warm_up(session)
    assert warm_up_thread() is None
    bare_shell.run_cell("first = 1")
    assert gate.entered.wait(60)

    def cell() -> bool:
        gate.opened.set()
        until(lambda: "slow_module_of_the_test" in sys.modules and is_waiting())
        return model.prepared.is_set()

    bare_shell.push({"cell": cell})
    bare_shell.run_cell("prepared = cell()")
    assert bare_shell.user_ns["prepared"] is False
    assert model.prepared.wait(60)
    until(lambda: warm_up_thread() is None)


@pytest.mark.parametrize(("name", "asked"), [("mine", []), ("number", [None])])
def test_the_default_model_is_loaded_if_it_will_answer(
    bare_shell: InteractiveShell,
    gate: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    asked: list[str | None],
) -> None:
    """It takes memory, which is not spent where the notebook has made a model of its own."""
    session, made = Session(bare_shell), list[str | None]()

    def model(name: str | None = None) -> ScriptedChatModel:
        made.append(name)
        raise LookupError("no model")  # Which only the first chat cell tells.

    monkeypatch.setattr(session, "model", model)
    bare_shell.push({name: ScriptedChatModel(["Fine."]) if name == "mine" else 1})
    gate.opened.set()
    warm_up.start_warm_up(session)
    bare_shell.run_cell("first = 1")
    assert gate.entered.wait(60)
    until(lambda: warm_up_thread() is None)
    assert made == asked


def test_a_variable_leaves_it_out(
    bare_shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CHATNB_WARM_UP=0 spends nothing before the first chat cell."""
    monkeypatch.setenv("CHATNB_WARM_UP", "0")
    warm_up.start_warm_up(Session(bare_shell))
    bare_shell.run_cell("first = 1")
    assert warm_up_thread() is None


@pytest.mark.anyio
async def test_nothing_is_sent_to_prepare_a_model(loopback: LoopbackServer) -> None:
    """The client of the event loop is made, and waits for the first call."""
    chat = ChatOpenAI(base_url=loopback.base_url, openai_api_key="k")
    assert await chat.aprepare() is await chat.aprepare()
    assert loopback.exchanges == []


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
