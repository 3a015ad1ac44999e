"""Panels, trees and tables as widgets among others: containers, traits, closing."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
import types
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import anywidget
import comm
import ipywidgets
import pytest
import traitlets
from comm.base_comm import BaseComm

from chatnb import (
    ChatPanel,
    RunLog,
    RunLogTree,
    ScriptedChatModel,
    UsageTable,
    ask,
    compare,
)
from chatnb.notebook.widgets import front_end
from chatnb.notebook.widgets.base import MountedWidget
from chatnb.notebook.widgets.mounting import WIDGET_VIEW
from chatnb.schema.model_call import ModelCall
from tests.support.run_logs import story

CALLS = [ModelCall("m", prompt="Hi"), ModelCall("n", prompt="Hey")]
WIDGETS: dict[str, Callable[[], MountedWidget]] = {
    "panel": lambda: ChatPanel("scripted:Hello."),
    "tree": lambda: RunLogTree(RunLog(*story().patches)),
    "table": lambda: UsageTable(CALLS),
}
SECONDS = 30


def failed_panel() -> ChatPanel:
    def fail(messages: Any) -> Iterator[str]:
        yield "Half"
        raise ValueError("gone")

    panel = ChatPanel(fail)
    with pytest.raises(ValueError, match="gone"):
        panel.ask("Hi").result(SECONDS)
    return panel


def endless() -> ScriptedChatModel:
    return ScriptedChatModel([["word "] * 100_000], delay=0.01)


def busy_panel() -> ChatPanel:
    panel = ChatPanel(endless(), name="busy")
    panel.ask("Hi")
    return panel


IN_EVERY_STATE: dict[str, Callable[[], MountedWidget]] = {
    **WIDGETS,
    "failed panel": failed_panel,
    "busy panel": busy_panel,
    "busy tree": lambda: RunLogTree(endless().astream_log("Hi")),
    "1,000 rows": lambda: UsageTable([ModelCall("m", prompt=f"Row {n}") for n in range(1000)]),
    "reply": lambda: ask("Hi", "scripted:Hello."),
    "busy reply": lambda: ask("Hi", endless()),
    "comparison": lambda: compare("Hi", ["scripted:One.", endless()]),
}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """The messages that comms send: the type and the data of each."""
    messages: list[tuple[str, dict[str, Any]]] = []

    class Comm(BaseComm):
        def publish_msg(self, msg_type: str, data: Any = None, *_: Any, **__: Any) -> None:
            messages.append((msg_type, data))

    monkeypatch.setattr(comm, "create_comm", Comm)
    return messages


@pytest.fixture(params=WIDGETS)
def widget(request: pytest.FixtureRequest, sent: object) -> Iterator[MountedWidget]:
    made = WIDGETS[request.param]()
    yield made
    made.close()


def until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_they_are_anywidgets_that_open_when_they_are_shown(
    widget: MountedWidget, sent: list[tuple[str, dict[str, Any]]]
) -> None:
    """Making one sends nothing; a container opens it once, with its source and no default of
    anywidget's, and it can be in several."""
    assert isinstance(widget, anywidget.AnyWidget)
    assert sent == []
    tab = ipywidgets.Tab([ipywidgets.VBox([widget]), ipywidgets.Accordion([widget])])
    opened = [data["state"] for kind, data in sent if kind == "comm_open"]
    [state] = [state for state in opened if "mount_point" in state]
    assert "defineWidget" in state["_esm"] or "render" in state["_esm"]
    assert state["_css"]
    tab.close()


def is_idle(widget: MountedWidget) -> bool:
    return not getattr(widget, "busy", False)


@pytest.mark.slow
@pytest.mark.parametrize("state", IN_EVERY_STATE)
def test_a_closed_widget_is_collected_and_can_be_shown_again(
    state: str, sent: list[tuple[str, dict[str, Any]]]
) -> None:
    """Close stops what runs, sends the end of the comm and keeps nothing alive, neither a container
    nor an observer; who shows it again opens it, and its static form is there all the time."""
    widget = IN_EVERY_STATE[state]()
    widget.observe(lambda change: None)
    tab = ipywidgets.Tab([ipywidgets.Accordion([widget])])
    first = widget.model_id
    widget.close()
    assert "comm_close" in [kind for kind, _ in sent]
    assert "_esm" not in str(widget.static_mimebundle())
    until(partial(is_idle, widget))
    assert widget.model_id != first
    widget.close()
    for container in (tab.children[0], tab):
        container.close()
    ref = weakref.ref(widget)
    del widget, tab, container
    until(lambda: gc.collect() is None or ref() is None)


def test_one_that_was_never_shown_is_collected(sent: object) -> None:
    """Without a comm nothing keeps a widget alive."""
    refs = [weakref.ref(make()) for make in WIDGETS.values()]
    until(lambda: gc.collect() is None or not any(ref() for ref in refs))


def test_the_traits_of_a_panel_follow_its_conversation(sent: object) -> None:
    """Observers hear of messages, of the reply and of its end, also while nobody looks, and may
    block or ask; a widget that is linked shows the reply."""
    panel = ChatPanel("scripted:Hello.")
    area = ipywidgets.Textarea()
    ipywidgets.dlink((panel, "value"), (area, "value"))
    changes: list[tuple[str, Any]] = []
    asked = threading.Event()

    def on_change(change: Any) -> None:
        changes.append((change.name, change.new))
        if change.name == "messages" and len(change.new) == 2 and not asked.is_set():
            asked.set()
            panel.ask("And?").result(SECONDS)

    panel.observe(on_change, ["messages", "busy", "value"])
    assert (panel.messages, panel.busy, panel.value, panel.model) == (
        [],
        False,
        "",
        "scripted:Hello.",
    )
    panel.ask("Hi")
    until(lambda: len(panel.messages) == 4 and dict(changes).get("messages") == panel.messages)
    until(lambda: dict(changes).get("busy") is False)
    assert dict(changes)["value"] == area.value == "Hello."
    with pytest.raises(traitlets.TraitError, match="read-only"):
        panel.messages = []


def test_the_model_of_a_panel_can_be_linked_to_a_choice(sent: object) -> None:
    """Setting the trait chooses the model that replies, and a model that does not exist is an
    error that leaves all as it was."""
    panel = ChatPanel("scripted:One.")
    choice = ipywidgets.Dropdown(options=["scripted:One.", "scripted:Two."])
    ipywidgets.link((choice, "value"), (panel, "model"))
    choice.value = "scripted:Two."
    assert panel.ask("Hi").result(SECONDS).text == "Two."
    with pytest.raises(Exception, match="nowhere"):
        panel.model = "nowhere:at-all"
    assert panel.model == "scripted:Two."


def test_handlers_of_a_class_are_told(sent: object) -> None:
    """A subclass observes a computed trait by traitlets' decorator."""
    heard = list[str]()

    class Listening(ChatPanel):
        @traitlets.observe("value")
        def hear(self, change: Any) -> None:
            heard.append(change.new)

    panel = Listening("scripted:Hello.")
    panel.open()
    panel.ask("Hi").result()
    until(lambda: "Hello." in heard)
    panel.close()


def test_an_observer_that_fails_is_shown_in_the_panel(sent: object) -> None:
    """The reply goes on, and the error stands above the composer."""
    panel = ChatPanel("scripted:Hello.")
    panel.observe(lambda _: 1 / 0, "value")
    assert panel.ask("Hi").result(SECONDS).text == "Hello."
    controller = panel._controller
    until(lambda: "ZeroDivisionError" in (controller.updates.state["error"] or ""))


def test_rows_that_are_selected_are_calls(sent: object) -> None:
    """`value` has the calls of the selected rows; rows that do not exist are left out."""
    table = UsageTable(CALLS)
    changes: list[Any] = []
    table.observe(lambda change: changes.append(change.new), "value")
    table.selected = [1, 7, -1]
    assert changes == [table.value] == [[CALLS[1]]]


def test_a_tree_tells_of_its_end(sent: object) -> None:
    """`busy` turns when the run has ended, by when `value` is its final output."""
    go = threading.Event()

    async def patches() -> Any:
        for number, patch in enumerate(story().patches):
            while number == 3 and not go.is_set():  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            yield patch

    tree = RunLogTree(patches())
    ended: list[Any] = []
    tree.observe(lambda change: ended.append((change.new, tree.value)), "busy")
    assert tree.busy
    assert tree.value is None
    go.set()
    until(lambda: ended)
    assert ended == [(False, tree.log.state["final_output"])]
    tree.patch, tree.selected = 3, "RunnableSequence"


def test_a_tree_may_be_shown_again_as_its_run_ends(
    sent: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end, on another thread, updates all outputs, and fails for none that comes meanwhile."""
    monkeypatch.setattr(front_end, "current_kernel", lambda: NotebookKernel())
    updating, shown = threading.Event(), threading.Event()

    class Gated(RunLogTree):
        def static_mimebundle(self, mount: str = "") -> Any:
            if threading.current_thread() is threading.main_thread():
                shown.set()
            else:
                updating.set()
                shown.wait(0.3)
            return super().static_mimebundle(mount)

    tree = Gated.of_turn(lambda: None)
    tree.publish()
    shown.clear()
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(tree.end)
        assert updating.wait(SECONDS)
        tree.publish()
        ended.result(SECONDS)
    tree.close()


@pytest.mark.parametrize("view", [*front_end.VIEWS, None])
def test_the_environment_says_who_watches(
    view: str | None, widget: MountedWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`CHATNB_VIEW` holds over what the front end tells; static outputs open no comm."""
    monkeypatch.setattr(front_end, "current_kernel", lambda: NotebookKernel())
    if view:
        monkeypatch.setenv("CHATNB_VIEW", view)
    data: Any = widget._repr_mimebundle_()
    assert (widget.comm is not None) == (view in ("live", None))
    assert (
        set(data) == {"text/plain"} if view == "text" else {"text/plain", "text/html"} <= set(data)
    )
    assert ("data-chatnb-mount" in str(data)) == (view in ("live", None))
    assert WIDGET_VIEW not in data


def test_colab_gets_its_widget_manager(
    widget: MountedWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outputs there are frames of their own: the widget is in the output beside its static form,
    whose page looks for nothing, and its metadata names the manager that loads it."""
    colab: Any = types.ModuleType("google.colab.output")
    colab._widgets = types.SimpleNamespace(_installed_url="https://colab.test/manager.js")
    colab.enable_custom_widget_manager = lambda: None
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setitem(sys.modules, "google.colab.output", colab)
    monkeypatch.setattr(front_end, "current_kernel", lambda: NotebookKernel())
    data: Any
    data, metadata = widget._repr_mimebundle_()  # type: ignore[misc]
    assert data[WIDGET_VIEW]["model_id"] == widget.model_id
    assert "data-chatnb-mount" not in data["text/html"]
    assert metadata[WIDGET_VIEW]["colab"]["custom_widget_manager"]["url"].startswith("https://")
    assert front_end.is_page_known()


@pytest.mark.parametrize("awaits", [False, True])
@pytest.mark.parametrize("served", [False, True])
def test_a_kernel_that_hears_no_page_while_a_cell_runs_believes_the_server(
    monkeypatch: pytest.MonkeyPatch, awaits: bool, served: bool
) -> None:
    """Else its first reply waits for a page that is not there, or shows no widget on one."""
    kernel: Any = NotebookKernel()
    kernel.shell = types.SimpleNamespace(autoawait=awaits)
    monkeypatch.setattr(front_end, "current_kernel", lambda: kernel)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    if served:
        monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    hears = front_end.receives_while_awaiting(kernel)
    assert not hears or awaits
    assert front_end.is_page_known() is (served and not hears)


class NotebookKernel:
    """A kernel that takes input, of a cell without an id."""

    _allow_stdin = True

    def get_parent(self, channel: str) -> dict[str, Any]:
        return {}
