"""A real kernel, driven the way a notebook drives it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.support.forked_kernels import NAME as FORKED
from tests.support.forked_kernels import shared_kernels

Message = dict[str, Any]


@dataclass
class Ran:
    """The messages that running a cell sent."""

    reply: Message
    messages: list[Message] = field(default_factory=list)
    iopub_bytes: int = 0

    def of(self, kind: str) -> list[Message]:
        return [m["content"] for m in self.messages if m["msg_type"] == kind]

    @property
    def printed(self) -> str:
        """The text of the cell's streams, which come in one message or in several."""
        return "".join(content["text"] for content in self.of("stream"))

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """The cell's outputs in the end: displays, with their updates applied."""
        shown: list[Message] = []
        for message in self.messages:
            if message["msg_type"] == "display_data":
                shown.append(message["content"])
            elif message["msg_type"] == "update_display_data":
                key = message["content"]["transient"]["display_id"]
                for content in shown:
                    if content.get("transient", {}).get("display_id") == key:
                        content["data"] = message["content"]["data"]
        return [content["data"] for content in shown]

    @property
    def streamed(self) -> str:
        """The text that the reply view was sent in deltas."""
        contents = [m["data"].get("content", {}) for m in self.of("comm_msg")]
        return "".join(c["text"] for c in contents if c.get("type") == "delta")


class Kernel:
    """A kernel in a process of its own.

    Args:
        overlay: A folder with another ipykernel, to be found before the installed one.
        environment: Variables for it.
        forked: Copy it from a process that has imported chatnb, which is ten times as quick. Such
            a kernel cannot be killed, and does not tidy up at its end.

    Attributes:
        listeners: Called with every message, whichever cell or wait it comes in.
    """

    def __init__(
        self,
        overlay: Path | None = None,
        environment: dict[str, str] | None = None,
        *,
        forked: bool = False,
    ) -> None:
        self.listeners = list[Callable[[Message], None]]()
        # Another process may take a TCP port that was free a moment ago.
        self._sockets = TemporaryDirectory(prefix="chatnb-", ignore_cleanup_errors=True)
        sockets = str(Path(self._sockets.name, "kernel"))
        self._manager = KernelManager(transport="ipc", ip=sockets)
        if forked and hasattr(os, "fork"):
            self._manager.kernel_spec_manager.kernel_dirs = [f"{shared_kernels()}/kernels"]
            self._manager.kernel_name = FORKED
        self._manager.kernel_spec.argv[0] = sys.executable  # type: ignore[union-attr]
        more = {"PYTHONPATH": str(overlay)} if overlay else {}
        more |= environment or {}
        self._manager.start_kernel(extra_arguments=[], env=_environment(more))
        self.client: BlockingKernelClient = self._manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(60)

    def run(
        self,
        code: str,
        *,
        watched: bool = True,
        cell_id: str = "cell",
        timeout: float = 60,
        on_message: Callable[[Message], object] = lambda _: None,
    ) -> Ran:
        """Run a cell to its end, telling of each message as it comes.

        JupyterLab and VS Code tell the id of the cell; jupyter console has none.
        """
        sent = self._execute(code, allow_stdin=watched, cell_id=cell_id)
        ran, deadline = Ran({}), time.monotonic() + timeout
        while True:
            message, size = self._next_message(deadline)
            if message["parent_header"].get("msg_id") != sent and "comm" not in message["msg_type"]:
                continue
            ran.messages.append(message)
            ran.iopub_bytes += size
            on_message(message)
            if message["content"].get("execution_state") == "idle":
                ran.reply = self._reply(sent)
                return ran

    def _execute(self, code: str, *, allow_stdin: bool, cell_id: str) -> str:
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": allow_stdin,
            "stop_on_error": True,
        }
        metadata = {"cellId": cell_id} if cell_id else {}
        request = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(request)
        return request["header"]["msg_id"]

    def deliver(self, ran: Ran) -> set[str]:
        """Tell, as the page does, that it has a cell's outputs; return the comms open after that.

        The page's own widget, which has no view and stays with the kernel, is not among them.
        """
        [*_, (page, replies)] = [
            (content["comm_id"], content["data"]["state"]["replies"])
            for content in ran.of("comm_msg")
            if "replies" in content["data"].get("state", {})
        ]
        for id, reply in replies.items():
            assert reply["finished"]
            self.tell(page, {"type": "delivered", "id": id})
        after = self.run("pass")
        opened = {content["comm_id"]: content["data"] for content in ran.of("comm_open")}
        closed = {content["comm_id"] for each in (ran, after) for content in each.of("comm_close")}
        layout = opened.get(page, {}).get("state", {}).get("layout", "")
        return opened.keys() - closed - {page, layout.removeprefix("IPY_MODEL_")}

    def listen(self, enough: Callable[[Message], object], *, timeout: float = 60) -> None:
        """Take what the kernel sends by itself, until a message is enough."""
        deadline = time.monotonic() + timeout
        while not enough(self._next_message(deadline)[0]):
            pass

    def _next_message(self, deadline: float) -> tuple[Message, int]:
        channel = self.client.iopub_channel
        waiting = int(max(0.0, deadline - time.monotonic()) * 1000)
        if not channel.socket.poll(waiting):
            raise TimeoutError("the kernel sent nothing more")
        frames = channel.socket.recv_multipart()
        _, parts = channel.session.feed_identities(frames)
        message = channel.session.deserialize(parts)
        for listener in self.listeners:
            listener(message)
        return message, sum(len(frame) for frame in frames)

    def _reply(self, sent: str) -> Message:
        while True:
            reply = self.client.get_shell_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == sent:
                return reply["content"]

    def tell(
        self, comm_id: str, content: dict[str, Any], buffers: list[bytes] | None = None
    ) -> None:
        """Send a widget a custom message, as the browser does."""
        data = {"method": "custom", "content": content}
        message = self.client.session.msg("comm_msg", {"comm_id": comm_id, "data": data})
        socket = self.client.shell_channel.socket
        self.client.session.send(socket, message, buffers=buffers)

    def interrupt(self) -> None:
        self._manager.interrupt_kernel()

    def shut_down(self) -> None:
        """End it as people do, so that it can tidy up."""
        self._manager.shutdown_kernel()
        self.client.stop_channels()
        self._sockets.cleanup()

    def kill(self) -> None:
        """End it as the system ends what takes too much memory."""
        pid = self._manager.provisioner.pid  # type: ignore[union-attr]
        os.kill(pid, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        self.client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._sockets.cleanup()


def _environment(more: dict[str, str]) -> dict[str, str]:
    # A model in the background takes time from the cells of the test.
    return {**os.environ, "CHATNB_WARM_UP": "0", **more}
