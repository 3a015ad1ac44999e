"""An IPython whose cells run in a page, as far as a kernel without processes can have one."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import comm
import pytest
from comm.base_comm import BaseComm
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

from chatnb.concurrency.portal import package_portal
from chatnb.notebook import register

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def until(happened: Callable[[], object]) -> None:
    """Wait for something that comes on another thread, and fail if it does not."""
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.002)


class Output(NamedTuple):
    """An output of a cell: data by type, the id that later ones replace, and if it does."""

    data: dict[str, Any]
    id: str
    replaces: bool


class Page:
    """A page of JupyterLab: it runs cells in a shell, and gets their outputs and messages."""

    def __init__(
        self, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, *, awaits: bool = True
    ) -> None:
        self.shell, self.cell_id = shell, "c1"
        self.outputs: list[Output] = []
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.on_calls: Callable[[Any], object] = lambda item: None
        """Gets each tool call that a view shows, as often as it does."""
        self._comms: dict[str, BaseComm] = {}
        page = self

        class Comm(BaseComm):
            def publish_msg(self, msg_type: str, data: Any = None, *_: Any, **__: Any) -> None:
                page._comms[self.comm_id] = self
                page.messages.append((self.comm_id, {"type": msg_type, **(data or {})}))
                for item in (data or {}).get("state", {}).get("calls", ()):
                    page.on_calls(item)

        monkeypatch.setattr(comm, "create_comm", Comm)
        monkeypatch.setattr(InteractiveShell, "_instance", shell)
        monkeypatch.setattr(shell.display_pub, "publish", self._publish)
        monkeypatch.setattr(shell, "autoawait", awaits)
        kernel = SimpleNamespace(
            _allow_stdin=True,
            shell=shell,
            get_parent=lambda channel: {"metadata": {"cellId": self.cell_id}},
        )
        monkeypatch.setattr(shell, "kernel", kernel, raising=False)
        monkeypatch.setenv("CHATNB_WARM_UP", "0")
        monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
        register(shell)

    def run(self, source: str, cell_id: str = "c1") -> ExecutionResult:
        """Run a cell."""
        self.cell_id = cell_id
        self.outputs.clear()
        return self.shell.run_cell(source, store_history=True)

    def post(self, model_id: str, content: object) -> None:
        """Send a message to a widget."""
        data = {"method": "custom", "content": content}
        self._comms[model_id].handle_msg({"content": {"data": data}, "buffers": []})

    def say(self, model_id: str, content: object) -> None:
        """Send a message to a widget, and wait for what it does on the package's event loop."""
        self.post(model_id, content)
        package_portal.run(_nothing())

    def told(self, model_id: str, type: str) -> list[dict[str, Any]]:
        """Return the messages of one type that a widget has sent."""
        custom = [
            data["content"]
            for id, data in self.messages
            if id == model_id and data.get("method") == "custom"
        ]
        return [content for content in custom if content["type"] == type]

    def states(self, model_id: str, name: str) -> list[Any]:
        """Return the values that a widget has sent of a trait."""
        states = [data.get("state", {}) for id, data in self.messages if id == model_id]
        return [state[name] for state in states if name in state]

    @property
    def view_id(self) -> str:
        """The model of the first widget that the cell has shown."""
        return next(
            output.data[WIDGET_VIEW]["model_id"]
            for output in self.outputs
            if WIDGET_VIEW in output.data
        )

    @property
    def own_id(self) -> str:
        """The model of the widget that knows the outputs of all cells."""
        return self.session.cell_outputs.model_id

    @property
    def session(self) -> Any:
        """The session of the shell."""
        return self.shell.magics_manager.registry["ChatMagics"].session

    def _publish(
        self,
        data: dict[str, Any],
        metadata: Any = None,
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        **_: Any,
    ) -> None:
        self.outputs.append(Output(data, (transient or {}).get("display_id", ""), update))


async def _nothing() -> None:
    """Let what was submitted before come first."""
